"""Models compared: on recommenders whose answers are written down, so that every number can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.cold_start import ItemColdStart
from feedmill.measure.evaluation.comparison import Evaluation, evaluate, verdict
from feedmill.measure.evaluation.folds import InteractionFolds
from feedmill.measure.evaluation.protocol import REPEATS
from feedmill.measure.evaluation.temporal import LeaveLastOut, Temporal

# Users 0 to 3 end with item 5, user 4 with item 0; everybody else has met items 1 and 2.
LOG = Interactions.of(
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 0, 1, 2, 3, 4],
    [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 5, 0, 1, 5, 5, 5, 5, 0],
)


class Says:
    """Gives everybody the same list, whatever they have met."""

    def __init__(self, *items: int) -> None:
        self.items = items
        self.learned: Interactions | None = None

    def fit(self, train: Interactions) -> None:
        self.learned = train

    def recommend(self, users, k, *, history=None, candidates=None):
        row = [*self.items, *[-1] * k][:k]
        return np.tile(np.array(row, dtype=np.int32), (len(users), 1)), np.zeros((len(users), k), dtype=np.float32)


def compared(**models: tuple[int, ...]) -> Evaluation:
    makers = {name: lambda items=items: Says(*items) for name, items in models.items()}
    return evaluate(makers, LeaveLastOut(), LOG, k=2, samples=200)


def test_metrics_are_means_over_the_users_who_are_asked_for() -> None:
    found = compared(five=(5, 0))
    assert (found.users, found.test, found.train, found.items) == (6, 6, 12, 4)
    metrics = found.models[0].metrics
    # Item 5 first finds four of six users, item 0 second one; user 5 ends with item 1.
    assert metrics["hit_rate"].estimate == pytest.approx(5 / 6)
    assert metrics["mrr"].estimate == pytest.approx((4 + 1 / 2) / 6)
    assert metrics["ndcg"].estimate == pytest.approx((4 + 1 / math.log2(3)) / 6)
    assert metrics["precision"].estimate == pytest.approx(5 / 6 / 2)
    assert metrics["ndcg"].low < metrics["ndcg"].estimate < metrics["ndcg"].high


def test_variety_is_measured_on_the_items_of_the_training_part() -> None:
    found = compared(five=(5, 0), one=(5,)).models
    both, alone = (next(result for result in found if result.name == name) for name in ("five", "one"))
    # Items 0, 1, 2 and 5 can be recommended; six users see 5 and 0, or only 5.
    assert (both.coverage.estimate, alone.coverage.estimate) == (0.5, 0.25)
    assert (both.gini.estimate, alone.gini.estimate) == (0.5, 0.75)
    # All see the same: without any one of them it is the same.
    assert (both.coverage.low, both.coverage.high, both.gini.low, both.gini.high) == (0.5, 0.5, 0.5, 0.5)
    # Of six users one had met each of 5 and 0: log2 6 bits. The same one: they are alike in all.
    assert both.metrics["novelty"].estimate == pytest.approx(math.log2(6))
    assert both.metrics["diversity"].estimate == pytest.approx(0)
    # Everybody but user 5 has met the two most popular; what comes next, 0 and 5, is obvious.
    assert both.metrics["serendipity"].estimate == 0


def test_items_that_nobody_has_taken_to_are_in_no_group_of_popularity() -> None:
    log = Interactions.of([0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 2, 1], [0, 0, 0, 9, 9, 9])
    new = evaluate({"one": lambda: Says(1, 2)}, ItemColdStart(at=9), log, k=2, samples=200).models[0]
    assert new.metrics["hit_rate"].estimate == 1
    assert new.by_popularity == {}
    assert compared(five=(5, 0)).models[0].by_popularity.keys() == {"head", "middle", "tail"}


def test_what_goes_to_the_tail_is_set_beside_what_is_wanted_of_it() -> None:
    found = compared(five=(5, 0)).models[0].by_popularity
    # Of twelve interactions items 1 and 2 have five each, 0 and 5 one each: head 1 and 2, middle 0, tail 5.
    assert {name: group.demand.estimate for name, group in found.items()} == {
        "head": pytest.approx(1 / 6), "middle": pytest.approx(1 / 6), "tail": pytest.approx(4 / 6),
    }  # fmt: skip
    assert found["tail"].exposure.estimate == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert [found[name].found.estimate for name in ("tail", "middle", "head")] == [1, 1, 0]
    # Everybody has the same list, but not everybody wants the same.
    assert found["tail"].exposure.low == pytest.approx(found["tail"].exposure.high)
    assert found["tail"].demand.low < 4 / 6 < found["tail"].demand.high


def test_the_groups_of_creators_are_those_of_their_items() -> None:
    creators = np.array([0, 1, 1, -1, -1, 0])
    found = evaluate({"five": lambda: Says(5, 0)}, LeaveLastOut(), LOG, k=2, samples=10, creators=creators)
    of_creators = found.models[0].by_creator
    assert of_creators["head"].exposure.estimate == 0
    assert sum(group.exposure.estimate for group in of_creators.values()) == 1
    assert compared(five=(5, 0)).models[0].by_creator == {}


def test_the_best_comes_first_and_every_pair_is_compared() -> None:
    found = compared(bad=(4,), good=(5, 0), fair=(0, 5))
    assert [result.name for result in found.models] == ["good", "fair", "bad"]
    assert len(found.differences) == 3
    assert all(pair.interval.estimate >= 0 for pair in found.differences)


def test_the_verdict_says_whether_it_could_be_chance() -> None:
    few = verdict(compared(good=(5, 0), fair=(0, 5)))
    assert len(few) == 1
    assert few[0].startswith("good is ahead of fair (NDCG@2 0.7718 and 0.5873): that could be chance")
    # Sixty users meet items 0, 1 and 2 in this order; one has met 2 before and ends with 1.
    users, items, times = np.tile(np.arange(60), 3), np.repeat([0, 1, 2], 60), np.arange(180)
    many = Interactions.of(np.append(users, [60, 60]), np.append(items, [2, 1]), np.append(times, [0, 1]))
    found = evaluate({"right": lambda: Says(2), "wrong": lambda: Says(0)}, LeaveLastOut(), many, k=1, samples=500)
    assert "wrong (NDCG@1 0.9836 and 0.0000): not chance" in verdict(found)[0]
    assert verdict(compared(one=(5,), other=(5,)))[0].startswith("one and other are level")
    assert "nothing to compare" in verdict(compared(one=(5,)))[0]


def test_a_user_who_is_asked_for_in_several_folds_counts_once() -> None:
    again = LOG.take(np.append(np.arange(len(LOG)), 0))
    found = evaluate({"five": lambda: Says(5, 0)}, InteractionFolds(folds=3), again, k=2, samples=10)
    assert found.users == 6
    assert found.left_out[REPEATS] == 1
    assert found.splits == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert found.test + sum(found.left_out.values()) == len(again)


def test_who_is_left_out_is_missing_in_the_folds_in_which_he_was_asked_for() -> None:
    class Own(Says):
        """Gives each user the item with his number."""

        def recommend(self, users, k, *, history=None, candidates=None):
            return np.array(users, dtype=np.int32)[:, None], np.zeros((len(users), 1), dtype=np.float32)

    generator = np.random.default_rng(0)
    log = Interactions.of(np.repeat(np.arange(8), 5), np.concatenate([generator.permutation(8)[:5] for _ in range(8)]))
    protocol = InteractionFolds(folds=3)
    found = evaluate({"own": lambda: Own()}, protocol, log, k=1, samples=10).models[0].coverage
    splits = list(protocol.splits(log))
    shares = np.array([[(split.users != user).sum() for split in splits] for user in range(9)]) / 8
    without, whole = shares[:8].mean(axis=1), shares[8].mean()
    assert found.estimate == pytest.approx(whole)
    error = math.sqrt(7 / 8 * np.square(without - without.mean()).sum())
    assert found.estimate - found.low == pytest.approx(stats.t.ppf(0.975, 7) * error)


def test_a_model_is_shown_the_training_part_alone() -> None:
    model = Says(5)
    evaluate({"says": lambda: model}, Temporal(), LOG, k=1, samples=10)
    assert model.learned is not None
    assert model.learned.times.max() < int(LOG.times.max())


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, other = compared(good=(5, 0), fair=(0, 5)), compared(good=(5, 0), fair=(0, 5))
    assert [result.metrics for result in one.models] == [result.metrics for result in other.models]
    assert one.differences == other.differences


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="none is named"):
        evaluate({}, LeaveLastOut(), LOG)
