"""Batches are columns: what is shown, read and learned travels as arrays, never as a list of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.ids import UInt64s

Float32s = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Features:
    """The features of n rows under one schema of S slots and D dense columns."""

    ids: UInt64s
    """uint64 [m]: the feature ids of all bags, row after row, within a row slot after slot."""
    offsets: Int64s
    """int64 [n * S + 1]: bag b holds ids[offsets[b]:offsets[b + 1]]; bag = row * S + slot."""
    dense: Float32s
    """float32 [n, D]."""

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: npt.NDArray[np.intp]) -> Features:
        """The features of some rows, in the order given; copies them."""
        n = len(self)
        if n == 0:
            return self
        slots = (len(self.offsets) - 1) // n
        bags = (np.asarray(rows, dtype=np.int64)[:, None] * slots + np.arange(slots)).ravel()
        lengths = self.offsets[bags + 1] - self.offsets[bags]
        offsets = np.zeros(len(bags) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        source = np.arange(offsets[-1]) + np.repeat(self.offsets[bags] - offsets[:-1], lengths)
        return Features(self.ids[source], offsets, self.dense[rows])

    @staticmethod
    def concatenate(parts: list[Features]) -> Features:
        """The rows of all parts, in order; the parts share one schema, and there is at least one."""
        if len(parts) == 1:
            return parts[0]
        offsets = [parts[0].offsets]
        start = parts[0].offsets[-1]
        for part in parts[1:]:
            offsets.append(part.offsets[1:] + start)
            start = start + part.offsets[-1]
        return Features(
            np.concatenate([part.ids for part in parts]),
            np.concatenate(offsets),
            np.concatenate([part.dense for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """n rows to learn from."""

    features: Features
    labels: Float32s
    """float32 [n, O], a column an objective, in the order of the configuration."""
    weights: Float32s
    """float32 [n, O]: 0 where a row says nothing about an objective; below 0 where it takes back what another said."""
    users: UInt64s
    """uint64 [n]: keys."""
    items: UInt64s
    """uint64 [n]: keys."""
    timestamps: Int64s
    """int64 [n]: UTC milliseconds of the impression."""
    sequence: Int64s
    """int64 [n]: how many rows were folded before the row."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.intp]) -> Examples:
        """Some rows, in the order given; copies them."""
        return Examples(
            self.features.take(rows), self.labels[rows], self.weights[rows], self.users[rows], self.items[rows],
            self.timestamps[rows], self.sequence[rows],
        )  # fmt: skip

    @staticmethod
    def concatenate(parts: list[Examples]) -> Examples:
        """The rows of all parts, in order; the parts share one schema and objectives, and there is at least one."""
        columns = ("labels", "weights", "users", "items", "timestamps", "sequence")
        return Examples(
            Features.concatenate([part.features for part in parts]),
            *(np.concatenate([getattr(part, name) for part in parts]) for name in columns),
        )
