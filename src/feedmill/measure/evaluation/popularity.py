"""Popularity: the baseline that a recommender has to beat, as counts that may fade."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument

Float64s = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]

_MOST_HALVINGS = 500.0


class FadingCounts:
    """A count for each item, all halved in each half-life. Memory: 8 bytes an item.

    What is added weighs more instead of what is there weighing less, so that adding costs nothing for the rest.
    """

    def __init__(self, half_life: float | None = None) -> None:
        """`half_life` in milliseconds; None never fades."""
        if half_life is not None and not half_life > 0:
            raise InvalidArgument(f"half_life: {half_life}, expected milliseconds above 0, or None")
        self._half_life = half_life
        self._counts: Float64s = np.zeros(0)
        self._base: int | None = None
        self.unit = 1.0
        """What one more count weighs now, in the units of `relative`."""

    def add(
        self,
        items: Integers,  # [n]: indices from 0
        timestamps: Integers,  # [n]: UTC milliseconds
        amounts: Floats | float = 1.0,  # [n], or one for all
    ) -> None:
        """Add to the counts of items; an item may stand there more than once."""
        if not len(items):
            return
        if items.max() >= len(self._counts):
            self._counts = np.append(self._counts, np.zeros(max(int(items.max()) + 1, 1024)))
        weights = self._weights(timestamps)
        self.unit = max(self.unit, float(weights.max()))
        np.add.at(self._counts, items, weights * amounts)

    @property
    def total(self) -> float:
        """Of all items, in the units of `relative`."""
        return float(self._counts.sum())

    def relative(self, size: int) -> Float64s:
        """float64 [size]: the counts of items 0 to size - 1, up to one factor for all of them."""
        counts = self._counts[:size]
        return np.append(counts, np.zeros(size - len(counts)))

    def top(self, size: int, count: int, eligible: Callable[[Int32s], npt.NDArray[np.bool_]]) -> list[int]:
        """Up to `count` of the first `size` items, the highest counts first, those above 0 that are `eligible`.

        `eligible` judges the items (int32 [n]) that are looked at; of equal counts the smaller index comes first.
        """
        counts = self.relative(size)
        reach = 16 * count
        while True:
            looked_at = np.argpartition(-counts, reach - 1)[:reach] if reach < size else np.arange(size)
            best: Int32s = looked_at[counts[looked_at] > 0].astype(np.int32)
            best = best[np.lexsort((best, -counts[best]))]
            chosen = best[eligible(best)][:count]
            if len(chosen) == count or reach >= size:
                return [int(item) for item in chosen]
            reach *= 4

    def _weights(self, timestamps: Integers) -> Float64s:
        if self._half_life is None:
            return np.ones(len(timestamps))
        if self._base is None:
            self._base = int(timestamps[0])
        halvings = (timestamps - self._base) / self._half_life
        ahead = float(halvings.max())
        if ahead > _MOST_HALVINGS:
            # Before weights leave the range of floats, everything is written anew as of now.
            self._counts *= 2.0**-ahead if ahead < 1000 else 0.0
            self.unit = 1.0
            self._base = int(timestamps.max())
            halvings = (timestamps - self._base) / self._half_life
        return np.exp2(halvings)


class FadingRates:
    """How often something followed an impression of each item, as a probability: smoothed towards the overall rate."""

    def __init__(self, half_life: float | None = None, prior: float = 20.0) -> None:
        """`prior` is how many impressions the overall rate weighs, in counts as of the last one added."""
        self._shown = FadingCounts(half_life)
        self._followed = FadingCounts(half_life)
        self._prior = prior

    def add(self, items: Integers, timestamps: Integers, labels: Floats) -> None:
        """Impressions of items [n], and whether it followed, 0 or 1 [n]."""
        self._shown.add(items, timestamps)
        self._followed.add(items, timestamps, labels)

    def predict(self, items: Integers) -> Float64s:
        """float64 [n]: the smoothed rate of each item; 0.5 for all before anything was added."""
        size = int(items.max()) + 1 if len(items) else 0
        shown, followed = self._shown.relative(size), self._followed.relative(size)
        total, positive = self._shown.total, self._followed.total
        if not total > 0:
            return np.full(len(items), 0.5)
        prior = self._prior * self._shown.unit
        return (followed[items] + prior * positive / total) / (shown[items] + prior)


def rates_so_far(
    items: Integers,  # [n]: indices from 0
    timestamps: Integers,  # [n]: UTC milliseconds
    labels: Floats,  # [n]: 0 or 1
    step: int,
    *,
    half_life: float | None = None,
) -> Float64s:
    """float64 [n]: of each row the rate of its item in all rows before its step, of so many rows: `FadingRates`."""
    rates = FadingRates(half_life)
    predicted = np.empty(len(items))
    for start in range(0, len(items), step):
        rows = slice(start, start + step)
        predicted[rows] = rates.predict(items[rows])
        rates.add(items[rows], timestamps[rows], labels[rows])
    return predicted
