"""What the server is configured by, beside the feed itself."""

from __future__ import annotations

import math

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.learn.table.storage import Storage


class ServingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a home is served."""

    trace_share: float = 1.0
    """Of how many requests all candidates are kept, so that `explain` can say why an item is not on the page: 0 to 1.
    A trace of 500 candidates takes about 9 KB."""
    trace_days: float = 7.0
    """How long traces are kept."""
    recent_items: int = 200_000
    """Pages with so many items are kept in memory for those who ask for them again, about 600 bytes an item; older ones
    are read from the log."""
    heartbeat_seconds: float = 30.0
    """When nothing has been heard for so long, and impressions may wait for the time to pass, the log is told of it."""
    delta_poll_seconds: float = 0.02
    """How often the server looks for new parameters."""
    storage: Storage = "float32"
    """How the server's copy of the embedding table keeps its vectors: as they are learned, or rounded to bfloat16 or
    int8, which takes about a third of the memory."""

    def __post_init__(self) -> None:
        if not 0 <= self.trace_share <= 1:
            raise ConfigError(f"serving.trace_share: must be from 0 to 1, not {self.trace_share}")
        if self.recent_items < 0:
            raise ConfigError(f"serving.recent_items: must be 0 or more, not {self.recent_items}")
        for name in ("trace_days", "heartbeat_seconds", "delta_poll_seconds"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"serving.{name}: must be a number above 0, not {getattr(self, name)}")
