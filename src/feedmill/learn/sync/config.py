"""How parameters are published."""

from __future__ import annotations

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.learn.table.storage import Storage


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How parameters go from the trainer to those who serve."""

    sparse_seconds: float = 0.2
    """Rows of the table are published at most this often."""
    dense_seconds: float = 1.0
    """Dense parameters are published at most this often."""
    rows: Storage = "int8"
    """How the vectors of rows are rounded on their way: not at all, to bfloat16, or to int8 beside a scale a row."""
    beat_seconds: float = 1.0
    """A trainer that has nothing to learn says this often that it is up to date."""

    def __post_init__(self) -> None:
        for name in ("sparse_seconds", "dense_seconds", "beat_seconds"):
            if not 0 <= getattr(self, name) <= 3600:
                raise ConfigError(f"sync.{name}: {getattr(self, name)} must be 0 or more, and at most 3600")
