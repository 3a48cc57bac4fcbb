"""Time comes from a clock that is passed in, never from the wall."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Protocol

from feedmill.domain.errors import InvalidArgument

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00 UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is turned: for tests, replays and simulated worlds."""

    def __init__(self, now: int = 0) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def set(self, now: int) -> None:
        self._now = now

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds


class ScaledClock:
    """A clock that goes faster or slower than the machine's: for a world that several processes live in together.

    It shows `origin` when the machine's shows `system_origin`, and goes on by `speed` for each millisecond of that.
    """

    def __init__(self, origin: int, system_origin: int, speed: float, system: Clock | None = None) -> None:
        """Raises InvalidArgument for a speed that is not above 0."""
        if not 0 < speed < math.inf:
            raise InvalidArgument(f"speed: must be a number above 0, not {speed}")
        self.origin, self.system_origin, self.speed = origin, system_origin, speed
        self._system = system or SystemClock()

    def now(self) -> int:
        return self.origin + math.floor((self._system.now() - self.system_origin) * self.speed)

    def seconds_until(self, moment: int) -> float:
        """Seconds of the machine until it shows that moment (UTC milliseconds); below 0 where that has passed."""
        return (moment - self.now()) / self.speed / SECOND

    def __str__(self) -> str:
        """What `read_clock` reads.

        >>> str(ScaledClock(1000, 2000, 60.0))
        '1000/2000/60.0'
        """
        return f"{self.origin}/{self.system_origin}/{self.speed!r}"


def read_clock(text: str) -> ScaledClock:
    """The clock that a ScaledClock was written as, for a process that is to have the same one.

    Raises InvalidArgument where it is none.
    """
    try:
        origin, system_origin, speed = text.split("/")
        return ScaledClock(int(origin), int(system_origin), float(speed))
    except ValueError:
        raise InvalidArgument(f"clock: {text!r} is not of the form ORIGIN/SYSTEM_ORIGIN/SPEED") from None


def format_time(milliseconds: int) -> str:
    """ISO 8601 in UTC, for people.

    >>> format_time(1651161600000)
    '2022-04-28T16:00:00Z'
    """
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    text = moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")
    return text.replace("+00:00", "Z")
