"""The hash of the table, and the streams of random words that it begins."""

from __future__ import annotations

GOLDEN = 0x9E3779B97F4A7C15
ALL_BITS = (1 << 64) - 1


def mix(word: int) -> int:
    """The output function of SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom generators")."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & ALL_BITS
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & ALL_BITS
    return word ^ (word >> 31)


def stream(seed: int, feature_id: int) -> int:
    """Where the words of an id begin under a seed."""
    return mix(feature_id ^ mix((seed + GOLDEN) & ALL_BITS))
