"""Feedmill in the simulated world: it learns from what its own feeds brought, and gets ahead."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.measure.metrics import mean_interval
from feedmill.run.policy import FeedmillPolicy, frozen_policy, world_config
from feedmill.serve.page import Page
from feedmill.simulation import ContestResult, Entrant, Popularity, Random, World, WorldConfig, run
from feedmill.simulation.records import arrivals_of, seen_in

SMALL = WorldConfig(users=40, days=4, step_minutes=60, backlog=250, births_per_day=40, feeds_per_day=2)
TINY = WorldConfig(users=8, days=1, backlog=60, births_per_day=10, feeds_per_day=3)


def contest(seed: int, config: WorldConfig = SMALL) -> ContestResult:
    return run(config, [Random(np.random.default_rng(seed)), Popularity(), FeedmillPolicy(world_config(seed))], seed)


@pytest.fixture(scope="module")
def result() -> ContestResult:
    return contest(1)


def test_feedmill_is_ahead_of_popularity_and_chance_and_behind_the_oracle(result: ContestResult) -> None:
    engagement = {name: outcome.engagement for name, outcome in result.outcomes.items()}
    assert engagement["oracle"] > engagement["feedmill"] > engagement["popularity"] > engagement["random"]


def test_feedmill_comes_nearer_to_the_oracle_with_time(result: ContestResult) -> None:
    first, *_, last = (
        ours / best
        for ours, best in zip(result.outcomes["feedmill"].by_quarter, result.outcomes["oracle"].by_quarter, strict=True)
    )
    assert last > first


def test_the_same_seed_gives_the_same_feeds() -> None:
    assert contest(2, TINY) == contest(2, TINY)


def test_a_frozen_model_learns_for_a_quarter_and_then_only_counts() -> None:
    policy = frozen_policy(TINY)
    learner = policy.learner
    frozen = Entrant(policy, World(TINY, np.random.default_rng(4)))
    online = Entrant(FeedmillPolicy(), World(TINY, np.random.default_rng(4)))
    quarter = TINY.steps // 4
    for _ in range(quarter - 1):
        online.live()
        frozen.live()
    learned, counted = learner.parameters.table.version, learner.state.rows_folded
    assert learned > 0
    assert frozen.tally.watched == online.tally.watched
    for _ in range(2 * quarter):
        online.live()
        frozen.live()
    assert learner.parameters.table.version == learned
    assert learner.state.rows_folded > 2 * counted
    assert frozen.tally.watched != online.tally.watched


def test_a_feed_is_full_and_holds_nothing_that_the_user_has_seen() -> None:
    pages: list[tuple[str, Page, int]] = []
    policy = FeedmillPolicy(told=lambda user_id, page, now: pages.append((user_id, page, now)))
    world = World(SMALL, np.random.default_rng(3))
    seen: set[tuple[str, str]] = set()
    for _ in range(12):
        step = world.step()
        policy.observe(arrivals_of(world, step))
        user_ids = [world.users.ids[user] for user in step.arrivals.tolist()]
        slates = policy.slate(user_ids, step.now, 10)
        for user_id, slate in zip(user_ids, slates, strict=True):
            assert len(set(slate.items)) == 10
            assert not {(user_id, item) for item in slate.items} & seen
        responses = world.respond(step.arrivals, world.item_indices([slate.items for slate in slates]))
        records = seen_in(world, responses, [slate.request_id for slate in slates])
        policy.observe(records)
        seen |= {(record.subject, record.object) for record in records if record.kind == "seen"}
    assert policy.learner.state.rows_folded == len(seen) > 0
    assert {user_id for user_id, _, _ in pages} == {user_id for user_id, _ in seen}


@pytest.mark.soak
def test_over_five_worlds_feedmill_is_ahead_beyond_chance() -> None:
    results = [contest(seed, WorldConfig()) for seed in range(5)]
    for other in ("popularity", "random"):
        ahead = [result.outcomes["feedmill"].engagement - result.outcomes[other].engagement for result in results]
        assert mean_interval(ahead).low > 0.1
