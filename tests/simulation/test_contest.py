from collections import defaultdict

import msgspec
import numpy as np
import pytest

from feedmill.domain.clock import DAY
from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.measure.metrics import mean_interval
from feedmill.simulation import (
    Contest,
    Entrant,
    Popularity,
    Random,
    Slate,
    World,
    WorldConfig,
    daily_als,
    item_neighbours,
    run,
)
from feedmill.simulation.policies import Oracle

CONFIG = WorldConfig(users=80, days=8, step_minutes=60, backlog=200, births_per_day=30, feeds_per_day=2)
TINY = WorldConfig(users=20, days=1, backlog=30, births_per_day=5, feeds_per_day=3)
SEEDS = (0, 1, 2, 3, 4)


class ByCategory:
    """What each user watched of each category, and everybody of each item and author: a learner of a few lines."""

    name = "by category"

    def __init__(self, generator):
        self._generator = generator
        self._items = {}
        self._sums = defaultdict(lambda: np.array([1.0, 4.0]))
        self._seen = defaultdict(set)

    def slate(self, user_ids, now, k):
        return [self._feed(user_id, k) for user_id in user_ids]

    def _feed(self, user_id, k):
        rate = {key: watched / shown for key, (watched, shown) in self._sums.items()}
        scores = {
            item_id: rate.get((user_id, item.categories[0]), 0.25)
            + rate.get(item_id, 0.25) / 2
            + rate.get(item.author_id, 0.25) / 2
            + self._generator.normal(0, 0.05)
            for item_id, item in self._items.items()
            if item_id not in self._seen[user_id]
        }
        return Slate(sorted(scores, key=lambda item_id: -scores[item_id])[:k], f"for {user_id} at the door")

    def observe(self, records):
        for record in records:
            if record.kind == "item":
                self._items[record.object] = record.body
            elif record.kind == "seen":
                assert record.request_id == f"for {record.subject} at the door"
                self._seen[record.subject].add(record.object)
                item = self._items[record.object]
                for key in ((record.subject, item.categories[0]), record.object, item.author_id):
                    self._sums[key] = 0.97 * self._sums[key] + (record.outcomes["watched"], 1)


@pytest.fixture(scope="module")
def results():
    return [
        run(CONFIG, [Random(np.random.default_rng(seed)), Popularity(), ByCategory(np.random.default_rng(seed))], seed)
        for seed in SEEDS
    ]


@pytest.mark.parametrize(
    ("better", "worse"),
    [("popularity", "random"), ("by category", "popularity"), ("oracle", "popularity"), ("oracle", "by category")],
)
def test_who_knows_more_of_the_users_is_ahead_beyond_the_interval_over_seeds(results, better, worse):
    leads = [result.outcomes[better].engagement - result.outcomes[worse].engagement for result in results]
    assert mean_interval(leads).low > 0


def test_the_oracle_is_ahead_in_every_quarter_of_every_seed(results):
    for result in results:
        oracle = np.array(result.outcomes["oracle"].by_quarter)
        for outcome in result.outcomes.values():
            assert (np.array(outcome.by_quarter) <= oracle).all()


@pytest.fixture(scope="module")
def small():
    config = msgspec.structs.replace(CONFIG, users=50, days=4)
    return [
        run(config, [Random(np.random.default_rng(seed)), Popularity(), item_neighbours(), daily_als()], seed)
        for seed in SEEDS
    ]


@pytest.mark.parametrize("policy", ["random", "popularity", "item neighbours", "als"])
def test_the_oracle_is_the_yardstick_of_all_who_fill_their_pages(small, policy):
    assert {result.outcomes[name].quarters[-1].filled for result in small for name in ("oracle", policy)} == {1}
    leads = [result.outcomes["oracle"].engagement - result.outcomes[policy].engagement for result in small]
    assert mean_interval(leads).low > 0


def test_who_shows_less_can_pass_the_oracle_and_is_found_out():
    class Brief(Oracle):
        name = "brief"

        def slate(self, user_ids, now, k):
            return super().slate(user_ids, now, 3)

    world = World(msgspec.structs.replace(CONFIG, days=2), np.random.default_rng(0))
    own, other = world.copy(), world.copy()
    brief, oracle = Entrant(Brief(own), own), Entrant(Oracle(other), other)
    for _ in range(world.config.steps):
        brief.live()
        oracle.live()
    assert brief.outcome().engagement > oracle.outcome().engagement
    assert [quarter.filled for quarter in brief.outcome().quarters] == [0.3] * 4
    assert [quarter.filled for quarter in oracle.outcome().quarters] == [1] * 4


def test_regret_is_the_oracles_lead_by_day(results):
    for result in results:
        assert result.regret("oracle") == [0.0] * CONFIG.days
        ahead = np.array(result.outcomes["oracle"].by_day) - result.outcomes["random"].by_day
        assert result.regret("random") == pytest.approx(ahead)
        assert min(result.regret("random")) > 0


def test_who_is_pleased_stays_longer_and_comes_back_more(results):
    for result in results:
        chance, best = (result.outcomes[name] for name in ("random", "oracle"))
        assert best.impressions > chance.impressions > 500
        assert best.feeds > chance.feeds
        assert best.quarters[-1].minutes > 2 * chance.quarters[-1].minutes
        assert best.quarters[-1].active > chance.quarters[-1].active
        assert best.next_day > chance.next_day


def test_a_contest_runs_again_to_the_same_result(results):
    seed = SEEDS[0]
    policies = [Random(np.random.default_rng(seed)), Popularity(), ByCategory(np.random.default_rng(seed))]
    standings = []
    result = run(CONFIG, policies, seed, progress=standings.append)
    assert result == results[0]
    assert [standing.step for standing in standings] == list(range(1, CONFIG.steps + 1))
    last = standings[-1]
    assert last.now == CONFIG.end
    assert last.feeds == result.outcomes["random"].feeds
    assert last.by_day == {name: outcome.by_day for name, outcome in result.outcomes.items()}
    assert len(result.outcomes["random"].by_day) == 8
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_policies_are_the_same_with_and_without_the_oracle_beside_them():
    alone = run(TINY, [Popularity()], 4, oracle=False)
    assert list(alone.outcomes) == ["popularity"]
    beside = run(TINY, [Popularity()], 4)
    assert list(beside.outcomes) == ["popularity", "oracle"]
    assert beside.outcomes["popularity"] == alone.outcomes["popularity"]


def test_who_goes_on_is_asked_for_again_and_the_policy_knows_the_page_before():
    told, asked = [], []

    class Watched(Random):
        def slate(self, user_ids, now, k):
            slates = super().slate(user_ids, now, k)
            asked.append((now, {user_id: slate.items for user_id, slate in zip(user_ids, slates, strict=True)}))
            return slates

        def observe(self, records):
            told.extend((len(asked), record) for record in records if record.kind == "seen")
            super().observe(records)

    entrant = Entrant(Watched(np.random.default_rng(0)), World(CONFIG, np.random.default_rng(0)))
    for _ in range(48):
        entrant.live()
    times = [time for time, _ in asked]
    steps = {CONFIG.start + (number + 1) * CONFIG.step for number in range(48)}
    further = [number for number, now in enumerate(times) if now not in steps]
    assert len(further) > 20
    for number in further:
        before = [record for page, record in told if page == number]
        for user_id in asked[number][1]:
            # Whoever goes on has seen the page before to its end, and all of it is known.
            seen = [record.object for record in before if record.subject == user_id]
            assert seen == asked[number - 1][1][user_id]
        assert times[number] > max(record.timestamp for record in before)


def test_a_change_is_made_in_every_copy_between_steps():
    contest = Contest(World(CONFIG, np.random.default_rng(5)), [Popularity(), Random(np.random.default_rng(5))])
    before = contest.entrants[0].world.tastes
    contest.step()
    contest.apply(lambda world: world.shock("cats"))
    tastes = [entrant.world.tastes for entrant in contest.entrants]
    assert (tastes[0] != before).any()
    assert all((other == tastes[0]).all() for other in tastes)

    ids = []
    contest.apply(lambda world: ids.append(world.release_viral("cats")))
    contest.step()
    for entrant, item_id in zip(contest.entrants, ids, strict=True):
        assert item_id in {entrant.world.items.ids[item] for item in entrant.world.live_items}


def test_a_change_before_a_step_changes_what_comes_after_it_only():
    plain = run(CONFIG, [Popularity()], 6, oracle=False)
    # Once all want the same, what is popular pleases everybody.
    shocked = run(CONFIG, [Popularity()], 6, oracle=False, changes={72: lambda world: world.shock("cats", 2.0)})
    assert shocked.outcomes["popularity"].days[:3] == plain.outcomes["popularity"].days[:3]
    assert shocked.outcomes["popularity"].by_day[3] > plain.outcomes["popularity"].by_day[3]


def test_two_policies_of_one_name_are_refused():
    with pytest.raises(InvalidArgument, match="popularity, popularity"):
        run(CONFIG, [Popularity(), Popularity()], 0, oracle=False)


def test_a_policy_that_invents_items_is_found_out():
    class Inventor(Popularity):
        def slate(self, user_ids, now, k):
            return [Slate(["perpetuum mobile"]) for _ in user_ids]

    with pytest.raises(NotFound, match="perpetuum mobile"):
        run(CONFIG, [Inventor()], 0)


def test_an_entrant_ends_with_its_world():
    entrant = Entrant(Popularity(), World(TINY, np.random.default_rng(0)))
    for _ in range(TINY.steps):
        entrant.live()
    with pytest.raises(InvalidArgument, match="ended"):
        entrant.live()
    assert entrant.world.now == TINY.start + DAY
