"""What users like: tastes that drift, jump and can be shocked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import DAY
from feedmill.simulation.behaviour import Bools
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.noise import Channel, Draws

DAYPARTS = 4
"""Night, morning, afternoon and evening, six hours each (UTC)."""


def daypart(now: int) -> int:
    """Which part of the day a moment is in: 0 for midnight to 6 o'clock, and so on.

    >>> daypart(13 * 3_600_000)
    2
    """
    return now % DAY * DAYPARTS // DAY


@dataclass(slots=True)
class Tastes:
    """How much each user likes each topic now. An Ornstein-Uhlenbeck walk around a long-term taste, with jumps."""

    now: Float32s
    """float32 [n, topics]: probits."""
    home: Float32s
    """float32 [n, topics]: what `now` walks back to; a jump moves it too."""
    loved: Bools
    """bool [n, topics]."""

    def copy(self) -> Tastes:
        return Tastes(self.now.copy(), self.home.copy(), self.loved.copy())

    def drift(
        self,
        config: WorldConfig,
        number: int,
        alive: Bools,  # bool [n]
        walk: np.random.Generator,
        draws: Draws,
    ) -> None:
        """Walk the step of a number, in place, for the users who are alive; what is drawn does not depend on them."""
        days = config.step / DAY
        move = walk.standard_normal(self.now.shape, dtype=np.float32)
        move *= np.float32(config.drift * np.sqrt(days))
        move += np.float32(config.return_rate * days) * (self.home - self.now)
        self.now += np.where(alive[:, None], move, np.float32(0))
        jumps = draws.uniform(Channel.JUMP, np.arange(len(self.now)), number) < -np.expm1(-config.jumps_per_day * days)
        able = self.loved.any(axis=1) & ~self.loved.all(axis=1)
        rows = np.flatnonzero(jumps & alive & able)
        topics = np.arange(self.now.shape[1])
        chance = draws.uniform(Channel.JUMP_TOPIC, rows[:, None], number * len(topics) + topics)
        dropped = np.where(self.loved[rows], chance, -1).argmax(axis=1)
        taken = np.where(self.loved[rows], -1, chance).argmax(axis=1)
        for column in (self.now, self.home, self.loved):
            column[rows, dropped], column[rows, taken] = column[rows, taken], column[rows, dropped]

    def shock(self, config: WorldConfig, topic: int, strength: float) -> None:
        """Everybody now wants one topic: it becomes loved and `strength` probits dearer than the average loved topic,
        and what was loved before loses `strength`. It lasts: the long-term taste moves too."""
        former = self.loved.copy()
        former[:, topic] = False
        for column in (self.now, self.home):
            column -= np.float32(strength) * former
            column[:, topic] = np.maximum(column[:, topic], np.float32(config.loved)) + np.float32(strength)
        self.loved[:, topic] = True
