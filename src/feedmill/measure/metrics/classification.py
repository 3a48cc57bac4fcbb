"""Metrics of predicted probabilities against binary labels."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument

Floats = npt.NDArray[np.floating]
Float64s = npt.NDArray[np.float64]


class BinaryMetrics(msgspec.Struct, frozen=True):
    """The metrics of one objective over some rows; NaN where a metric is not defined on them."""

    rows: int
    positives: int
    auc: float
    log_loss: float
    calibration: float


class SortedScores:
    """Labels in the order of their scores, so that each AUC under other weights costs O(n), without a sort."""

    def __init__(self, labels: npt.ArrayLike, scores: npt.ArrayLike) -> None:
        positive, score = columns(labels, scores)
        self.order: npt.NDArray[np.intp] = np.argsort(score, kind="stable")
        """intp [n]: the rows by ascending score."""
        ordered = score[self.order]
        self._positive = positive[self.order]
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]]))
        self._ties = starts if len(starts) < len(ordered) else None

    def sort(self, weights: npt.ArrayLike | None = None) -> Float64s:
        """float64 [n]: row weights in the order of `order`; None: 1 each."""
        if weights is None:
            return np.ones(len(self.order))
        weight = np.asarray(weights, dtype=np.float64)
        if weight.shape != self.order.shape:
            raise InvalidArgument(f"weights: shape {weight.shape}, expected {self.order.shape}, one weight a row")
        return weight[self.order]

    def auc_of_sorted(self, weights: Float64s) -> float:
        """The AUC under weights in the order of `order`; NaN where one class has none."""
        positive = weights * self._positive
        negative = weights - positive
        if self._ties is not None:
            positive = np.add.reduceat(positive, self._ties)
            negative = np.add.reduceat(negative, self._ties)
        below = np.cumsum(negative)
        pairs = float(positive.sum()) * float(below[-1]) if len(below) else 0.0
        if pairs == 0:
            return math.nan
        return float(positive @ (below - 0.5 * negative)) / pairs

    def average_precision_of_sorted(self, weights: Float64s) -> float:
        """The area under precision over recall, under weights in the order of `order`; NaN without positives."""
        positive = weights * self._positive
        if self._ties is not None:
            positive = np.add.reduceat(positive, self._ties)
            weights = np.add.reduceat(weights, self._ties)
        gained = positive[::-1]
        hits, taken = np.cumsum(gained), np.cumsum(weights[::-1])
        total = float(hits[-1]) if len(hits) else 0.0
        if total <= 0:
            return math.nan
        precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
        return float(gained @ precision) / total


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The probability that a positive scores above a negative, ties counting one half; O(n log n).

    `labels` [n] are positive where above 0. NaN where only one class is there.

    >>> auc([0, 1, 1, 0], [0.1, 0.4, 0.35, 0.35])
    0.875
    """
    ordered = SortedScores(labels, scores)
    return ordered.auc_of_sorted(ordered.sort(weights))


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The mean negative log-likelihood in nats; NaN without rows.

    Probabilities are kept one machine epsilon of their own type away from 0 and 1.
    """
    positive, predicted = columns(labels, probabilities)
    if len(predicted) == 0:
        return math.nan
    epsilon = float(np.finfo(predicted.dtype).eps)
    likelihood = np.clip(np.where(positive, predicted, 1 - predicted).astype(np.float64), epsilon, 1 - epsilon)
    return _mean(-np.log(likelihood), weights)


def calibration(labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """How many positives were predicted for each one observed: 1 is right, 2 twice too many; NaN without positives."""
    positive, predicted = columns(labels, probabilities)
    observed = _mean(positive, weights)
    return _mean(predicted, weights) / observed if observed > 0 else math.nan


def binary_metrics(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> BinaryMetrics:
    """All metrics of this file over the rows with a weight; one below 0 takes back a row that was counted before."""
    positive, predicted = columns(labels, probabilities)
    weight = np.ones(len(positive)) if weights is None else np.asarray(weights, dtype=np.float64)
    used = weight != 0
    positive, predicted, weight = positive[used], predicted[used], weight[used]
    counted = np.sign(weight)
    return BinaryMetrics(
        rows=int(counted.sum()),
        positives=int(counted[positive].sum()),
        auc=auc(positive, predicted, weight),
        log_loss=log_loss(positive, predicted, weight),
        calibration=calibration(positive, predicted, weight),
    )


def columns(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
    """bool [n], whether a row is positive, and float [n]; raises InvalidArgument for what cannot be compared."""
    positive = np.asarray(labels) > 0
    score = np.asarray(scores)
    if not np.issubdtype(score.dtype, np.floating):
        score = score.astype(np.float64)
    if positive.ndim != 1 or positive.shape != score.shape:
        raise InvalidArgument(f"labels and scores: shapes {positive.shape} and {score.shape}, expected [n] and [n]")
    if np.isnan(score).any():
        raise InvalidArgument("scores: NaN cannot be ranked; predict a number for every row")
    return positive, score


def _mean(values: npt.NDArray[np.bool_] | Floats, weights: npt.ArrayLike | None) -> float:
    if weights is None:
        return float(np.mean(values, dtype=np.float64)) if len(values) else math.nan
    weight = np.asarray(weights, dtype=np.float64)
    total = float(weight.sum())
    return float(values.astype(np.float64) @ weight) / total if total > 0 else math.nan
