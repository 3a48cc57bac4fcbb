"""The circuit breaker: stops calling what keeps failing, and tries it again after a while."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CircuitBreaker:
    """Opens after some failures in a row; lets one call through after the pause, and closes when that succeeds.

    Nygard, Release It!, chapter 5. Safe to use from several threads.
    """

    def __init__(self, failures: int, pause: float, timer: Callable[[], float]) -> None:
        """`pause` is in the units of `timer`, seconds usually."""
        self._failures = failures
        self._pause = pause
        self._timer = timer
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._closed_again_at = 0.0
        self._trying = False

    def allows(self) -> bool:
        """Whether to make the call. Whoever makes it reports `succeeded` or `failed`."""
        with self._lock:
            if self._in_a_row < self._failures:
                return True
            if self._trying or self._timer() < self._closed_again_at:
                return False
            self._trying = True
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._in_a_row = 0
            self._trying = False

    def failed(self) -> None:
        with self._lock:
            self._in_a_row += 1
            self._trying = False
            self._closed_again_at = self._timer() + self._pause
