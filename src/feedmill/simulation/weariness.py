"""How what was shown tires of its topic: fatigue within hours, satiation within days."""

from __future__ import annotations

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.simulation.config import WorldConfig


class Exposure:
    """How often some users were shown each topic lately, at two paces: float32 [n, topics] each."""

    def __init__(self, config: WorldConfig, hours: Float32s, days: Float32s) -> None:
        self._config = config
        self.hours = hours
        """Faded by half in each `fatigue_half_life`."""
        self.days = days
        """Faded by half in each `satiation_half_life`."""

    def copy(self) -> Exposure:
        return Exposure(self._config, self.hours.copy(), self.days.copy())

    def of(self, users: Int64s) -> Exposure:
        """A copy of the rows of some users."""
        return Exposure(self._config, self.hours[users], self.days[users])

    def fade(self, milliseconds: int) -> None:
        self.hours *= np.float32(0.5 ** (milliseconds / self._config.fatigue_half_life))
        self.days *= np.float32(0.5 ** (milliseconds / self._config.satiation_half_life))

    def add(self, rows: Int64s, topics: Float32s) -> None:
        """Show items of these topics (float32 [m, topics]) to different rows."""
        self.hours[rows] += topics
        self.days[rows] += topics

    def cost(self) -> Float32s:
        """float32 [n, topics]: what each topic has lost, in probits."""
        lost: Float32s = np.float32(self._config.fatigue) * np.log2(1 + self.hours)
        lost += np.float32(self._config.satiation) * np.log2(1 + self.days)
        return lost
