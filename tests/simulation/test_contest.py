from collections import defaultdict

import msgspec
import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.measure.metrics import mean_interval
from feedmill.simulation import Popularity, Random, Slate, WorldConfig, run

CONFIG = WorldConfig(users=110, days=6, step_minutes=60, backlog=300, births_per_day=50, feeds_per_day=2)
SEEDS = (0, 1, 2)


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


def test_all_policies_fill_as_many_feeds_and_are_seen_as_deep(results):
    for result in results:
        assert len({(outcome.feeds, outcome.impressions) for outcome in result.outcomes.values()}) == 1
        assert result.outcomes["random"].feeds > 500
        assert result.outcomes["random"].actions["view"] == result.outcomes["random"].impressions


def test_a_contest_runs_again_to_the_same_result(results):
    seed = SEEDS[0]
    policies = [Random(np.random.default_rng(seed)), Popularity(), ByCategory(np.random.default_rng(seed))]
    standings = []
    result = run(CONFIG, policies, seed, progress=standings.append)
    assert result == results[0]
    assert [standing.step for standing in standings] == list(range(1, CONFIG.steps + 1))
    last = standings[-1]
    assert last.feeds == result.outcomes["random"].feeds
    assert last.by_day == {name: outcome.by_day for name, outcome in result.outcomes.items()}
    assert len(result.outcomes["random"].by_day) == 6
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_policies_are_the_same_with_and_without_the_oracle_beside_them():
    config = WorldConfig(users=20, days=1, backlog=30, births_per_day=5, feeds_per_day=3)
    alone = run(config, [Popularity()], 4, oracle=False)
    assert list(alone.outcomes) == ["popularity"]
    beside = run(config, [Popularity()], 4)
    assert list(beside.outcomes) == ["popularity", "oracle"]
    assert beside.outcomes["popularity"] == alone.outcomes["popularity"]


def test_two_policies_of_one_name_are_refused():
    with pytest.raises(InvalidArgument, match="popularity, popularity"):
        run(CONFIG, [Popularity(), Popularity()], 0, oracle=False)


def test_a_policy_that_invents_items_is_found_out():
    class Inventor(Popularity):
        def slate(self, user_ids, now, k):
            return [Slate(["perpetuum mobile"]) for _ in user_ids]

    with pytest.raises(NotFound, match="perpetuum mobile"):
        run(CONFIG, [Inventor()], 0)
