"""What joining is configured by."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from feedmill.domain.clock import MINUTE
from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Objective

LONGEST_MINUTES = 1e6


class JoinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How impressions and actions meet."""

    window_minutes: float = 10.0
    """How long an impression waits for its actions, where its objective has no window of its own."""
    late_hours: float = 24.0
    """How long after its last window an impression is remembered for actions that come late."""
    served_means_seen: tuple[str, ...] = ()
    """Surfaces on which what was served counts as seen."""
    negative_rate: float = 1.0
    """Of the impressions that nothing positive has followed, this share is learned, at the weight of all."""
    pages: int = 50_000
    """At most so many pages are in memory: 0.8 KB each, and about 2 KB where its features were logged."""
    impressions: int = 500_000
    """At most so many impressions are in memory after their windows: 0.5 KB each, and 0.3 KB where its page has logged
    no features."""
    disk_pages: int = 1_000_000
    """At most so many more pages are on disk."""
    disk_impressions: int = 10_000_000
    """At most so many more impressions are on disk; the oldest are forgotten first."""

    def __post_init__(self) -> None:
        for name in ("window_minutes", "late_hours"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must lie between 0 and 1,000,000")
        if not 1e-6 <= self.negative_rate <= 1:
            raise ConfigError(f"join.negative_rate: {self.negative_rate} must lie between 0.000001 and 1")
        for name in ("pages", "impressions"):
            if getattr(self, name) < 1:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must be at least 1")
        for name in ("disk_pages", "disk_impressions"):
            if getattr(self, name) < 0:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must be at least 0")

    def window(self, objective: Objective) -> int:
        """How long an impression waits for the label of an objective, in milliseconds."""
        own = objective.window_minutes
        return round((self.window_minutes if own is None else own) * MINUTE)

    def longest_window(self, objectives: Iterable[Objective]) -> int:
        """When the last label of an impression is settled, in milliseconds."""
        return max(self.window(objective) for objective in objectives)
