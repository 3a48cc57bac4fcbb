"""The components that come with a row: the configured keys of its context, and the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from feedmill.domain.batches import Int64s
from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.ids import UInt64s, hash_id
from feedmill.domain.records import Scalar
from feedmill.stream.features.config import FeatureConfig

_HOURS = np.array([hash_id(f"hour {hour}") for hour in range(24)], dtype=np.uint64)
_WEEKDAYS = np.array([hash_id(f"weekday {day}") for day in range(7)], dtype=np.uint64)


class ContextColumns:
    """Makes the context columns of rows; remembers the keys of values it has met, up to a bound."""

    REMEMBERED = 100_000

    def __init__(self, config: FeatureConfig) -> None:
        self._names = config.context
        self._keys: dict[str, int] = {}

    def keys(self, context: Mapping[str, Scalar]) -> list[int]:
        """The keys of the configured context, 0 where it has no value."""
        return [self._key(context.get(name)) for name in self._names]

    def columns(self, keys: Sequence[Sequence[int]], timestamps: Int64s) -> UInt64s:
        """uint64 [n, context + 2]: the rows that `keys` gave, with hour of the day and day of the week (UTC)."""
        n, width = len(timestamps), len(self._names)
        columns = np.empty((n, width + 2), dtype=np.uint64)
        if width:
            columns[:, :width] = np.array(keys, dtype=np.uint64).reshape(n, width)
        columns[:, width] = _HOURS[timestamps // HOUR % 24]
        columns[:, width + 1] = _WEEKDAYS[(timestamps // DAY + 3) % 7]
        return columns

    def _key(self, value: Scalar) -> int:
        if value is None or value == "":
            return 0
        text = str(value)
        key = self._keys.get(text)
        if key is None:
            if len(self._keys) >= self.REMEMBERED:
                self._keys.clear()
            key = self._keys[text] = hash_id(text)
        return key
