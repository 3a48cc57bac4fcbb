"""How fresh a served home is: how long after an event was received it is in the state, learned, and served by.

The state has an event when it is folded; it is learned when the step that took it has ended; it is served by when the
server has applied parameters that have learned it. The first is measured by the server at the fold; for the others it
remembers when what it has folded was received, until parameters reach that place of the log.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from feedmill.domain.clock import SECOND, Clock, ScaledClock

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Seconds: the upper bounds of the buckets; what is above the last has one of its own."""
_LATELY = 2_000
"""Events that quantiles are of."""
_MOST_WAITING = 200_000
"""Events that are remembered until they are learned. Of a trainer that is gone longer the oldest are not measured."""


class Age(msgspec.Struct, frozen=True):
    """The last 2,000 events, in milliseconds; None before the first."""

    p50: float | None
    p99: float | None


class EventAges(msgspec.Struct, frozen=True):
    """How old events were, by the time of the machine, since they were received."""

    to_state: Age
    """When the state had folded them."""
    to_trained: Age
    """When the trainer had learned them."""
    to_served: Age
    """When the server had parameters that have learned them."""


NO_AGES = EventAges(*[Age(None, None)] * 3)


class Histogram:
    """Counts by bucket, the sum, and the last ages."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(BOUNDS) + 1, dtype=np.int64)
        """int64 [buckets]: not cumulative."""
        self.sum = 0.0
        self._last = np.zeros(_LATELY)
        self._seen = 0

    def add(self, seconds: float, events: int) -> None:
        """So many events were that old; below 0, by a clock that was set back, counts as 0."""
        seconds = max(0.0, seconds)
        self.counts[np.searchsorted(BOUNDS, seconds)] += events
        self.sum += seconds * events
        self._last[(self._seen + np.arange(min(events, _LATELY))) % _LATELY] = seconds
        self._seen += events

    def age(self) -> Age:
        last = self._last[: self._seen]
        if not len(last):
            return Age(None, None)
        p50, p99 = np.quantile(last, (0.5, 0.99)) * SECOND
        return Age(float(p50), float(p99))


class _Waiting(NamedTuple):
    position: int
    """After the last of them."""
    received: int
    events: int


class Ages:
    """The three histograms. Safe to call from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # A world's clock goes faster than the machine's, which is the one that counts.
        self._second = SECOND * (clock.speed if isinstance(clock, ScaledClock) else 1.0)
        self._lock = threading.Lock()
        self._to_state, self._to_trained, self._to_served = Histogram(), Histogram(), Histogram()
        self._waiting: deque[_Waiting] = deque()
        self._count = 0

    def folded(self, events: int, received: int, position: int) -> None:
        """So many events that were `received` together, UTC milliseconds, are in the state now, up to `position`."""
        if not events:
            return
        with self._lock:
            self._to_state.add(self._seconds(received, self._clock.now()), events)
            self._waiting.append(_Waiting(position, received, events))
            self._count += events
            while self._count > _MOST_WAITING:
                self._count -= self._waiting.popleft().events

    def applied(self, position: int, learned_at: int) -> None:
        """Parameters serve now that have learned all before `position`, at `learned_at` (UTC ms; 0: not known)."""
        now = self._clock.now()
        with self._lock:
            while self._waiting and self._waiting[0].position <= position:
                _, received, events = self._waiting.popleft()
                self._count -= events
                self._to_served.add(self._seconds(received, now), events)
                if learned_at:
                    self._to_trained.add(self._seconds(received, learned_at), events)

    def now(self) -> EventAges:
        """As of the last events."""
        with self._lock:
            return EventAges(self._to_state.age(), self._to_trained.age(), self._to_served.age())

    def histograms(self) -> Iterator[tuple[str, list[int], float]]:
        """For each its name, the cumulative counts of `BOUNDS` and of all, and the sum in seconds."""
        with self._lock:
            for name, one in (("state", self._to_state), ("trained", self._to_trained), ("served", self._to_served)):
                yield name, np.cumsum(one.counts).tolist(), one.sum

    def _seconds(self, received: int, moment: int) -> float:
        return (moment - received) / self._second
