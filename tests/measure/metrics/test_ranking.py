import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import ranking_metrics


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
    assert ranking_metrics(1, ranked, relevant).hit_rate == 0
    assert ranking_metrics(4, ranked, relevant).recall == pytest.approx((2 / 3 + 0) / 2)
    assert ranking_metrics(4, ranked, relevant).mrr == 0.25


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1), st.integers(1, 8))
def test_ndcg_equals_the_one_of_scikit_learn(ranking, relevant, k):
    truth = np.array([[float(item in relevant) for item in range(8)]])
    scores = np.zeros((1, 8))
    scores[0, ranking] = np.arange(8, 0, -1)
    assert ranking_metrics(k, [ranking], [relevant]).ndcg == pytest.approx(ndcg_score(truth, scores, k=k))


def test_users_without_relevant_items_are_left_out():
    assert ranking_metrics(1, [["a"], ["a"]], [{"a"}, set()]).recall == 1
    assert math.isnan(ranking_metrics(1, [["a"]], [set()]).ndcg)
    assert math.isnan(ranking_metrics(1, [], []).mrr)


def test_an_item_that_stands_twice_is_found_once():
    assert ranking_metrics(3, [["a", "a", "b"]], [{"a", "b"}]).recall == 1
    assert ranking_metrics(2, [["a", "a"]], [{"a", "b"}]).ndcg == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_cut_off_of_zero_and_unequal_lengths_are_refused():
    with pytest.raises(InvalidArgument, match="at least 1"):
        ranking_metrics(0, [["a"]], [{"a"}])
    with pytest.raises(InvalidArgument, match="2 and 1 users"):
        ranking_metrics(1, [["a"], ["b"]], [{"a"}])
