"""How different the second half of a log is from the first, beside halves that differ by chance alone."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.interactions import Interactions


class Drift(msgspec.Struct, frozen=True):
    """The second half of the rows, by time, beside the first."""

    middle: int
    """When the second half begins, UTC milliseconds."""
    distance: float
    """Of what items are taken to: the Jensen-Shannon distance, 0 for the same shares and 1 for nothing in common (Lin,
    1991)."""
    by_chance: float
    """The same between two random halves: what remains where nothing drifts."""
    new_items: float
    """The share of the second half's rows on items that the first does not have."""
    new_users: float
    faster: float
    """How many times as many rows a day the second half has; infinite where it takes no time."""


def drift_of(interactions: Interactions, generator: np.random.Generator) -> Drift | None:
    """The drift; None where there are no two halves: fewer than two rows, or all of one time."""
    rows = interactions.by_time()
    n = len(rows)
    if n < 2 or rows.times[0] == rows.times[-1]:
        return None
    half = n // 2
    first, second = np.arange(half), np.arange(half, n)
    shuffled = generator.permutation(n)
    spans = rows.times[half] - rows.times[0], rows.times[-1] - rows.times[half]
    return Drift(
        middle=int(rows.times[half]),
        distance=_distance(rows, first, second),
        by_chance=_distance(rows, shuffled[:half], shuffled[half:]),
        new_items=float(np.isin(rows.items[second], rows.items[first], invert=True).mean()),
        new_users=float(np.isin(rows.users[second], rows.users[first], invert=True).mean()),
        faster=float(len(second) / spans[1] / (half / spans[0])) if spans[0] and spans[1] else math.inf,
    )


def _distance(rows: Interactions, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    shares = [np.bincount(rows.items[part], minlength=rows.n_items) / len(part) for part in (one, other)]
    middle = (shares[0] + shares[1]) / 2
    # In bits, so that nothing in common is 1.
    parts = [float(np.sum(share[share > 0] * np.log2(share[share > 0] / middle[share > 0]))) / 2 for share in shares]
    return math.sqrt(max(sum(parts), 0.0))
