"""Ranking metrics equal those of ir-measures, which asks trec_eval, user by user."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import RANKING_METRICS, hits_in_arrays, hits_in_lists

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG

ITEMS, K = 9, 4
PEERS = {"ndcg": nDCG @ K, "hit_rate": Success @ K, "recall": R @ K, "precision": P @ K, "map": AP @ K, "mrr": RR @ K}

users = st.lists(
    st.tuples(st.permutations(range(ITEMS)), st.integers(0, ITEMS), st.sets(st.integers(0, ITEMS - 1), min_size=1)),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)
@given(users)
def test_every_metric_of_every_user_equals_the_one_of_trec_eval(drawn):
    lists = np.full((len(drawn), K), -1)
    for row, (ranking, length, _) in enumerate(drawn):
        shown = ranking[: min(length, K)]
        lists[row, : len(shown)] = shown
    pairs = np.array([(row, item) for row, (_, _, wanted) in enumerate(drawn) for item in wanted])
    ours = hits_in_arrays(lists, pairs[:, 0], pairs[:, 1]).by_user()
    relevance = [ir_measures.Qrel(str(user), str(item), 1) for user, item in pairs]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(-place))
        for user, row in enumerate(lists)
        for place, item in enumerate(row)
        if item >= 0
    ]
    theirs = {
        (found.query_id, found.measure): found.value
        for found in ir_measures.iter_calc(list(PEERS.values()), relevance, run)
    }
    assert set(PEERS) == set(RANKING_METRICS)
    for name, measure in PEERS.items():
        for user in range(len(drawn)):
            assert ours[name][user] == pytest.approx(theirs.get((str(user), measure), 0.0)), name


@given(users)
def test_arrays_and_lists_of_ids_give_the_same(drawn):
    lists = np.array([ranking[:K] for ranking, _, _ in drawn])
    pairs = np.array([(row, item) for row, (_, _, wanted) in enumerate(drawn) for item in wanted])
    one = hits_in_arrays(lists, pairs[:, 0], pairs[:, 1])
    other = hits_in_lists(K, lists.tolist(), [wanted for _, _, wanted in drawn])
    assert one.found.tolist() == other.found.tolist()
    assert one.relevant.tolist() == other.relevant.tolist()


def test_arrays_count_an_item_that_stands_twice_once_and_leave_out_who_wants_nothing():
    hits = hits_in_arrays(np.array([[3, 3, 5], [1, -1, -1]]), np.array([0, 0, 0]), np.array([3, 5, 5]))
    assert hits.found.tolist() == [[True, False, True], [False, False, False]]
    assert hits.relevant.tolist() == [2, 0]
    assert np.isnan(hits.by_user()["recall"]).tolist() == [False, True]
    assert hits.means().users == 1


def test_an_item_at_index_minus_one_is_no_item():
    hits = hits_in_arrays(np.array([[-1, 0], [-1, -1]]), np.array([0, 1]), np.array([1, 0]))
    assert not hits.found.any()


def test_lists_of_no_places_are_refused():
    with pytest.raises(InvalidArgument, match="k at least 1"):
        hits_in_arrays(np.zeros((2, 0), dtype=int), np.array([0]), np.array([1]))
