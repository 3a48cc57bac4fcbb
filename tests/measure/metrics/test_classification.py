import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import auc, binary_metrics, calibration, log_loss

# Few different scores, so that most examples have ties.
rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 3)),
    min_size=2,
    max_size=40,
)


def test_auc_counts_a_tie_as_one_half():
    # Pairs: (0.4 over 0.1), (0.4 over 0.35), (0.35 over 0.1), (0.35 ties 0.35): 3.5 of 4.
    assert auc([0, 1, 1, 0], [0.1, 0.4, 0.35, 0.35]) == 3.5 / 4


@given(rows)
def test_auc_equals_the_one_of_scikit_learn_with_ties_and_weights(drawn):
    labels, scores, weights = (np.array(column) for column in zip(*drawn, strict=True))
    if 0 < labels.sum() < len(labels):
        assert auc(labels, scores) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores), abs=1e-12)
    if 0 < weights[labels].sum() < weights.sum():
        expected = sklearn_metrics.roc_auc_score(labels, scores, sample_weight=weights)
        assert auc(labels, scores, weights) == pytest.approx(expected, abs=1e-12)


@given(rows)
def test_a_weight_of_two_counts_as_the_row_twice(drawn):
    labels, scores, weights = (np.array(column) for column in zip(*drawn, strict=True))
    repeated = auc(np.repeat(labels, weights), np.repeat(scores, weights))
    assert auc(labels, scores, weights) == pytest.approx(repeated, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("labels", [[], [1, 1], [0, 0]])
def test_auc_of_one_class_is_not_a_number(labels):
    assert math.isnan(auc(labels, [0.5] * len(labels)))


@given(rows, st.sampled_from([np.float32, np.float64]))
def test_log_loss_equals_the_one_of_scikit_learn_at_certain_probabilities_too(drawn, dtype):
    labels = np.array([row[0] for row in drawn])
    probabilities = np.array([row[1] for row in drawn], dtype=dtype)
    expected = sklearn_metrics.log_loss(labels, probabilities, labels=[False, True])
    assert log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-5)


def test_log_loss_weighs_its_rows():
    assert log_loss([1, 0], [0.5, 0.75], [3, 1]) == pytest.approx((3 * math.log(2) + math.log(4)) / 4)


def test_calibration_is_what_was_predicted_over_what_was_observed():
    assert calibration([1, 0, 0, 1], [0.5, 0.5, 1.0, 1.0]) == 1.5
    assert calibration([1, 0], [0.5, 0.5], [1, 3]) == 2.0
    assert math.isnan(calibration([0, 0], [0.5, 0.5]))


def test_binary_metrics_leave_out_rows_without_weight():
    result = binary_metrics([1, 0, 1, 0], [0.8, 0.4, 0.0, 1.0], [1, 1, 0, 0])
    assert (result.rows, result.positives, result.auc) == (2, 1, 1.0)
    assert result.log_loss == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert result.calibration == pytest.approx(1.2)


def test_scores_that_cannot_be_ranked_are_refused():
    with pytest.raises(InvalidArgument, match="NaN"):
        auc([0, 1], [0.1, math.nan])
    with pytest.raises(InvalidArgument, match=r"\(2,\) and \(3,\)"):
        auc([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(InvalidArgument, match="one weight a row"):
        auc([0, 1], [0.1, 0.2], [1.0])


def test_a_weight_below_0_takes_back_a_row_that_was_counted_before():
    labels, scores = [1, 0, 1, 1, 0], [0.6, 0.2, 0.4, 0.7, 0.5]
    corrected = binary_metrics([*labels, 0, 0], [*scores, 0.4, 0.4], [1, 1, 1, 1, 1, 1, -1])
    expected = binary_metrics(labels, scores)
    assert msgspec.structs.astuple(corrected) == pytest.approx(msgspec.structs.astuple(expected))
    assert (corrected.rows, corrected.positives) == (5, 3)
