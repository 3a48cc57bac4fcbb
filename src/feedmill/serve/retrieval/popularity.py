"""How popular every item is, kept for some seconds and shared by the sources that ask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.stream.catalog.columns import Catalog


@dataclass(frozen=True, slots=True)
class _Standing:
    scores: Float32s
    best: Int32s


class Popularity:
    """The decayed engagement of all items, and the best of them."""

    POOL = 2_000
    """How many of the best are kept in order."""

    def __init__(self, catalog: Catalog, state: StateReader, refresh_seconds: float = 10.0) -> None:
        self._items = catalog.items
        self._state = state
        self._staleness = Staleness(refresh_seconds)
        self._standing = _Standing(np.empty(0, np.float32), np.empty(0, np.int32))

    def refresh(self, now: int) -> None:
        """Compute the standing again where that is due: O(items)."""
        items = self._items
        if not self._staleness.due(now, items.version, len(items)):
            return
        scores = self._state.popularity(now)
        n = min(len(scores), len(items))
        eligible = np.flatnonzero(items.servable[:n] & (items.expires_at[:n] > now)).astype(np.int32)
        self._standing = _Standing(scores, best(eligible, scores[eligible], items.created_at[eligible], self.POOL))

    def best(self, count: int) -> Int32s:
        """int32 [k]: up to `count` servable items, most popular first, newest first among equals."""
        return self._standing.best[:count]

    def of(self, items: Int32s) -> Float32s:
        """float32 [n]: 0 for items that were not there when it was computed."""
        scores = self._standing.scores
        if not len(scores):
            return np.zeros(len(items), np.float32)
        return np.where(items < len(scores), scores[np.minimum(items, len(scores) - 1)], np.float32(0))


def best(
    items: Int32s,  # int32 [n]
    scores: Float32s,  # float32 [n]
    created_at: np.ndarray[tuple[int, ...], np.dtype[np.int64]],  # int64 [n]
    count: int,
) -> Int32s:
    """The `count` items with the highest scores, in order; the newer, then the later ordinal, first among equals."""
    if len(items) > count:
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
        ahead = scores >= threshold
        items, scores, created_at = items[ahead], scores[ahead], created_at[ahead]
    # Not -created_at: the smallest int64, which stands for "unknown", has no negative.
    return items[np.lexsort((items, created_at, scores))[::-1][:count]]
