"""Errors of values and calibration curves, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve as peer_curve

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import calibration_curve, mae, rmse

numbers = st.floats(-5, 5, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, st.integers(1, 3)), min_size=1, max_size=30))
def test_errors_equal_those_of_scikit_learn_with_weights(drawn):
    values, predictions, weights = (np.array(column) for column in zip(*drawn, strict=True))
    for weight in (None, weights):
        root = sklearn_metrics.root_mean_squared_error(values, predictions, sample_weight=weight)
        mean = sklearn_metrics.mean_absolute_error(values, predictions, sample_weight=weight)
        assert rmse(values, predictions, weight) == pytest.approx(root)
        assert mae(values, predictions, weight) == pytest.approx(mean)


def test_without_rows_there_is_no_error_and_unequal_lengths_are_refused():
    assert math.isnan(rmse([], []))
    with pytest.raises(InvalidArgument, match=r"\(1,\) and \(2,\)"):
        mae([1], [1, 2])


def test_the_calibration_curve_equals_the_one_of_scikit_learn():
    generator = np.random.default_rng(0)
    probabilities = generator.random(1_000) ** 2
    labels = generator.random(1_000) < probabilities
    ours = calibration_curve(labels, probabilities, bins=7)
    observed, predicted = peer_curve(labels, probabilities, n_bins=7, strategy="quantile")
    assert ours.observed == pytest.approx(observed)
    assert ours.predicted == pytest.approx(predicted)
    assert sum(ours.rows) == 1_000
    assert 0 < ours.error < 0.05


def test_rows_that_predict_the_same_share_a_bin():
    curve = calibration_curve([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], bins=10)
    assert (curve.predicted, curve.observed, curve.rows, curve.error) == ([0.5], [0.25], [4], 0.25)
    assert calibration_curve([], []).rows == []
