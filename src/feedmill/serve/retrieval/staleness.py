"""When to compute again what sources keep between requests."""

from __future__ import annotations

_CHANGED_SHARE = 0.01


class Staleness:
    """Due at first, after some time, when time has gone back, and when a hundredth of the catalogue has changed."""

    def __init__(self, seconds: float) -> None:
        self._milliseconds = seconds * 1000
        self._done_at: int | None = None
        self._version = 0

    def due(self, now: int, version: int, size: int) -> bool:
        """Whether to compute again; it counts as done then.

        `now` in UTC milliseconds, `version` goes up with every change, `size` is the number of items.
        """
        if self._done_at is not None:
            in_time = 0 <= now - self._done_at < self._milliseconds
            if in_time and version - self._version <= _CHANGED_SHARE * size:
                return False
        self._done_at = now
        self._version = version
        return True
