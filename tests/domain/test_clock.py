"""Clocks, and times for people."""

from __future__ import annotations

import time

import pytest

from feedmill.domain.clock import DAY, HOUR, ManualClock, ScaledClock, SystemClock, format_time, read_clock
from feedmill.domain.errors import InvalidArgument


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


def test_a_scaled_clock_goes_so_many_times_as_fast_as_the_machine() -> None:
    system = ManualClock(1_000)
    clock = ScaledClock(50_000, 1_000, 1_440.0, system)
    assert clock.now() == 50_000
    system.advance(2)
    assert clock.now() == 52_880
    assert clock.seconds_until(52_880 + DAY) == 60.0
    system.set(0)
    assert clock.now() == 50_000 - 1_440_000


def test_processes_that_are_given_a_clock_in_writing_have_the_same_one() -> None:
    clock = ScaledClock(1_767_571_200_000, 1_763_730_000_123, 86_400 / 59)
    given = read_clock(str(clock))
    assert (given.origin, given.system_origin, given.speed) == (1_767_571_200_000, 1_763_730_000_123, 86_400 / 59)


@pytest.mark.parametrize("text", ["", "1/2", "1/2/3/4", "a/2/3", "1/2/x", "1/2/0", "1/2/-1", "1/2/nan", "1/2/inf"])
def test_what_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"clock|speed"):
        read_clock(text)


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
