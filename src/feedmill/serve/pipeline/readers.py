"""What the feed reads: the state that events fold into, and the models. Serving changes none of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.records import Scalar

Int32s = npt.NDArray[np.int32]
UInt16s = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]


class History(Protocol):
    """What a user did, newest first, m items."""

    @property
    def items(self) -> Int32s:
        """int32 [m]: ordinals."""
        ...

    @property
    def weights(self) -> Float32s:
        """float32 [m]: above 0 for positive actions, below 0 for negative ones."""
        ...

    @property
    def timestamps(self) -> Int64s:
        """int64 [m]: UTC milliseconds."""
        ...


@dataclass(frozen=True, slots=True)
class EmptyHistory:
    """The history of a user who has none."""

    items: Int32s
    weights: Float32s
    timestamps: Int64s


NO_HISTORY: History = EmptyHistory(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64))


class StateReader(Protocol):
    """What events change at once. Users and items are ordinals of the catalog, never negative."""

    def views(self, user: int, items: Int32s) -> UInt16s:
        """uint16 [n]: how often the user has been shown each item; 0 is never."""
        ...

    def hidden(self, user: int, items: Int32s) -> Bools:
        """bool [n]: the user has done something to the item that hides it."""
        ...

    def history(self, user: int) -> History:
        """The user's last positive and negative actions."""
        ...

    def neighbours(self, item: int, limit: int) -> tuple[Int32s, Float32s]:
        """int32 [k], float32 [k]: the items liked by those who liked this one, best first, and how strongly."""
        ...

    def popularity(self, now: int) -> Float32s:
        """float32 [items]: the decayed, smoothed engagement of every item."""
        ...

    def impressions(self, items: Int32s) -> npt.NDArray[np.uint32]:
        """uint32 [n]: how often each item has been shown, to all users."""
        ...

    def related(self, user_id: str, relation: str) -> frozenset[str]:
        """The ids that the user follows ("follow") or blocks ("block")."""
        ...


class Extractor(Protocol):
    """Makes the features that the ranker reads."""

    def extract(self, user: int, items: Int32s, now: int, context: dict[str, Scalar]) -> Features:
        """The features of n items for one user (-1: unknown)."""
        ...


class Ranker(Protocol):
    """Predicts every objective."""

    def predict(self, features: Features) -> Float32s:
        """float32 [n, O]: a column an objective, in the order of the configuration."""
        ...


class TwoTower(Protocol):
    """Users and items in one space, where an inner product says how well they fit."""

    @property
    def version(self) -> int:
        """Changes as the model learns."""
        ...

    def user_vector(self, user: int) -> Float32s:
        """float32 [d]."""
        ...

    def item_vectors(self, items: Int32s) -> Float32s:
        """float32 [n, d]."""
        ...
