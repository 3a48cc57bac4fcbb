"""Which negatives are learned: a draw for each impression, of nothing but a seed and its place in the log."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Int64s
from feedmill.domain.ids import UInt64s

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class NegativeSampling:
    """Keeps a share of the impressions that nothing positive has followed, and weights them by its inverse.

    Sums over what is kept are then, in expectation, sums over all (Horvitz and Thompson, 1952), for every objective at
    once, whatever the model.
    """

    def __init__(self, rate: float, seed: int) -> None:
        """`rate`: the share that is kept, above 0 and up to 1."""
        self.rate = rate
        self._seed = np.uint64(seed)

    def weights(self, users: UInt64s, items: UInt64s, sequence: Int64s) -> npt.NDArray[np.float32]:
        """float32 [n]: the weight of each impression where nothing positive has followed; 0 where it is left out.

        `users` and `items` are keys, `sequence` is the place in the log.
        """
        if self.rate == 1:
            return np.ones(len(users), dtype=np.float32)
        mixed = np.full(len(users), self._seed)
        for column in (users, items, sequence.view(np.uint64)):
            mixed = _mixed(mixed ^ column)
        drawn = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.where(drawn < self.rate, 1 / self.rate, 0).astype(np.float32)


def _mixed(words: UInt64s) -> UInt64s:
    """SplitMix64 (Steele, Lea and Flood, 2014) of each word."""
    words = words + _STEP
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))
