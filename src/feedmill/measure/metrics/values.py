"""Errors of predicted values: ratings, seconds watched."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument


def rmse(values: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The root of the mean squared error of rows [n]; NaN without rows.

    >>> rmse([1, 2], [1, 4])
    1.4142135623730951
    """
    return math.sqrt(_mean(_errors(values, predictions) ** 2, weights))


def mae(values: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The mean absolute error of rows [n]; NaN without rows."""
    return _mean(np.abs(_errors(values, predictions)), weights)


def _errors(values: npt.ArrayLike, predictions: npt.ArrayLike) -> npt.NDArray[np.float64]:
    value, predicted = np.asarray(values, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if value.ndim != 1 or value.shape != predicted.shape:
        raise InvalidArgument(f"values and predictions: shapes {value.shape} and {predicted.shape}, expected [n], [n]")
    errors: npt.NDArray[np.float64] = predicted - value
    return errors


def _mean(errors: npt.NDArray[np.float64], weights: npt.ArrayLike | None) -> float:
    weight = np.ones(len(errors)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = float(weight.sum())
    return float(errors @ weight) / total if total > 0 else math.nan
