"""Random numbers by place: what is drawn for someone at some moment, whatever was drawn or shown before.

A shared stream gives other numbers as soon as one copy of a world uses it once more than another. Here a number is a
pure function of the seed, the channel (what it decides), who it is for and a counter (which of theirs it is), through
the finaliser of SplitMix64 (Steele, Lea and Flood, 2014). Copies of a world differ by what was shown in them, not by
luck.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from feedmill.domain.batches import Float32s, Int64s

UInt64s = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HALF = np.float32(2.0**-25)
_UNIT = np.float32(2.0**-24)


class Channel(IntEnum):
    """What a draw decides."""

    WATCH = 1
    STAY = 2
    BORE = 3
    DAY = 4
    OPEN = 5
    JUMP = 6
    JUMP_TOPIC = 7
    PUBLISH = 8
    ACT = 16
    """And those that follow: one for each action."""


class Draws:
    """The random numbers of one world, shared by all its copies. Cost: about 20 ns a number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        """From 0 to 2^63 - 1."""

    def uniform(
        self,
        channel: int,
        who: Int64s,  # int64, any shape
        counter: Int64s | int,  # int64, a shape that goes with it
    ) -> Float32s:
        """float32 in (0, 1), of the shape that `who` and `counter` have together."""
        with np.errstate(over="ignore"):
            key = _mix(np.array([self.seed], dtype=np.uint64) + np.uint64(channel) * _GOLDEN)
            person = _mix(key ^ (np.asarray(who).astype(np.uint64) * _GOLDEN))
            bits = _mix(person ^ (np.asarray(counter).astype(np.uint64) * _GOLDEN))
        share: Float32s = (bits >> np.uint64(40)).astype(np.float32) * _UNIT + _HALF
        return share

    def normal(self, channel: int, who: Int64s, counter: Int64s | int) -> Float32s:
        """The same, standard normal."""
        deviation: Float32s = ndtri(self.uniform(channel, who, counter))
        return deviation


def _mix(bits: UInt64s) -> UInt64s:
    bits = bits + _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    mixed: UInt64s = bits ^ (bits >> np.uint64(31))
    return mixed
