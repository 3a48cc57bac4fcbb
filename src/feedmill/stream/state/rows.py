"""Rows: what a run of records did, as columns that the native fold reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s

Int32s = npt.NDArray[np.int32]


class RowKind(IntEnum):
    """What a row says."""

    IMPRESSION = 0
    """An item was seen; what the user does with it comes later."""
    JOINED = 1
    """An item was seen, and the row carries what the user did with it."""
    ACTION = 2
    """A user did something to an item."""
    EXAMPLE_ACTION = 3
    """The same, and it is an example of its own where no impression is known to which it belongs."""
    DRAWN = 4
    """An item drawn at random, that the following action is set against. Nobody saw it; it counts as an impression in
    rates, because without any a log of likes alone has only rates of 1."""


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows in log order."""

    users: Int32s
    """int32 [n]: ordinals of the catalog."""
    items: Int32s
    """int32 [n]: ordinals of the catalog."""
    timestamps: Int64s
    """int64 [n]: UTC milliseconds."""
    flags: npt.NDArray[np.uint8]
    """uint8 [n]: what the row does to the state (`_native.SHOWN` and its siblings)."""
    labels: Float32s
    """float32 [n, O]: the labels of what the row itself reports."""
    weights: Float32s
    """float32 [n]: 1 liked, -1 disliked, 0 neither."""
    kinds: npt.NDArray[np.uint8]
    """uint8 [n]: RowKind."""
    records: Int32s
    """int32 [n]: which record of the batch the row comes from."""
    sequence: Int64s
    """int64 [n]: how many rows were folded before this one."""

    def __len__(self) -> int:
        return len(self.users)


@dataclass(slots=True)
class RowBuilder:
    """Collects rows one by one."""

    users: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    labels: list[list[float]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    context: list[list[int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.users)

    def add(
        self, kind: RowKind, record: int, user: int, item: int, timestamp: int, flags: int, labels: list[float],
        weight: float, context: list[int],
    ) -> None:  # fmt: skip
        self.kinds.append(kind)
        self.records.append(record)
        self.users.append(user)
        self.items.append(item)
        self.timestamps.append(timestamp)
        self.flags.append(flags)
        self.labels.append(labels)
        self.weights.append(weight)
        self.context.append(context)

    def build(self, first: int, objectives: int) -> Rows:
        """The rows as columns; `first` rows were folded before them."""
        n = len(self)
        return Rows(
            users=np.array(self.users, dtype=np.int32),
            items=np.array(self.items, dtype=np.int32),
            timestamps=np.array(self.timestamps, dtype=np.int64),
            flags=np.array(self.flags, dtype=np.uint8),
            labels=np.array(self.labels, dtype=np.float32).reshape(n, objectives),
            weights=np.array(self.weights, dtype=np.float32),
            kinds=np.array(self.kinds, dtype=np.uint8),
            records=np.array(self.records, dtype=np.int32),
            sequence=np.arange(first, first + n, dtype=np.int64),
        )
