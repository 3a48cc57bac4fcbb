"""Progressive validation: every row is predicted before it is learned from, and judged in windows of time.

Source: Blum, Kalai and Langford, "Beating the hold-out" (1999).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.classification import BinaryMetrics, binary_metrics


class Window(msgspec.Struct, frozen=True):
    """The metrics of the rows of one window, by objective."""

    start: int
    """UTC milliseconds."""
    end: int
    """UTC milliseconds, exclusive."""
    rows: int
    objectives: dict[str, BinaryMetrics]


class ProgressiveMetrics:
    """Metrics by windows of equal length, from batches in log order.

    A window closes at the first row of a later one, and its rows are released: memory is that of one window, 12 bytes a
    row and objective. A row that comes late counts in the window that is open. Windows without rows are not reported.
    """

    def __init__(
        self,
        objectives: Sequence[str],
        length: int,  # milliseconds
        origin: int = 0,  # UTC milliseconds: where one window begins
    ) -> None:
        if length < 1:
            raise InvalidArgument(f"length: {length} ms, expected at least 1")
        self._objectives = tuple(objectives)
        self._length = length
        self._origin = origin
        self._open: int | None = None
        self._parts: list[tuple[Float32s, Float32s, Float32s]] = []
        self._closed: list[Window] = []

    def add(
        self,
        timestamps: Int64s,  # int64 [n]
        labels: Float32s,  # float32 [n, objectives]
        weights: Float32s,  # float32 [n, objectives], 0 where a row says nothing about an objective
        predictions: Float32s,  # float32 [n, objectives], made before the rows were learned from
    ) -> list[Window]:
        """Count a batch in; returns the windows that it closed."""
        shape = (len(timestamps), len(self._objectives))
        for name, column in (("labels", labels), ("weights", weights), ("predictions", predictions)):
            if column.shape != shape:
                raise InvalidArgument(f"{name}: shape {column.shape}, expected {shape}, [rows, objectives]")
        before = len(self._closed)
        if len(timestamps) == 0:
            return []
        # Log order decides: the running maximum puts a late row into the window that is open when it comes.
        numbers = np.maximum.accumulate((timestamps - self._origin) // self._length)
        if self._open is not None:
            numbers = np.maximum(numbers, self._open)
        starts: npt.NDArray[np.intp] = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
            number = int(numbers[start])
            if self._open is not None and number != self._open:
                self._close()
            self._open = number
            self._parts.append((labels[start:end].copy(), weights[start:end].copy(), predictions[start:end].copy()))
        return self._closed[before:]

    def finish(self) -> list[Window]:
        """Close the open window, and return all windows in order of time."""
        if self._open is not None:
            self._close()
            self._open = None
        return list(self._closed)

    def _close(self) -> None:
        assert self._open is not None
        labels, weights, predictions = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        start = self._origin + self._open * self._length
        by_objective = {
            name: binary_metrics(labels[:, i], predictions[:, i], weights[:, i])
            for i, name in enumerate(self._objectives)
        }
        self._closed.append(Window(start, start + self._length, len(labels), by_objective))
        self._parts.clear()
