"""Users who behave as no person does: crawlers, tests, accounts that many share. Signs, not proof."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Int64s
from feedmill.domain.clock import DAY, HOUR, MINUTE
from feedmill.domain.interactions import Int32s

FAST = 120
"""Events within a minute: two a second."""
REGULAR, REGULAR_EVENTS = 0.02, 50
"""Half of the gaps between so many events are within this share of the median gap."""
AWAKE = 23
"""Different hours of one day."""
ONE_ITEM, ONE_ITEM_EVENTS = 0.9, 100
"""The share of so many events that one item has."""


class Machine(msgspec.Struct, frozen=True):
    """A user with a sign."""

    user: int
    """The ordinal."""
    events: int
    sign: str


def find_machines(users: Int32s, items: Int32s, times: Int64s) -> list[Machine]:
    """Users with at least one sign, the busiest first; columns are [n]. Cost: a sort of the rows."""
    order = np.lexsort((times, users))
    user, item, time = users[order], items[order], times[order]
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    ends = np.append(starts[1:], len(user))[: len(starts)]
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if sign := _sign(time[start:end], item[start:end]):
            found.append(Machine(int(user[start]), end - start, sign))
    return sorted(found, key=lambda machine: (-machine.events, machine.user))


def _sign(times: Int64s, items: Int32s) -> str:
    """The first sign of a user's events, by time; empty where there is none."""
    n = len(times)
    # So few show no sign.
    if n < min(FAST, REGULAR_EVENTS, AWAKE, ONE_ITEM_EVENTS):
        return ""
    if n >= REGULAR_EVENTS:
        gaps = np.diff(times)
        median = float(np.median(gaps))
        if median > 0 and float(np.median(np.abs(gaps - median))) <= REGULAR * median:
            return f"acts like a clock: an event each {_span(median)}"
    if n >= FAST and (times[FAST - 1 :] - times[: n - FAST + 1] < MINUTE).any():
        within = int((np.searchsorted(times, times + MINUTE) - np.arange(n)).max())
        return f"too fast: {within:,} events within a minute"
    if n >= AWAKE:
        hours = np.unique(times // HOUR)
        most = int(_per_day(hours))
        if most >= AWAKE:
            return f"never sleeps: events in {most} hours of one day"
    if n >= ONE_ITEM_EVENTS:
        most = int(np.unique(items, return_counts=True)[1].max())
        if most >= ONE_ITEM * n:
            return f"does one thing: {most:,} of {n:,} events are on one item"
    return ""


def _per_day(hours: npt.NDArray[np.int64]) -> int:
    """The most different hours in one day."""
    return int(np.unique(hours // (DAY // HOUR), return_counts=True)[1].max())


def _span(milliseconds: float) -> str:
    for size, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes"), (1_000, "seconds")):
        if milliseconds >= size:
            return f"{milliseconds / size:.3g} {name}"
    return f"{milliseconds:.3g} milliseconds"
