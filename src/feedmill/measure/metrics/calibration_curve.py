"""Whether what is predicted with a probability of p happens in p of the cases, over the range of predictions."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.classification import columns


class CalibrationCurve(msgspec.Struct, frozen=True):
    """Means of bins of rows, by ascending prediction."""

    predicted: list[float]
    observed: list[float]
    rows: list[int]

    @property
    def error(self) -> float:
        """The mean distance between the two, weighed by rows: the expected calibration error (Naeini et al., 2015)."""
        total = sum(self.rows)
        parts = zip(self.predicted, self.observed, self.rows, strict=True)
        return sum(abs(p - o) * n for p, o, n in parts) / total if total else math.nan


def calibration_curve(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = 10) -> CalibrationCurve:
    """The curve of rows [n] in bins of about as many rows each; rows that predict the same share a bin."""
    if bins < 1:
        raise InvalidArgument(f"bins: {bins}, expected at least 1")
    positive, predicted = columns(labels, probabilities)
    if len(predicted) == 0:
        return CalibrationCurve([], [], [])
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)))
    codes = np.clip(np.searchsorted(edges, predicted, side="left") - 1, 0, max(len(edges) - 2, 0))
    rows = np.bincount(codes)
    used = rows > 0
    return CalibrationCurve(
        (np.bincount(codes, predicted)[used] / rows[used]).tolist(),
        (np.bincount(codes, positive)[used] / rows[used]).tolist(),
        rows[used].tolist(),
    )
