"""What those who like the same things also like: the part that collaborative filters share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.records import Record
from feedmill.simulation.policies.history import History, Ratings
from feedmill.simulation.policies.popularity import RecentShares
from feedmill.simulation.policies.protocol import Slate
from feedmill.simulation.policies.shelf import Floats, Shelf


class Model(Protocol):
    """Learned from who consumed what."""

    def fit(self, ratings: Ratings) -> None:
        """Learn anew from all ratings, [users, items]; there are some."""
        ...

    def interest(self, ratings: Ratings) -> Floats:
        """float64 [b, items]: the interest of users with such ratings in each item that was there at the last `fit`."""
        ...


class Blend(msgspec.Struct, frozen=True):
    """How a model becomes a feed."""

    refresh: int
    """Milliseconds from one `fit` to the next."""
    weight: float
    """Of the interest beside the share that everybody watched of the item lately."""
    memory: int = 8 * DAY
    """Milliseconds in which what a user consumed counts by half."""
    half_life: int = 8 * DAY
    """Milliseconds in which the evidence on an item's share fades by half."""
    prior: float = 4.0
    """Impressions that an item's share starts from."""
    optimism: float = 0.05
    """How far above the mean it starts."""


class Collaborative:
    """Items that the user has not seen, by popularity (`RecentShares`) plus the interest that a model finds.

    A rating is the share that a user watched (1 where he or she liked the item) less what was expected of the item at
    that time. Interest is counted from its mean over the items that the model knows, so users and items that it does
    not know are judged by popularity alone.
    """

    def __init__(self, name: str, model: Model, blend: Blend) -> None:
        self.name = name
        self._model = model
        self._blend = blend
        self._shares = RecentShares(blend.half_life, blend.prior, blend.optimism)
        self._shelf = Shelf()
        self._history = History()
        self._known = 0
        self._next_fit = 0

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        self._refresh(now)
        self._shares.fade(now)
        users = self._shelf.rows(user_ids)
        scores = np.tile(self._shares.expected(self._shelf.size), (len(users), 1))
        if self._known:
            interest = self._model.interest(self._history.of(users, now, self._blend.memory, self._known))
            scores[:, : self._known] += self._blend.weight * (interest - interest.mean(axis=1, keepdims=True))
        return self._shelf.best(users, scores, k)

    def observe(self, records: Sequence[Record]) -> None:
        impressions = self._shelf.observe(records)
        liking = np.where(impressions.liked, 1.0, impressions.watched)
        expected = self._shares.expected(self._shelf.size)
        self._history.add(impressions, liking - expected[impressions.items])
        self._shares.add(impressions)

    def _refresh(self, now: int) -> None:
        if now < self._next_fit:
            return
        ratings = self._history.everybody(self._shelf.size)
        if ratings.nnz:
            self._model.fit(ratings)
            self._known = self._shelf.size
            self._next_fit = now + self._blend.refresh
