"""How well each objective was predicted, binary or regressed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Float32s
from feedmill.domain.clock import format_time
from feedmill.domain.objectives import Objective
from feedmill.measure.metrics.classification import BinaryMetrics, binary_metrics


class ValueMetrics(msgspec.Struct, frozen=True):
    """How well a regressed objective was predicted; None where there are no rows."""

    rows: int
    mean_squared_error: float | None
    mean_absolute_error: float | None


ObjectiveMetrics = BinaryMetrics | ValueMetrics


def objective_metrics(
    objectives: Mapping[str, Objective],  # O of them
    labels: Float32s,  # float32 [n, O]
    predictions: Float32s,  # float32 [n, O]
    weights: Float32s,  # float32 [n, O], as in `Examples`
) -> dict[str, ObjectiveMetrics]:
    """The metrics of every objective over the rows that say something about it, weighted."""
    return {
        name: binary_metrics(labels[:, index], predictions[:, index], weights[:, index])
        if objective.kind == "binary"
        else value_metrics(labels[:, index], predictions[:, index], weights[:, index])
        for index, (name, objective) in enumerate(objectives.items())
    }


def value_metrics(labels: Float32s, predictions: Float32s, weights: Float32s) -> ValueMetrics:
    """The mean errors of predicted values; a weight below 0 takes back a row that was counted before."""
    error, weight = (predictions - labels).astype(np.float64), weights.astype(np.float64)
    rows, total = int(np.sign(weight).sum()), float(weight.sum())
    if total <= 0:
        return ValueMetrics(rows, None, None)
    return ValueMetrics(rows, float(error * error @ weight) / total, float(np.abs(error) @ weight) / total)


class RecentMetrics(msgspec.Struct, frozen=True):
    """The metrics of the last examples that were predicted, each before it was learned."""

    rows: int
    first: str | None
    """When the oldest of them happened, ISO 8601."""
    last: str | None
    objectives: dict[str, ObjectiveMetrics]


class Recent:
    """The last examples of a run, about `rows` of them, with what was predicted for each."""

    COLUMNS = ("labels", "weights", "timestamps")

    def __init__(self, objectives: Mapping[str, Objective], rows: int = 20_000) -> None:
        self._objectives = objectives
        self._most = rows
        self._steps: deque[tuple[npt.NDArray[Any], ...]] = deque()
        self._rows = 0

    def add(self, examples: Examples, predictions: Float32s) -> None:
        """Take what a step predicted, float32 [n, O], and let go of steps that are no longer among the last."""
        if len(examples) == 0:
            return
        # The columns, not the examples: their features take a hundred times as much memory.
        self._steps.append((predictions, *(getattr(examples, name) for name in self.COLUMNS)))
        self._rows += len(examples)
        while self._rows - len(self._steps[0][0]) >= self._most:
            self._rows -= len(self._steps.popleft()[0])

    def metrics(self) -> RecentMetrics:
        """Cost: a sort of the rows for each objective, some milliseconds."""
        if not self._steps:
            return RecentMetrics(0, None, None, {})
        predictions, labels, weights, timestamps = (np.concatenate(parts) for parts in zip(*self._steps, strict=True))
        return RecentMetrics(
            len(labels),
            format_time(int(timestamps.min())),
            format_time(int(timestamps.max())),
            objective_metrics(self._objectives, labels, predictions, weights),
        )

    def summary(self) -> str:
        """The AUC of each binary objective, in short, for a bar of progress."""
        found = self.metrics().objectives.items()
        return "  ".join(
            f"{name} {metrics.auc:.3f}"
            for name, metrics in found
            if isinstance(metrics, BinaryMetrics) and metrics.auc == metrics.auc
        )
