"""Decisions and the area under precision over recall, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import average_precision, best_threshold, confusion_at

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.integers(1, 3)),
    min_size=1,
    max_size=40,
)


@given(rows)
def test_average_precision_equals_the_one_of_scikit_learn_with_ties_and_weights(drawn):
    labels, scores, weights = (np.array(column) for column in zip(*drawn, strict=True))
    if labels.any():
        for weight in (None, weights):
            expected = sklearn_metrics.average_precision_score(labels, scores, sample_weight=weight)
            assert average_precision(labels, scores, weight) == pytest.approx(expected)


@given(rows, st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0, 2.0]))
def test_the_confusion_matrix_equals_the_one_of_scikit_learn(drawn, threshold):
    labels, scores, _ = (np.array(column) for column in zip(*drawn, strict=True))
    found = confusion_at(threshold, labels, scores)
    matrix = sklearn_metrics.confusion_matrix(labels, scores >= threshold, labels=[False, True])
    assert [
        [found.true_negatives, found.false_positives], [found.false_negatives, found.true_positives],
    ] == matrix.tolist()  # fmt: skip
    if labels.any() or (scores >= threshold).any():
        assert found.f1 == pytest.approx(sklearn_metrics.f1_score(labels, scores >= threshold))
    if labels.any():
        assert found.recall == pytest.approx(sklearn_metrics.recall_score(labels, scores >= threshold))


@given(rows)
def test_no_threshold_has_a_higher_f1_than_the_one_chosen(drawn):
    labels, scores, _ = (np.array(column) for column in zip(*drawn, strict=True))
    if not labels.any():
        with pytest.raises(InvalidArgument, match="no positive row"):
            best_threshold(labels, scores)
        return
    chosen = confusion_at(best_threshold(labels, scores), labels, scores).f1
    assert chosen == pytest.approx(max(confusion_at(cut, labels, scores).f1 for cut in set(scores)))


def test_without_positives_there_is_no_area():
    assert math.isnan(average_precision([0, 0], [0.1, 0.2]))
    assert math.isnan(average_precision([], []))
    assert math.isnan(confusion_at(0.5, [0], [0.1]).f1)
    assert math.isnan(confusion_at(0.5, [1], [0.1]).precision)
