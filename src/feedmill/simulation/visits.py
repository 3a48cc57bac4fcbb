"""When users come: by habit, by the hour, and by how the feed has treated them."""

from __future__ import annotations

import copy

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY, HOUR
from feedmill.simulation.behaviour import Bools
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.noise import Channel, Draws
from feedmill.simulation.users import Users

HOURS = np.array(
    [4, 2.5, 1.5, 1, 1, 1.5, 3, 4, 4.5, 5, 5.5, 6, 7, 6.5, 6, 6, 6.5, 7, 7, 7.5, 8, 8, 7.5, 6.5], dtype=np.float64
)
HOURS /= HOURS.mean()
"""float64 [24]: how often feeds are opened by hour of the day (UTC), 1 on average."""
ALMOST_SURE = 0.98
"""The largest chance to come on a day."""


class Visits:
    """Whether users feel like coming. The satisfaction of a user is what was watched beyond expectation: a fading mean
    over the items of all sessions."""

    def __init__(self, config: WorldConfig, users: Users) -> None:
        n = len(users)
        self._config = config
        self._users = users
        self.satisfaction: Float32s = np.zeros(n, dtype=np.float32)
        """float32 [n]: watched share above or below what was expected."""
        self.expectation: Float32s = users.hope.copy()
        """float32 [n]: the watched share that a user expects; it slowly moves to what is found."""
        self.today: Bools = np.zeros(n, dtype=bool)
        """bool [n]: whether this is a day on which the user comes."""
        self.opened_at: Int64s = np.full(n, config.start - 365 * DAY, dtype=np.int64)
        """int64 [n]: UTC milliseconds of the last visit; long ago where there was none."""

    def copy(self) -> Visits:
        twin = copy.copy(self)
        twin.satisfaction, twin.expectation = self.satisfaction.copy(), self.expectation.copy()
        twin.today, twin.opened_at = self.today.copy(), self.opened_at.copy()
        return twin

    @property
    def pull(self) -> Float32s:
        """float32 [n]: the factor by which satisfaction scales visits."""
        config = self._config
        factor: Float32s = np.exp(np.float32(config.loyalty) * self.satisfaction)
        return factor.clip(config.least_visits, config.most_visits)

    def fade(self, milliseconds: int) -> None:
        self.satisfaction *= np.float32(0.5 ** (milliseconds / self._config.satisfaction_half_life))

    def opens(self, now: int, number: int, free: Bools, joined: Int64s, draws: Draws) -> Int64s:
        """int64: who opens the feed in the step of a number that ends now, of those who are free (bool [n]). Who has
        just joined always does."""
        users, config = self._users, self._config
        everybody = np.arange(len(users))
        pull = self.pull
        comes = np.minimum(users.habit * pull, ALMOST_SURE)
        # The step that ends at midnight is the last of the day before.
        last = now - 1
        if number == 0 or last // DAY != (last - config.step) // DAY:
            self.today = draws.uniform(Channel.DAY, everybody, last // DAY) < comes
        # Where days cannot become more frequent, visits within them do: on average there are activity x pull a day.
        rate = users.activity * pull / comes * (HOURS[last % DAY // HOUR] * config.step / DAY)
        opens = self.today & (draws.uniform(Channel.OPEN, everybody, number) < -np.expm1(-rate))
        news = joined[users.joined_at[joined] >= config.start]
        self.today[news] = True
        opens[news] = True
        arrivals = np.flatnonzero(opens & free)
        self.opened_at[arrivals] = now
        return arrivals

    def judge(self, users: Int64s, watched: Float32s, seen: Int64s, k: int) -> None:
        """Take in one page each: the watched shares (float32 [b], summed) of `seen` items (int64 [b]). A page with
        nothing to see counts as k items of which nothing was watched."""
        weight = np.where(seen > 0, seen, k).astype(np.float32)
        went = watched / weight
        surprise = went - self.expectation[users]
        kept = np.float32(1 - self._config.impression_weight) ** weight
        self.satisfaction[users] = kept * self.satisfaction[users] + (1 - kept) * surprise
        self.expectation[users] += (1 - np.float32(1 - self._config.habituation) ** weight) * surprise
