"""What everybody watches lately."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.records import Record
from feedmill.simulation.policies.protocol import Slate
from feedmill.simulation.policies.shelf import Floats, Impressions, Shelf


class RecentShares:
    """The mean share that everybody watched of each item lately.

    Old evidence fades by half each `half_life` milliseconds. An item starts, with the weight of `prior` impressions,
    from `optimism` above the mean of all that was shown; so new items are tried before those that proved to be mean.
    """

    def __init__(self, half_life: int, prior: float, optimism: float) -> None:
        self._half_life = half_life
        self._prior = prior
        self._optimism = optimism
        self._watched = np.zeros(1024)
        self._shown = np.zeros(1024)
        self._as_of = 0

    def fade(self, now: int) -> None:
        """Move on to a time in UTC milliseconds; a time before the last one changes nothing."""
        factor = 0.5 ** (max(0, now - self._as_of) / self._half_life)
        self._watched *= factor
        self._shown *= factor
        self._as_of = max(now, self._as_of)

    def expected(self, size: int) -> Floats:
        """float64 [size]: what is expected to be watched of each of the first `size` items."""
        self._grow(size)
        shown = self._shown.sum()
        start = (self._watched.sum() / shown if shown else 0.5) + self._optimism
        shares: Floats = (self._watched[:size] + self._prior * start) / (self._shown[:size] + self._prior)
        return shares

    def add(self, impressions: Impressions) -> None:
        """Take in what was seen, as of the time last moved on to."""
        self._grow(int(impressions.items.max(initial=-1)) + 1)
        self._watched += np.bincount(impressions.items, impressions.watched, minlength=len(self._watched))
        self._shown += np.bincount(impressions.items, minlength=len(self._shown))

    def _grow(self, needed: int) -> None:
        if needed > len(self._shown):
            more = np.zeros(2 * needed - len(self._shown))
            self._watched = np.append(self._watched, more)
            self._shown = np.append(self._shown, more)


class Popularity:
    """Items that the user has not seen, by the share that everybody watched of them lately (`RecentShares`)."""

    def __init__(
        self, half_life: int = 8 * DAY, prior: float = 4.0, optimism: float = 0.05, name: str = "popularity"
    ) -> None:
        self.name = name
        self._shares = RecentShares(half_life, prior, optimism)
        self._shelf = Shelf()

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        self._shares.fade(now)
        return self._shelf.best(self._shelf.rows(user_ids), self._shares.expected(self._shelf.size), k)

    def observe(self, records: Sequence[Record]) -> None:
        self._shares.add(self._shelf.observe(records))
