"""Who fills the feeds: the protocol, and the policies to measure others against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.records import Record
from feedmill.simulation.world import World

Bools = npt.NDArray[np.bool_]


class Slate(NamedTuple):
    """One feed."""

    items: Sequence[str]
    """Item ids, best first; at most as many as were asked for."""
    request_id: str = ""
    """Returned with what the user did, on the `request_id` of the records."""


class Policy(Protocol):
    """Fills feeds, and is told what came of them. It sees what an application would send, and nothing else."""

    @property
    def name(self) -> str: ...

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> Sequence[Slate]:
        """A feed of up to `k` items for each user; `now` is in UTC milliseconds."""
        ...

    def observe(self, records: Sequence[Record]) -> None:
        """Records in the order of their time: items, users, and what was seen in this policy's own feeds."""
        ...


class Random:
    """Items that the user has not seen, by chance."""

    name = "random"

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._shelf = _Shelf()

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        unseen = self._shelf.unseen(user_ids)
        scores = self._generator.random(unseen.shape, dtype=np.float32)
        return self._shelf.best(np.where(unseen, scores, -np.inf), k)

    def observe(self, records: Sequence[Record]) -> None:
        self._shelf.observe(records)


class Popularity:
    """Items that the user has not seen, by the mean share that everybody watched of them lately.

    Old evidence fades by half each `half_life` milliseconds. An item starts from the mean of all that was shown, with
    the weight of `prior` impressions; so new items are tried once those above the mean have been seen.
    """

    name = "popularity"

    def __init__(self, half_life: int = 4 * DAY, prior: float = 8.0) -> None:
        self._half_life = half_life
        self._prior = prior
        self._shelf = _Shelf()
        self._watched = np.zeros(0)
        self._shown = np.zeros(0)
        self._as_of = 0

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        self._fade(now)
        shown = self._shown.sum()
        mean = self._watched.sum() / shown if shown else 0.5
        score = (self._watched + self._prior * mean) / (self._shown + self._prior)
        return self._shelf.best(np.where(self._shelf.unseen(user_ids), score, -np.inf), k)

    def observe(self, records: Sequence[Record]) -> None:
        rows, watched = self._shelf.observe(records)
        missing = self._shelf.size - len(self._shown)
        self._watched = np.append(self._watched, np.zeros(missing))
        self._shown = np.append(self._shown, np.zeros(missing))
        np.add.at(self._watched, rows, watched)
        np.add.at(self._shown, rows, 1)

    def _fade(self, now: int) -> None:
        factor = 0.5 ** (max(0, now - self._as_of) / self._half_life)
        self._watched *= factor
        self._shown *= factor
        self._as_of = max(now, self._as_of)


class Oracle:
    """What knows the world's hidden tastes: the yardstick that no policy can pass (`World.oracle`)."""

    name = "oracle"

    def __init__(self, world: World) -> None:
        self._world = world
        self._index = {user_id: i for i, user_id in enumerate(world.users.ids)}

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        users = np.array([self._index[user_id] for user_id in user_ids], dtype=np.int64)
        ids = self._world.items.ids
        return [Slate([ids[i] for i in row if i >= 0]) for row in self._world.oracle(users, k).tolist()]

    def observe(self, records: Sequence[Record]) -> None:
        """Nothing: it knows already."""


class _Shelf:
    """The items there are, and who has seen which."""

    def __init__(self) -> None:
        self._items: dict[str, int] = {}
        self._ids: list[str] = []
        self._users: dict[str, int] = {}
        self._seen: Bools = np.zeros((64, 1024), dtype=bool)

    @property
    def size(self) -> int:
        return len(self._ids)

    def observe(self, records: Sequence[Record]) -> tuple[Int64s, Float32s]:
        """Take in items and impressions; returns the rows seen, int64 [m], and the shares watched, float32 [m]."""
        rows: list[int] = []
        users: list[int] = []
        watched: list[float] = []
        for record in records:
            if record.kind == "item" and record.object not in self._items:
                self._items[record.object] = len(self._ids)
                self._ids.append(record.object)
            elif record.kind == "seen" and record.outcomes is not None:
                rows.append(self._items[record.object])
                users.append(self._users.setdefault(record.subject, len(self._users)))
                watched.append(record.outcomes.get("watched", 0.0))
        self._grow()
        self._seen[users, rows] = True
        return np.array(rows, dtype=np.int64), np.array(watched, dtype=np.float32)

    def unseen(self, user_ids: Sequence[str]) -> Bools:
        """bool [b, size]."""
        users = [self._users.setdefault(user_id, len(self._users)) for user_id in user_ids]
        self._grow()
        return ~self._seen[users, : self.size]

    def best(self, scores: npt.NDArray[np.floating], k: int) -> list[Slate]:
        """The k best of each row of scores [b, size]; -inf where an item may not be shown."""
        order = (-scores).argsort(axis=1, kind="stable")[:, :k]
        shown = np.isfinite(np.take_along_axis(scores, order, axis=1))
        return [Slate([self._ids[i] for i in row[keep]]) for row, keep in zip(order, shown, strict=True)]

    def _grow(self) -> None:
        rows, columns = self._seen.shape
        rows_needed, columns_needed = len(self._users), self.size
        if rows_needed > rows or columns_needed > columns:
            grown = np.zeros((max(rows, 2 * rows_needed), max(columns, 2 * columns_needed)), dtype=bool)
            grown[:rows, :columns] = self._seen
            self._seen = grown
