"""Who lives in the world: what stays with a user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.records import User
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.creators import STYLES
from feedmill.simulation.tastes import DAYPARTS, Tastes
from feedmill.simulation.topics import TOPICS

AGE_GROUPS = ("under 25", "25 to 50", "over 50")
SHARED_MOOD = 0.4
"""The part of the variance of moods that is common to all users: the world's mornings and evenings."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users in order of joining. What stands only here, and not in `bodies`, is hidden from every policy."""

    ids: tuple[str, ...]
    bodies: tuple[User, ...]
    joined_at: Int64s
    """int64 [n], ascending; before the world's start for those who are there from the beginning."""
    activity: Float32s
    """float32 [n]: how often the feed is opened in a day, by a user neither pleased nor disappointed."""
    habit: Float32s
    """float32 [n]: the chance to come on a day at all, of the same."""
    patience: Float32s
    """float32 [n]: the chance that nothing but the feed ends a session after an item."""
    boredom: Float32s
    """float32 [n]: the chance that an item of which nothing was watched makes the user want to leave."""
    hope: Float32s
    """float32 [n]: the mean watched share that the user expects at first."""
    expressive: Float32s
    """float32 [n]: how readily the user acts, 1 on average."""
    styles: Float32s
    """float32 [n, STYLES]: how each dimension of an author's manner is liked."""
    moods: Float32s
    """float32 [n, DAYPARTS, topics]: what the part of the day adds to the liking of a topic, 0 on average."""

    def __len__(self) -> int:
        return len(self.ids)


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
    home = (np.where(loved, config.loved, config.unloved) + spread).astype(np.float32)

    moods = np.sqrt(SHARED_MOOD) * generator.standard_normal((1, DAYPARTS, n_topics))
    moods = moods + np.sqrt(1 - SHARED_MOOD) * generator.standard_normal((n, DAYPARTS, n_topics))
    moods = config.mood * (moods - moods.mean(axis=1, keepdims=True))
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
        activity=(config.feeds_per_day * _around_one(config.activity_spread, n, generator)).astype(np.float32),
        habit=_chances(config.habit, 0.8, n, generator),
        patience=1 - ((1 - config.patience) * _around_one(0.5, n, generator)).clip(0, 1).astype(np.float32),
        boredom=(config.boredom * _around_one(0.4, n, generator)).clip(0, 1).astype(np.float32),
        hope=(config.hope * _around_one(0.2, n, generator)).clip(0, 1).astype(np.float32),
        expressive=_around_one(0.7, n, generator).astype(np.float32),
        styles=generator.normal(size=(n, STYLES)).astype(np.float32),
        moods=moods.astype(np.float32),
    )
    return users, Tastes(home.copy(), home, loved)


def _around_one(spread: float, n: int, generator: np.random.Generator) -> Float32s:
    """float32 [n]: log-normal, with the mean 1."""
    return generator.lognormal(-(spread**2) / 2, spread, size=n).astype(np.float32)


def _chances(mean: float, spread: float, n: int, generator: np.random.Generator) -> Float32s:
    """float32 [n]: chances around a mean, spread on the scale of log odds; a mean of 1 stays 1."""
    odds = mean / max(1 - mean, 1e-12) * np.exp(generator.normal(0, spread, size=n))
    return (odds / (1 + odds)).astype(np.float32)
