import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import hit_rate_at, mrr, ndcg_at, ranking_metrics, recall_at


def test_metrics_of_two_users_worked_out_by_hand():
    ranked = [["a", "b", "c", "d"], ["a", "b", "c", "d"]]
    relevant = [{"b", "d", "z"}, {"x"}]
    result = ranking_metrics(3, ranked, relevant)
    assert result.users == 2
    assert result.hit_rate == 0.5
    assert result.recall == pytest.approx((1 / 3 + 0) / 2)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert result.ndcg == pytest.approx(1 / math.log2(3) / ideal / 2)
    assert result.mrr == pytest.approx((1 / 2 + 0) / 2)
    assert hit_rate_at(1, ranked, relevant) == 0
    assert recall_at(4, ranked, relevant) == pytest.approx((2 / 3 + 0) / 2)
    assert mrr(ranked, relevant) == 0.25


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1), st.integers(1, 8))
def test_ndcg_equals_the_one_of_scikit_learn(ranking, relevant, k):
    truth = np.array([[float(item in relevant) for item in range(8)]])
    scores = np.zeros((1, 8))
    scores[0, ranking] = np.arange(8, 0, -1)
    assert ndcg_at(k, [ranking], [relevant]) == pytest.approx(ndcg_score(truth, scores, k=k))


def test_users_without_relevant_items_are_left_out():
    assert recall_at(1, [["a"], ["a"]], [{"a"}, set()]) == 1
    assert math.isnan(ndcg_at(1, [["a"]], [set()]))
    assert math.isnan(mrr([], []))


def test_an_item_that_stands_twice_is_found_once():
    assert recall_at(3, [["a", "a", "b"]], [{"a", "b"}]) == 1
    assert ndcg_at(2, [["a", "a"]], [{"a", "b"}]) == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_cut_off_of_zero_and_unequal_lengths_are_refused():
    with pytest.raises(InvalidArgument, match="at least 1"):
        recall_at(0, [["a"]], [{"a"}])
    with pytest.raises(InvalidArgument, match="2 and 1 users"):
        recall_at(1, [["a"], ["b"]], [{"a"}])
