"""The items there are, and who has seen which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.records import Record
from feedmill.simulation.policies.protocol import Slate

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Impressions(NamedTuple):
    """What was seen, as columns of equal length, in order of time; users and items by their row on the shelf."""

    users: Int64s
    items: Int64s
    watched: Float32s
    """float32: shares of the items."""
    liked: Bools
    timestamps: Int64s
    """UTC milliseconds."""


class Shelf:
    """Gives each user and item that is told of a row, and remembers who has seen what: a byte for each pair."""

    def __init__(self) -> None:
        self._items: dict[str, int] = {}
        self._ids: list[str] = []
        self._users: dict[str, int] = {}
        self._seen: Bools = np.zeros((64, 1024), dtype=bool)

    @property
    def size(self) -> int:
        """How many items there are."""
        return len(self._ids)

    def observe(self, records: Sequence[Record]) -> Impressions:
        """Take in items and impressions."""
        users: list[int] = []
        items: list[int] = []
        watched: list[float] = []
        liked: list[bool] = []
        timestamps: list[int] = []
        for record in records:
            if record.kind == "item" and record.object not in self._items:
                self._items[record.object] = len(self._ids)
                self._ids.append(record.object)
            elif record.kind == "seen" and record.outcomes is not None:
                users.append(self._users.setdefault(record.subject, len(self._users)))
                items.append(self._items[record.object])
                watched.append(record.outcomes.get("watched", 0.0))
                liked.append(record.outcomes.get("like", 0.0) > 0)
                timestamps.append(record.timestamp)
        self._grow()
        self._seen[users, items] = True
        return Impressions(
            users=np.array(users, dtype=np.int64),
            items=np.array(items, dtype=np.int64),
            watched=np.array(watched, dtype=np.float32),
            liked=np.array(liked, dtype=bool),
            timestamps=np.array(timestamps, dtype=np.int64),
        )

    def rows(self, user_ids: Sequence[str]) -> Int64s:
        """int64 [b]: the rows of users; one who is new gets the next."""
        rows = np.array([self._users.setdefault(user_id, len(self._users)) for user_id in user_ids], dtype=np.int64)
        self._grow()
        return rows

    def best(
        self,
        users: Int64s,  # int64 [b]: rows
        scores: npt.NDArray[np.floating],  # [b, size] or [size]
        k: int,
    ) -> list[Slate]:
        """The k best that each user has not seen; fewer where there are not as many."""
        unseen = np.where(self._seen[users, : self.size], -np.inf, scores)
        k = min(k, self.size)
        top = np.argpartition(-unseen, k - 1, axis=1)[:, :k] if k else np.zeros((len(users), 0), dtype=np.int64)
        values = np.take_along_axis(unseen, top, axis=1)
        order = np.lexsort((top, -values), axis=1)
        top, values = np.take_along_axis(top, order, axis=1), np.take_along_axis(values, order, axis=1)
        return [Slate([self._ids[i] for i in row[keep]]) for row, keep in zip(top, np.isfinite(values), strict=True)]

    def _grow(self) -> None:
        rows, columns = self._seen.shape
        rows_needed, columns_needed = len(self._users), self.size
        if rows_needed > rows or columns_needed > columns:
            grown = np.zeros(
                (
                    2 * rows_needed if rows_needed > rows else rows,
                    2 * columns_needed if columns_needed > columns else columns,
                ),
                dtype=bool,
            )
            grown[:rows, :columns] = self._seen
            self._seen = grown
