"""Intervals that cannot be are refused by key."""

from __future__ import annotations

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.learn.sync.config import SyncConfig


@pytest.mark.parametrize("name", ["sparse_seconds", "dense_seconds", "beat_seconds"])
@pytest.mark.parametrize("value", [-1.0, 3601.0, float("nan")])
def test_an_interval_that_cannot_be_is_refused_by_key(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"sync.{name}"):
        SyncConfig(**{name: value})
