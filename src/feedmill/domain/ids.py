"""Application ids become 64-bit keys, and a key in a slot becomes a 64-bit feature id.

An application id is hashed once, with XXH3 under a frozen seed. A feature id is 12 bits of slot and 52 bits of the
value's key: 10^9 values of one slot meet about 100 times (n^2 / 2^53), which a model does not notice.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xxhash

UInt64s = npt.NDArray[np.uint64]

SEED = 0xFEED_5EED
SLOT_BITS = 12
VALUE_BITS = 52
MAX_SLOT = (1 << SLOT_BITS) - 1
VALUE_MASK = (1 << VALUE_BITS) - 1

MAX_ID_BYTES = 256


def hash_id(text: str) -> int:
    """The 64-bit key of an application id (or any other string): XXH3-64 of its UTF-8 bytes, never 0.

    0 is kept for "nothing".

    >>> hash_id("u1") == hash_id("u1"), hash_id("u1") == hash_id("u2")
    (True, False)
    """
    return xxhash.xxh3_64_intdigest(text.encode(), SEED) or 1


def hash_ids(texts: Iterable[str]) -> UInt64s:
    """The keys of many ids: uint64 [n]."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(text.encode(), SEED) or 1 for text in texts), dtype=np.uint64)


def feature_id(slot: int, key: int) -> int:
    """The feature id of a key in a slot; 0 ("nothing") stays 0."""
    return (slot << VALUE_BITS) | (key & VALUE_MASK) if key else 0


def feature_ids(slot: int, keys: UInt64s) -> UInt64s:
    """`feature_id` for many keys: uint64 [n] to uint64 [n]."""
    ids = (keys & np.uint64(VALUE_MASK)) | np.uint64(slot << VALUE_BITS)
    return np.where(keys == 0, np.uint64(0), ids)
