"""Metrics of decisions: scores cut at a threshold, and the area under precision over recall, which is over all cuts."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.classification import SortedScores, columns

Float64s = npt.NDArray[np.float64]


class Confusion(msgspec.Struct, frozen=True):
    """What is decided when everything with a score of at least `threshold` is taken for positive."""

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """The share of what was taken for positive that was; NaN where nothing was taken."""
        taken = self.true_positives + self.false_positives
        return self.true_positives / taken if taken else math.nan

    @property
    def recall(self) -> float:
        """The share of the positives that was taken; NaN without positives."""
        positives = self.true_positives + self.false_negatives
        return self.true_positives / positives if positives else math.nan

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; NaN where neither is defined."""
        weighed = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / weighed if weighed else math.nan


def confusion_at(threshold: float, labels: npt.ArrayLike, scores: npt.ArrayLike) -> Confusion:
    """The confusion matrix of rows [n] at a threshold.

    >>> confusion_at(0.5, [1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]).f1
    0.5
    """
    positive, score = columns(labels, scores)
    taken = score >= threshold
    return Confusion(
        threshold=threshold,
        true_positives=int((taken & positive).sum()),
        false_positives=int((taken & ~positive).sum()),
        true_negatives=int((~taken & ~positive).sum()),
        false_negatives=int((~taken & positive).sum()),
    )


def best_threshold(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The score at which cutting gives the highest F1 on these rows; choose it on rows that do not judge it.

    Of equally good ones the highest. Raises InvalidArgument without positives.
    """
    hits, taken, cuts = _cumulative(labels, scores)
    if not len(hits) or hits[-1] == 0:
        raise InvalidArgument("labels: no positive row, expected at least one to choose a threshold by")
    return float(cuts[np.argmax(2 * hits / (taken + hits[-1]))])


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The area under precision over recall, as a sum of steps without interpolation; NaN without positives.

    Rows [n] that tie are taken together. Davis and Goadrich (2006) say why steps and not lines; O(n log n).
    """
    ordered = SortedScores(labels, scores)
    return ordered.average_precision_of_sorted(ordered.sort(weights))


def _cumulative(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Float64s, Float64s, npt.NDArray[np.floating]]:
    """For each distinct score from the highest down: the positives and rows with at least it, and the score."""
    positive, score = columns(labels, scores)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-np.inf) != 0) if len(order) else np.zeros(0, np.intp)
    return np.cumsum(positive[order], dtype=np.float64)[last], (last + 1).astype(np.float64), score[order][last]
