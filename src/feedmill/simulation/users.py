"""Who lives in the world: what stays with a user, and the tastes that drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.records import User
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.items import STYLES
from feedmill.simulation.topics import TOPICS

AGE_GROUPS = ("under 25", "25 to 50", "over 50")
LOVED, UNLOVED = 1.0, -0.7
"""Probits of the average loved topic and of the average other."""
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 5, 4, 4, 5, 7, 6, 5, 5, 5, 6, 8, 10, 11, 11, 8, 4], dtype=np.float64)
HOURS /= HOURS.mean()
"""float64 [24]: how often feeds are opened by hour of the day (UTC), 1 on average."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users in order of joining. What stands only here, and not in `bodies`, is hidden from every policy."""

    ids: tuple[str, ...]
    bodies: tuple[User, ...]
    joined_at: Int64s
    """int64 [n], ascending; before the world's start for those who are there from the beginning."""
    activity: Float32s
    """float32 [n]: feeds opened a day."""
    patience: Float32s
    """float32 [n]: the chance to go on to the next item."""
    styles: Float32s
    """float32 [n, STYLES]: how each dimension of an author's manner is liked."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class Tastes:
    """How much each user likes each topic now. An Ornstein-Uhlenbeck walk around a long-term taste, with jumps."""

    now: Float32s
    """float32 [n, topics]: probits."""
    home: Float32s
    """float32 [n, topics]: what `now` walks back to; a jump moves it too."""
    loved: npt.NDArray[np.bool_]
    """bool [n, topics]."""

    def copy(self) -> Tastes:
        return Tastes(self.now.copy(), self.home.copy(), self.loved.copy())

    def drift(self, config: WorldConfig, alive: npt.NDArray[np.bool_], generator: np.random.Generator) -> None:
        """Walk one step, in place, for the users of `alive` (bool [n]); the draws do not depend on it."""
        days = config.step / DAY
        noise = generator.standard_normal(self.now.shape, dtype=np.float32) * np.float32(config.drift * np.sqrt(days))
        move = np.float32(config.return_rate * days) * (self.home - self.now) + noise
        self.now += np.where(alive[:, None], move, np.float32(0))
        jumps = generator.random(len(self.now)) < -np.expm1(-config.jumps_per_day * days)
        chance = generator.random(self.now.shape, dtype=np.float32)
        able = self.loved.any(axis=1) & ~self.loved.all(axis=1)
        rows = np.flatnonzero(jumps & alive & able)
        dropped = np.where(self.loved[rows], chance[rows], -1).argmax(axis=1)
        taken = np.where(self.loved[rows], -1, chance[rows]).argmax(axis=1)
        for column in (self.now, self.home, self.loved):
            column[rows, dropped], column[rows, taken] = column[rows, taken], column[rows, dropped]


def draw_demand(generator: np.random.Generator) -> Float32s:
    """How popular each topic is in each age group: float32 [age groups, topics], rows that sum to 1."""
    ranks = generator.permutation(len(TOPICS))
    general = (ranks + 2.0) ** -0.9
    demand = general * generator.lognormal(0, 0.6, size=(len(AGE_GROUPS), len(TOPICS)))
    shares: Float32s = (demand / demand.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def make_users(config: WorldConfig, demand: Float32s, generator: np.random.Generator) -> tuple[Users, Tastes]:
    """Users, each with two to four loved topics, drawn from the demand of their age group."""
    n, n_topics = config.users, len(TOPICS)
    n_late = round(n * config.late_users)
    joined = np.concatenate(
        [
            config.start - generator.integers(1, 30 * DAY, size=n - n_late),
            config.start + generator.integers(0, max(1, config.days * DAY * 3 // 4), size=n_late),
        ]
    )
    joined.sort()
    groups = generator.integers(0, len(AGE_GROUPS), size=n)
    # Gumbel noise and a sort draw topics without replacement, in proportion to demand (Vieira, 2014).
    keys = np.log(demand[groups]) + generator.gumbel(size=(n, n_topics))
    places = (-keys).argsort(axis=1).argsort(axis=1)
    loved = places < generator.integers(2, 5, size=n)[:, None]
    spread = generator.normal(0, 0.3, size=(n, n_topics))
    home = (np.where(loved, LOVED, UNLOVED) + spread).astype(np.float32)

    activity = generator.lognormal(-0.18, 0.6, size=n)
    patience = 1 - (1 - config.patience) * generator.lognormal(-0.125, 0.5, size=n)
    declares = generator.random(n) < config.declare_interests
    bodies = tuple(
        User(
            created_at=int(joined[i]),
            interests=tuple(TOPICS[t].name for t in np.flatnonzero(loved[i])[:2]) if declares[i] else (),
            attributes={"age_group": AGE_GROUPS[groups[i]]},
        )
        for i in range(n)
    )
    users = Users(
        ids=tuple(f"user-{i:04d}" for i in range(n)),
        bodies=bodies,
        joined_at=joined.astype(np.int64),
        activity=(config.feeds_per_day * activity).astype(np.float32),
        patience=patience.clip(0, 1).astype(np.float32),
        styles=generator.normal(size=(n, STYLES)).astype(np.float32),
    )
    return users, Tastes(home.copy(), home, loved)
