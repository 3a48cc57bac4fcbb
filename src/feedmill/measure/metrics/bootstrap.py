"""How sure one can be of a mean or a difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.classification import SortedScores, auc
from feedmill.measure.metrics.thresholds import average_precision

Metric = Callable[[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike | None], float]
"""(labels, scores, weights) -> value, as `auc`, `log_loss` and `calibration` are."""


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its confidence interval, and the two-sided p-value of "the truth is 0"."""

    estimate: float
    low: float
    high: float
    confidence: float
    p_value: float


def paired_bootstrap(
    metric: Metric,
    labels: npt.ArrayLike,  # [n]
    scores_a: npt.ArrayLike,  # float [n]
    scores_b: npt.ArrayLike,  # float [n]
    groups: npt.ArrayLike,  # [n], any type that sorts
    samples: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Interval:
    """The interval of `metric(a) - metric(b)` on the same rows, from resampling whole groups (users) with replacement.

    Rows of one user depend on each other; resampling rows would make the interval too narrow (Efron and Tibshirani,
    1993, section 8). A resample is a vector of row weights, so `auc` and `average_precision` sort once a model and then
    cost O(n) a resample.
    Resamples on which the metric is not defined are left out; NaN where none is left.
    """
    _check(samples, confidence)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    evaluate_a = _weighted(metric, labels, scores_a, codes)
    evaluate_b = _weighted(metric, labels, scores_b, codes)
    n_groups = int(codes.max()) + 1 if len(codes) else 0
    return _interval(lambda counts: evaluate_a(counts) - evaluate_b(counts), n_groups, samples, generator, confidence)


def metric_interval(
    metric: Metric,
    labels: npt.ArrayLike,  # [n]
    scores: npt.ArrayLike,  # float [n]
    groups: npt.ArrayLike,  # [n], any type that sorts
    samples: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Interval:
    """A metric of rows with the interval from resampling whole groups (users), as `paired_bootstrap` does.

    Its p-value is that of "the truth is 0", which says little of a metric that is never below 0.
    """
    _check(samples, confidence)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    evaluate = _weighted(metric, labels, scores, codes)
    n_groups = int(codes.max()) + 1 if len(codes) else 0
    return _interval(evaluate, n_groups, samples, generator, confidence)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """The mean of independent values (seeds, users) with Student's interval; NaN bounds from fewer than two values.

    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> interval.estimate, round(interval.low, 3), round(interval.high, 3)
    (2.0, -0.484, 4.484)
    """
    _check(1, confidence)
    value = np.asarray(values, dtype=np.float64)
    n = len(value)
    if n < 2:
        return Interval(float(value[0]) if n else math.nan, math.nan, math.nan, confidence, math.nan)
    mean = float(value.mean())
    error = float(value.std(ddof=1)) / math.sqrt(n)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    statistic = abs(mean) / error if error > 0 else (math.inf if mean else 0.0)
    return Interval(mean, mean - half, mean + half, confidence, 2 * float(stdtr(n - 1, -statistic)))


def _interval(
    evaluate: Callable[[npt.NDArray[np.float64]], float],
    n_groups: int,
    samples: int,
    generator: np.random.Generator,
    confidence: float,
) -> Interval:
    """From what is evaluated when each group was drawn so many times."""
    if n_groups < 2:
        raise InvalidArgument(f"groups: {n_groups} different, expected at least 2 to resample from")
    estimate = evaluate(np.ones(n_groups))
    values = np.empty(samples)
    for i in range(samples):
        counts = np.bincount(generator.integers(n_groups, size=n_groups), minlength=n_groups).astype(np.float64)
        values[i] = evaluate(counts)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Interval(estimate, math.nan, math.nan, confidence, math.nan)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    # One is added to each count because the observed sample is itself a draw: a p-value of 0 cannot be known.
    tail = 1 + min(int((values <= 0).sum()), int((values >= 0).sum()))
    return Interval(estimate, float(low), float(high), confidence, min(1.0, 2 * tail / (len(values) + 1)))


def _weighted(
    metric: Metric, labels: npt.ArrayLike, scores: npt.ArrayLike, codes: npt.NDArray[np.intp]
) -> Callable[[npt.NDArray[np.float64]], float]:
    """The metric as a function of how often each group was drawn."""
    if len(codes) != len(np.asarray(labels)):
        raise InvalidArgument(f"groups: {len(codes)} rows, expected {len(np.asarray(labels))}, one group a row")
    if metric is auc or metric is average_precision:
        ordered = SortedScores(labels, scores)
        of_sorted = ordered.auc_of_sorted if metric is auc else ordered.average_precision_of_sorted
        sorted_codes = codes[ordered.order]
        return lambda counts: of_sorted(counts[sorted_codes])
    evaluate = partial(metric, labels, scores)
    return lambda counts: evaluate(counts[codes])


def _check(samples: int, confidence: float) -> None:
    if samples < 1:
        raise InvalidArgument(f"samples: {samples}, expected at least 1")
    if not 0 < confidence < 1:
        raise InvalidArgument(f"confidence: {confidence}, expected between 0 and 1, as 0.95")
