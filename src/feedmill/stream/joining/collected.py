"""Examples on their way out of the joiner: collected one by one, given as columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features
from feedmill.stream.joining.remembered import Impression, Packed
from feedmill.stream.state.state import State


class Collected:
    """Where the features of some examples are, their labels and their weights."""

    def __init__(self) -> None:
        self._sources: list[tuple[Features | Packed, int]] = []
        self._labels: list[list[float]] = []
        self._weights: list[list[float]] = []
        self._keys: list[tuple[int, int, int, int]] = []

    def add(self, impression: Impression, labels: list[float], weights: list[float]) -> None:
        """An example on the features of an impression; a label and a weight an objective."""
        self._sources.append((impression.features, impression.row))
        self._labels.append(labels)
        self._weights.append(weights)
        self._keys.append((impression.user, impression.item, impression.timestamp, impression.sequence))

    def examples(self, state: State) -> Examples:
        """All of them, in the order in which they were added."""
        objectives, catalog = len(state.reader.objectives), state.catalog
        keys = np.array(self._keys, dtype=np.int64).reshape(-1, 4)
        return Examples(
            _gather(self._sources, state.native.dense_columns),
            np.array(self._labels, dtype=np.float32).reshape(-1, objectives),
            np.array(self._weights, dtype=np.float32).reshape(-1, objectives),
            catalog.users.keys[keys[:, 0]], catalog.items.keys[keys[:, 1]], keys[:, 2].copy(), keys[:, 3].copy(),
        )  # fmt: skip


def _gather(sources: list[tuple[Features | Packed, int]], dense_columns: int) -> Features:
    """Rows of several batches as one, in order; one copy for each run of rows of the same batch."""
    parts: list[Features] = []
    start = 0
    while start < len(sources):
        batch = sources[start][0]
        end = start
        while end < len(sources) and sources[end][0] is batch:
            end += 1
        rows: npt.NDArray[np.intp] = np.array([row for _, row in sources[start:end]], dtype=np.intp)
        features = batch.unpack() if isinstance(batch, Packed) else batch
        parts.append(features.take(rows))
        start = end
    if not parts:
        return Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, dense_columns), np.float32))
    return Features.concatenate(parts)
