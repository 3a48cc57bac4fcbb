"""Vectors in fewer bytes, for copies that serve and for what is sent to them.

The native table rounds alike, bit for bit.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import InvalidArgument

Storage = Literal["float32", "bfloat16", "int8"]
"""How the numbers of a vector are kept: as they are; in 16 bits, within a 256th of each; or in 8 bits, within a 254th
of the largest number of the vector, and 4 bytes a vector."""

STORAGES: tuple[Storage, ...] = get_args(Storage)
"""In the order of their native numbers."""

_INFINITE = 0x7F80
LARGEST_SCALE = np.float32(float.fromhex("0x1.020406p+121"))
"""127 of it are finite."""


def checked_storage(storage: str) -> Storage:
    """The storage of that name; raises InvalidArgument where there is none."""
    for known in STORAGES:
        if storage == known:
            return known
    raise InvalidArgument(f"storage: is {storage!r}; it must be one of {', '.join(STORAGES)}")


def to_bfloat16(vectors: Float32s) -> npt.NDArray[np.uint16]:
    """uint16 [n, dim] of float32 [n, dim]: the upper halves, rounded to nearest, ties to even.

    Numbers are finite, and stay so.

    >>> [hex(half) for half in to_bfloat16(np.array([[1.0, 1.00390625, 3.4e38]], dtype=np.float32))[0]]
    ['0x3f80', '0x3f80', '0x7f7f']
    """
    bits = np.ascontiguousarray(vectors).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16
    halves[halves & 0x7FFF == _INFINITE] -= 1
    return halves.astype(np.uint16)


def to_bfloat16_scales(scales: Float32s) -> npt.NDArray[np.uint16]:
    """uint16 [n] of scales, float32 [n]: the least bfloat16 that is not below one; 127 of it are finite."""
    halves = (scales.view(np.uint32) + np.uint32(0xFFFF)) >> 16
    least: npt.NDArray[np.uint16] = np.minimum(halves, LARGEST_SCALE.view(np.uint32) >> 16).astype(np.uint16)
    return least


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> Float32s:
    """float32 of uint16, of any shape."""
    numbers: Float32s = (halves.astype(np.uint32) << 16).view(np.float32)
    return numbers


def int8_scales(vectors: Float32s) -> Float32s:
    """float32 [n]: a 127th of the largest number of each vector; 127 of it are finite."""
    scales: Float32s = np.minimum(np.abs(vectors).max(axis=1, initial=0.0) / np.float32(127), LARGEST_SCALE)
    return scales


def to_int8(vectors: Float32s, scales: Float32s) -> npt.NDArray[np.int8]:
    """int8 [n, dim] of float32 [n, dim] in steps of scales, float32 [n].

    >>> vectors = np.array([[0.0, -2.54, 0.03]], dtype=np.float32)
    >>> to_int8(vectors, int8_scales(vectors)).tolist()
    [[0, -127, 2]]
    """
    ratios = np.divide(vectors, scales[:, None], out=np.zeros_like(vectors), where=scales[:, None] > 0)
    return np.clip(np.rint(ratios), -127, 127).astype(np.int8)


def from_int8(scales: Float32s, steps: npt.NDArray[np.int8]) -> Float32s:
    """float32 [n, dim] of scales, float32 [n], and int8 [n, dim]."""
    vectors: Float32s = scales[:, None] * steps.astype(np.float32)
    return vectors


def rounded(vectors: Float32s, storage: Storage) -> Float32s:
    """What is read of vectors, float32 [n, dim], that are kept so."""
    match storage:
        case "float32":
            return vectors
        case "bfloat16":
            return from_bfloat16(to_bfloat16(vectors))
        case "int8":
            scales = int8_scales(vectors)
            return from_int8(scales, to_int8(vectors, scales))
