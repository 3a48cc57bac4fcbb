"""How much there is of everything, and how unevenly it is spread."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.interactions import Interactions
from feedmill.measure.metrics.inequality import gini_index

_POINTS = 60
"""Of a curve."""


class Spread(msgspec.Struct, frozen=True):
    """How an amount is spread over users or items that have any."""

    median: float
    mean: float
    p90: float
    most: int
    one: float
    """The share of those that have a single one."""


class Shape(msgspec.Struct, frozen=True):
    """Interactions as a whole."""

    rows: int
    users: int
    items: int
    pairs: int
    """Different pairs of a user and an item."""
    density: float
    """The share of all possible pairs."""
    repeats: int
    """Rows whose pair stands in an earlier row."""
    doubled: int
    """Of these, those at the same time as well: the row itself stands there twice."""
    by_user: Spread
    by_item: Spread
    head: dict[str, float]
    """The share of rows that the most popular 1, 10 and 20 percent of the items have."""
    gini: float
    """0 where all items have as many rows, near 1 where one has all."""
    concentration: list[tuple[float, float]]
    """From the most popular item on: the share of items, and of rows that they have."""


def shape_of(interactions: Interactions) -> Shape:
    """The shape; NaN where there is nothing to divide by. Cost: two sorts of the rows."""
    rows = len(interactions)
    users = np.bincount(interactions.users)
    items = np.bincount(interactions.items)
    users, items = users[users > 0], np.sort(items[items > 0])[::-1]
    pairs, counts = np.unique(interactions.pairs(), return_counts=True)
    moments = np.unique(np.stack([interactions.pairs(), interactions.times]), axis=1).shape[1]
    shares = np.cumsum(items) / max(rows, 1)
    return Shape(
        rows=rows,
        users=len(users),
        items=len(items),
        pairs=len(pairs),
        density=len(pairs) / (len(users) * len(items)) if rows else math.nan,
        repeats=int((counts - 1).sum()),
        doubled=rows - moments,
        by_user=_spread(users),
        by_item=_spread(items),
        head={f"{part:.0%}": _first(shares, part) for part in (0.01, 0.1, 0.2)},
        gini=gini_index(items),
        concentration=_curve(shares),
    )


def _spread(amounts: npt.NDArray[np.int64]) -> Spread:
    if not len(amounts):
        return Spread(math.nan, math.nan, math.nan, 0, math.nan)
    return Spread(
        float(np.median(amounts)),
        float(amounts.mean()),
        float(np.quantile(amounts, 0.9)),
        int(amounts.max()),
        float((amounts == 1).mean()),
    )


def _first(shares: npt.NDArray[np.float64], part: float) -> float:
    return float(shares[max(math.ceil(part * len(shares)), 1) - 1]) if len(shares) else math.nan


def _curve(shares: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    n = len(shares)
    if not n:
        return []
    # More points where the curve bends.
    places = np.unique(np.ceil(n * np.linspace(0, 1, _POINTS) ** 2).astype(int))
    return [(0.0, 0.0), *((int(place) / n, float(shares[place - 1])) for place in places if place > 0)]
