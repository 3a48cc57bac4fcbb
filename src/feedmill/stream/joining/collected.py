"""Examples on their way out of the joiner: collected one by one, given as columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features
from feedmill.stream.joining.remembered import Impression, Packed
from feedmill.stream.joining.sampling import NegativeSampling
from feedmill.stream.state.state import State


class Collected:
    """Where the features of some examples are, their labels and their weights."""

    def __init__(self) -> None:
        self._sources: list[tuple[Features | Packed, int]] = []
        self._labels: list[list[float]] = []
        self._weights: list[list[float]] = []
        self._keys: list[tuple[int, int, int, int]] = []
        self._negative: list[bool] = []

    def add(
        self, impression: Impression, labels: list[float], weights: list[float], *, negative: bool = False
    ) -> None:  # fmt: skip
        """An example on the features of an impression; a label and a weight an objective. `negative`: nothing positive
        has followed, so that it may be left out."""
        self._sources.append((impression.features, impression.row))
        self._labels.append(labels)
        self._weights.append(weights)
        self._keys.append((impression.user, impression.item, impression.timestamp, impression.sequence))
        self._negative.append(negative)

    def examples(self, state: State, sampling: NegativeSampling) -> Examples:
        """All of them but the negatives that are not kept, in the order in which they were added."""
        objectives, catalog = len(state.reader.objectives), state.catalog
        keys = np.array(self._keys, dtype=np.int64).reshape(-1, 4)
        users, items = catalog.users.keys[keys[:, 0]], catalog.items.keys[keys[:, 1]]
        labels = np.array(self._labels, dtype=np.float32).reshape(-1, objectives)
        weights = np.array(self._weights, dtype=np.float32).reshape(-1, objectives)
        sources = self._sources
        if sampling.rate < 1:
            negative = np.array(self._negative, dtype=np.bool_)
            weights[negative] *= sampling.weights(users, items, keys[:, 3])[negative, None]
            kept = np.flatnonzero(weights.any(axis=1))
            keys, users, items = keys[kept], users[kept], items[kept]
            labels, weights = labels[kept], weights[kept]
            sources = [sources[row] for row in kept.tolist()]
        features = _gather(sources, state.native.dense_columns)
        return Examples(features, labels, weights, users, items, keys[:, 2].copy(), keys[:, 3].copy())


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
