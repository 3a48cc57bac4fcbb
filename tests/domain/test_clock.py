"""Clocks, and times for people."""

from __future__ import annotations

import time

import pytest

from feedmill.domain.clock import DAY, HOUR, ManualClock, SystemClock, format_time


def test_a_manual_clock_moves_only_when_it_is_turned() -> None:
    clock = ManualClock(5)
    assert clock.now() == clock.now() == 5
    clock.advance(HOUR)
    assert clock.now() == 3_600_005
    clock.set(DAY)
    assert clock.now() == 86_400_000


def test_the_system_clock_counts_milliseconds_since_1970() -> None:
    before = time.time()
    now = SystemClock().now() / 1000
    assert before - 0.002 <= now <= time.time() + 0.002


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_651_161_600_000, "2022-04-28T16:00:00Z"),
        (1_651_161_600_007, "2022-04-28T16:00:00.007Z"),
        (-1_000, "1969-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_shown_in_utc(milliseconds: int, text: str) -> None:
    assert format_time(milliseconds) == text
