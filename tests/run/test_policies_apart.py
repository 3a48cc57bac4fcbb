"""Policies that live through a world one by one do as they do side by side."""

from __future__ import annotations

import numpy as np

from feedmill.run.policy import FeedmillPolicy, frozen_policy
from feedmill.run.world_config import world_config
from feedmill.simulation import Outcome, Policy, Popularity, Random, WorldConfig, daily_als, item_neighbours, run

SEED = 5
TINY = WorldConfig(users=10, days=2, step_minutes=60, backlog=60, births_per_day=10, feeds_per_day=3)


def policies() -> list[Policy]:
    return [
        Random(np.random.default_rng(SEED)),
        Popularity(),
        item_neighbours(),
        daily_als(),
        frozen_policy(TINY, world_config(SEED)),
        FeedmillPolicy(world_config(SEED)),
    ]


def test_a_policy_and_the_oracle_do_the_same_alone_as_beside_others() -> None:
    together = run(TINY, policies(), SEED).outcomes
    apart: dict[str, Outcome] = {}
    for policy in policies():
        apart |= run(TINY, [policy], SEED, oracle=False).outcomes
    apart |= run(TINY, [], SEED).outcomes
    assert list(apart) == list(together)
    for name, outcome in together.items():
        assert outcome.impressions > 0
        assert apart[name] == outcome, name
    # Otherwise they would agree whatever they did.
    assert len({outcome.impressions for outcome in together.values()}) > 1
