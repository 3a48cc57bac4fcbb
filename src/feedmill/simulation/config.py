"""How large a world is, and how its people behave."""

from __future__ import annotations

import msgspec

from feedmill.domain.clock import DAY, MINUTE
from feedmill.domain.errors import ConfigError


class WorldConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One world. Weights are in probits: standard deviations of the watched share's normal (see `behaviour`)."""

    start: int = 1_767_571_200_000
    """UTC milliseconds: 2026-01-05T00:00:00Z, a Monday."""
    days: int = 12
    step_minutes: int = 30
    page: int = 10
    """Items in one feed."""

    users: int = 240
    late_users: float = 0.15
    """The share of users who join while the world runs."""
    declare_interests: float = 0.4
    """The share of users who say at the start what they like."""
    feeds_per_day: float = 1.1
    """Of the average user; activity is log-normal around it."""
    patience: float = 0.94
    """The average chance that a user who has seen one item of a feed goes on to the next."""

    authors: int = 120
    backlog: int = 500
    """Items born in the week before the world starts."""
    births_per_day: int = 80

    drift: float = 0.15
    """How far each taste walks in a day, in standard deviations."""
    return_rate: float = 0.05
    """The share of its distance from the user's long-term taste that a taste walks back in a day."""
    jumps_per_day: float = 0.06
    """How often a user drops one loved topic for another."""

    style: float = 0.25
    """How much a user's liking of an author's manner weighs: what no tag tells."""
    quality: float = 0.3
    """The spread of quality between items, half of its variance the author's."""
    length: float = 0.12
    """What each doubling of an item's duration costs."""
    staleness: float = 0.7
    """What an item has lost once it is old."""
    staleness_half_life: int = 3 * DAY
    """Milliseconds in which half of that is lost."""
    fatigue: float = 0.3
    """What each doubling of the recent exposure to a topic costs."""
    fatigue_half_life: int = 360 * MINUTE
    """Milliseconds in which half of an exposure is forgotten."""
    position: float = 0.02
    """What each further position of a feed costs: attention wanes."""
    repeat: float = 2.0
    """What having seen the item before costs."""
    noise: float = 1.5
    """The spread of single impressions; above 1 most are either dropped early or watched almost to the end."""

    @property
    def step(self) -> int:
        """Milliseconds of one step."""
        return self.step_minutes * MINUTE

    @property
    def steps(self) -> int:
        """Steps until the world ends."""
        return self.days * DAY // self.step

    @property
    def end(self) -> int:
        """UTC milliseconds."""
        return self.start + self.days * DAY

    def check(self) -> None:
        """Raises ConfigError that names the first value no world can have."""
        for name in ("days", "step_minutes", "page", "users", "authors"):
            if getattr(self, name) < 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected at least 1")
        for name in ("backlog", "births_per_day", "feeds_per_day", "drift", "return_rate", "jumps_per_day", "noise"):
            if getattr(self, name) < 0:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected 0 or more")
        for name in ("late_users", "declare_interests", "patience"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected between 0 and 1")
        for name in ("staleness_half_life", "fatigue_half_life"):
            if getattr(self, name) < 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)} ms, expected at least 1")
        if DAY % self.step:
            raise ConfigError(f"world.step_minutes: {self.step_minutes}, expected a divisor of the 1440 of a day")
