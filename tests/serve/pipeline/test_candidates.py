from __future__ import annotations

import numpy as np
import pytest

from feedmill.serve.pipeline.candidates import Candidates, Retrieved, merge


def retrieved(items: list[int], scores: list[float], evidence: list[int]) -> Retrieved:
    return Retrieved.of(np.array(items), np.array(scores), np.array(evidence))


def test_an_item_named_by_two_sources_is_one_candidate_that_remembers_both() -> None:
    candidates = merge([retrieved([7, 3], [0.9, 0.5], [1, 2]), retrieved([3, 4], [20, 10], [5, 6])], {"a": 1, "b": 1})
    assert candidates.items.tolist() == [7, 3, 4]
    assert candidates.named.tolist() == [[True, False], [True, True], [False, True]]
    assert candidates.source_scores[1].tolist() == [0.5, 20.0]
    assert candidates.evidence[1].tolist() == [2, 5]


def test_retrieval_scores_are_the_reciprocal_rank_fusion_of_the_sources() -> None:
    candidates = merge([retrieved([7, 3], [0.9, 0.5], [0, 0]), retrieved([3, 4], [20, 10], [0, 0])], {"a": 1, "b": 1})
    # Item 7 stands first in a; item 3 second in a and first in b; item 4 second in b.
    assert candidates.retrieval_scores.tolist() == pytest.approx([1 / 61, 1 / 62 + 1 / 61, 1 / 62])
    assert candidates.scores.tolist() == candidates.retrieval_scores.tolist()


def test_the_order_of_a_source_counts_as_much_as_its_weight_says() -> None:
    candidates = merge([retrieved([7], [1], [0]), retrieved([4, 7], [2, 1], [0, 0])], {"a": 0.5, "b": 2})
    assert candidates.retrieval_scores.tolist() == pytest.approx([0.5 / 61 + 2 / 62, 2 / 61])


def test_a_source_that_names_an_item_twice_counts_where_it_stands_first() -> None:
    candidates = merge([retrieved([5, 6, 5], [3, 2, 1], [10, 20, 30])], {"a": 1})
    assert candidates.items.tolist() == [5, 6]
    assert candidates.source_scores[:, 0].tolist() == [3.0, 2.0]
    assert candidates.evidence[:, 0].tolist() == [10, 20]
    assert candidates.retrieval_scores[0] == pytest.approx(1 / 61)


def test_a_source_with_nothing_to_say_leaves_its_column_empty() -> None:
    candidates = merge([None, retrieved([2], [1], [0]), Retrieved.nothing()], {"a": 1, "b": 1, "c": 1})
    assert candidates.named.tolist() == [[False, True, False]]
    assert len(merge([None], {"a": 1})) == 0


def test_taking_rows_takes_them_from_every_column() -> None:
    candidates = merge([retrieved([7, 3, 9], [3, 2, 1], [1, 2, 3])], {"a": 1})
    taken = candidates.take(np.array([2, 0]))
    assert taken.items.tolist() == [9, 7]
    assert taken.rows.tolist() == [2, 0]
    assert taken.evidence[:, 0].tolist() == [3, 1]
    assert len(taken) == len(taken.scores) == len(taken.predictions) == 2
    assert Candidates.concatenate(taken, candidates.take(np.array([1]))).items.tolist() == [9, 7, 3]
