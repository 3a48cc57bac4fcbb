"""What the methods of a table accept."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import MAX_SLOT, UInt64s
from feedmill.domain.optimizers import Ftrl
from feedmill.domain.slots import Segment, Slot

MAX_DIMENSION = 4096
MAX_ADMISSION = (1 << 16) - 1
WAITING = 1 << 20
"""Ids that wait for admission and are counted, where nothing else is asked for."""
MAX_WAITING = 1 << 32
MAX_SECONDS = (1 << 32) - 1
"""The times that a row can carry: the seconds from 1970 to 2106."""
EARLIEST = -(1 << 47)
"""The year -2490, in UTC milliseconds."""
LATEST = (1 << 48) - 1
"""The year 10889."""
_LARGEST = 1e6
"""Of a learning rate, an initial scale or an l2: within it no value of a row can overflow."""
_ALL = (1 << 63) - 1
_BOUNDS = {
    "learning_rate": (0.0, _LARGEST),
    # The first gradient may be 0, and is divided by the root of this.
    "initial_accumulator": (1e-30, 1e30),
    "beta1": (0.0, 0.9999999),
    "beta2": (0.0, 0.9999999),
    "epsilon": (1e-30, 1.0),
    "alpha": (1e-6, _LARGEST),
    "beta": (1e-6, _LARGEST),
    "l1": (0.0, _LARGEST),
}
"""Of what an optimizer is configured with."""


def checked_slots(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """The slots by number; raises InvalidArgument, naming the slot, where a table cannot be made of them."""
    ordered = tuple(sorted(slots, key=lambda slot: slot.number))
    if not ordered:
        raise InvalidArgument("slots: a table needs at least one")
    for one, other in itertools.pairwise(ordered):
        if one.number == other.number:
            raise InvalidArgument(f"slots: {one.name!r} and {other.name!r} share the number {one.number}")
    for slot in ordered:
        _check_slot(slot)
    return ordered


def checked_seed(seed: int) -> int:
    """The seed, 0 to 2^64 - 1."""
    return _integer("seed", seed, 0, (1 << 64) - 1)


def checked_waiting(waiting: int) -> int:
    """How many ids that wait are counted: 1 to 2^32."""
    return _integer("waiting", waiting, 1, MAX_WAITING)


def checked_time(now: int) -> int:
    """A time as a row carries it: whole seconds since 1970; before then the first, after 2106 the last."""
    return min(max(_integer("now", now, EARLIEST, LATEST) // 1000, 0), MAX_SECONDS)


def checked_version(since: int) -> int:
    """A version of some table."""
    return _integer("since", since, 0, (1 << 64) - 1)


def checked_ids(ids: UInt64s) -> UInt64s:
    """uint64 [n], contiguous."""
    _check_array("ids", ids, np.uint64, 1)
    return np.ascontiguousarray(ids)


def checked_offsets(offsets: Int64s) -> Int64s:
    """int64 [b + 1], contiguous and not empty."""
    _check_array("offsets", offsets, np.int64, 1)
    if len(offsets) == 0:
        raise InvalidArgument("offsets: must begin with 0, and is empty")
    return np.ascontiguousarray(offsets)


def checked_gradients(gradients: Float32s, bags: int) -> Float32s:
    """float32 [bags, dim], contiguous."""
    _check_array("gradients", gradients, np.float32, 2)
    if len(gradients) != bags:
        raise InvalidArgument(f"gradients: has {len(gradients)} rows for {bags} bags")
    return np.ascontiguousarray(gradients)


def checked_vectors(vectors: Float32s, ids: int) -> Float32s:
    """float32 [ids, dim], contiguous."""
    _check_array("vectors", vectors, np.float32, 2)
    if len(vectors) != ids:
        raise InvalidArgument(f"vectors: has {len(vectors)} rows for {ids} ids")
    return np.ascontiguousarray(vectors)


def chosen_out(out: Float32s | None, rows: int, dimension: int) -> Float32s:
    """Where a lookup writes: a new array, or the given one if it is float32 [rows, dimension], contiguous, writable."""
    if out is None:
        return np.empty((rows, dimension), dtype=np.float32)
    _check_array("out", out, np.float32, 2)
    if out.shape != (rows, dimension) or not out.flags.c_contiguous or not out.flags.writeable:
        raise InvalidArgument(f"out: its shape is {out.shape}; it must be {(rows, dimension)}, contiguous and writable")
    return out


def checked_threads(threads: int) -> int:
    """1 to 256 threads."""
    return _integer("threads", threads, 1, 256)


def checked_most(most: int | None) -> int:
    """How many rows to look at: all where None."""
    return _ALL if most is None else _integer("most", most, 1, _ALL)


def is_mean(pooling: str) -> bool:
    """Whether a pooling divides by the length of the bag."""
    if pooling not in ("sum", "mean"):
        raise InvalidArgument(f"pooling: is {pooling!r}; it must be 'sum' or 'mean'")
    return pooling == "mean"


def chosen_dimension(told: int, dimension: int | None, dimensions: frozenset[int]) -> int:
    """The dimension of a lookup: the one asked for, else the one that the ids tell (0 where none does)."""
    if dimension is not None:
        if dimension not in dimensions:
            raise InvalidArgument(f"dimension: no slot of the table has the dimension {dimension}")
        return dimension
    if told:
        return told
    if len(dimensions) > 1:
        raise InvalidArgument(f"ids: all are 0, and slots have the dimensions {sorted(dimensions)}; pass dimension=")
    return next(iter(dimensions))


def _check_slot(slot: Slot) -> None:
    where = f"slot {slot.name!r}"
    _integer(f"{where}: number", slot.number, 1, MAX_SLOT)
    _integer(f"{where}: admission", slot.admission, 1, MAX_ADMISSION)
    if slot.time_to_live is not None:
        _integer(f"{where}: time_to_live", slot.time_to_live, 1, MAX_SECONDS)
    if not 0 < slot.admission_probability <= 1:
        raise InvalidArgument(
            f"{where}: admission_probability is {slot.admission_probability}; it must be above 0 and at most 1"
        )
    if slot.admission > 1 and slot.admission_probability < 1:
        raise InvalidArgument(f"{where}: has an admission and an admission_probability; it can have one of them")
    for segment in slot.segments:
        _check_segment(where, segment)
    if not 1 <= slot.dimension <= MAX_DIMENSION:
        raise InvalidArgument(f"{where}: has {slot.dimension} columns; it must have 1 to {MAX_DIMENSION}")


def _check_segment(where: str, segment: Segment) -> None:
    _integer(f"{where}: width", segment.width, 1, MAX_DIMENSION)
    for name in ("initial_scale", "l2", "clip"):
        _number(f"{where}: {name}", getattr(segment, name), 0, _LARGEST)
    for name in segment.optimizer.__struct_fields__:
        _number(f"{where}: {name}", getattr(segment.optimizer, name), *_BOUNDS[name])
    if isinstance(segment.optimizer, Ftrl) and segment.initial_scale:
        raise InvalidArgument(f"{where}: initial_scale is {segment.initial_scale}; columns under FTRL start from zero")


def _number(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidArgument(f"{name} is {value}; it must lie between {least:g} and {most:g}")


def _integer(name: str, value: int, least: int, most: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidArgument(f"{name}: is {value!r}, not an integer") from None
    if not least <= number <= most:
        raise InvalidArgument(f"{name}: is {number}; it must lie between {least} and {most}")
    return number


def _check_array(name: str, array: Any, dtype: type[np.generic], dimensions: int) -> None:
    if not isinstance(array, np.ndarray):
        raise InvalidArgument(f"{name}: is a {type(array).__name__}, not a NumPy array")
    if array.dtype != dtype or array.ndim != dimensions:
        raise InvalidArgument(
            f"{name}: is {array.dtype} of {array.ndim} dimensions; it must be {np.dtype(dtype)} of {dimensions}"
        )
