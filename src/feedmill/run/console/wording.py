"""How the page writes numbers and names."""

from __future__ import annotations

from feedmill.run.demo.telling import Told

NOTHING = "–"
"""Stands where there is no number yet."""

MINUTE = 60_000
DAY = 24 * 60 * MINUTE

_SOURCES = {
    "two_tower": "near your taste",
    "liked": "more of what you like",
    "co_visitation": "watched together",
    "trending": "rising now",
    "popularity": "popular",
    "fresh": "new",
    "catalogue": "anything",
}


def milliseconds(value: float | None) -> str:
    """
    >>> milliseconds(38.4), milliseconds(1240), milliseconds(0.62), milliseconds(None)
    ('38 ms', '1.2 s', '0.6 ms', '–')
    """
    if value is None:
        return NOTHING
    if value < 0.95:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 9950 else f"{value / 1000:.0f} s"


def percent(share: float | None) -> str:
    """
    >>> percent(0.537), percent(None)
    ('54 %', '–')
    """
    return NOTHING if share is None else f"{100 * share:.0f} %"


def count(number: int) -> str:
    """
    >>> count(182331)
    '182,331'
    """
    return f"{number:,}"


def source(name: str) -> str:
    """What a source of candidates offers, in a person's words.

    >>> source("two_tower"), source("my_own")
    ('near your taste', 'my own')
    """
    return _SOURCES.get(name, name.replace("_", " "))


def source_place(name: str) -> tuple[int, str]:
    """Sorts sources: what knows most of the person first, and those that nobody here knows last."""
    known = list(_SOURCES)
    return known.index(name) if name in known else len(known), name


def origin(told: Told) -> int:
    """The midnight before the world began: UTC milliseconds."""
    began = round((told.now - told.day * DAY) / MINUTE) * MINUTE
    return began // DAY * DAY


def clock(told: Told) -> str:
    """The day of the world, from 1, and its time of day."""
    minutes = told.now // MINUTE
    return f"day {(told.now - origin(told)) // DAY + 1}, {minutes // 60 % 24:02d}:{minutes % 60:02d}"
