"""Ids as numbers that trees can split: for each slot, how often what its ids stand for had the label.

A row that is learned gets the rates of the rows before it, so that none holds its own label (ordered target statistics;
Prokhorenkova et al., 2018, section 3.2); a row that is predicted gets those of all that was learned.
"""

from __future__ import annotations

import numpy as np

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.ids import UInt64s

Float64s = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class IdRates:
    """What is counted of each id: weights, and weighed labels, which may be values."""

    def __init__(self, ids: UInt64s, counts: Float64s, sums: Float64s, mean: float, smoothing: float) -> None:
        self.ids, self.counts, self.sums = ids, counts, sums
        """uint64 [m], ascending; float64 [m] each"""
        self.mean = mean
        """Of all labels: what an id of which nothing is known has."""
        self._smoothing = smoothing

    @classmethod
    def learn(
        cls,
        features: Features,
        labels: Float32s,  # float32 [n]
        weights: Float32s,  # float32 [n]
        smoothing: float,
    ) -> tuple[IdRates, Float32s]:
        """The counts of all rows, and float32 [n, 2 * slots]: the columns of each row from the rows before it.

        `smoothing` is how many examples the mean of all labels counts as. Cost: a sort of the ids.
        """
        n = len(labels)
        slots = (len(features.offsets) - 1) // n
        row = np.repeat(np.arange(n), np.diff(features.offsets[::slots]))
        ids, place = np.unique(features.ids, return_inverse=True)
        order = np.argsort(place, kind="stable")
        weight = weights[row].astype(np.float64)
        parts = []
        starts = np.searchsorted(place[order], np.arange(len(ids)))
        for values in (weight, weight * labels[row]):
            summed = np.concatenate([[0.0], np.cumsum(values[order])])
            before = np.empty(len(row))
            before[order] = summed[:-1] - summed[starts][place[order]]
            total = summed[np.append(starts[1:], len(row))] - summed[starts] if len(ids) else np.zeros(0)
            parts.append((before, total))
        (count_before, counts), (sum_before, sums) = parts
        total_weight = np.concatenate([[0.0], np.cumsum(weights[:-1], dtype=np.float64)])
        # Before the first row there is nothing to know the mean by; a half is as good as anything.
        means = (np.concatenate([[0.0], np.cumsum((weights * labels)[:-1], dtype=np.float64)]) + 0.5) / (
            total_weight + 1
        )
        mean = float(np.average(labels, weights=weights))
        rates = cls(ids, counts, sums, mean, smoothing)
        return rates, rates._columns(features, count_before, sum_before, means[row], means)

    def columns(self, features: Features) -> Float32s:
        """float32 [n, 2 * slots]: of each slot the mean rate of its ids; then how often they were met (log)."""
        n = len(features)
        place = np.minimum(np.searchsorted(self.ids, features.ids), max(len(self.ids) - 1, 0))
        known = self.ids[place] == features.ids if len(self.ids) else np.zeros(len(features.ids), dtype=bool)
        counts, sums = (
            np.where(known, part[place], 0.0) if len(self.ids) else np.zeros(len(features.ids))
            for part in (self.counts, self.sums)
        )
        return self._columns(features, counts, sums, np.full(len(features.ids), self.mean), np.full(n, self.mean))

    def _columns(
        self, features: Features, counts: Float64s, sums: Float64s, means: Float64s, of_rows: Float64s
    ) -> Float32s:
        n = len(features)
        slots = (len(features.offsets) - 1) // n
        lengths = np.diff(features.offsets)
        rates = (sums + self._smoothing * means) / (counts + self._smoothing)
        bag = np.repeat(np.arange(n * slots), lengths)
        rate = np.bincount(bag, rates, n * slots) / np.maximum(lengths, 1)
        met = np.bincount(bag, np.log1p(counts), n * slots) / np.maximum(lengths, 1)
        rate = np.where(lengths > 0, rate, np.repeat(of_rows, slots))
        return np.concatenate([rate.reshape(n, slots), met.reshape(n, slots)], axis=1).astype(np.float32)
