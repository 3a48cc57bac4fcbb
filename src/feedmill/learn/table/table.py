"""The collisionless embedding table, in native code."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from feedmill import _native
from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument, OutOfMemory
from feedmill.domain.ids import UInt64s
from feedmill.domain.optimizers import Adagrad, Adam, Ftrl, Optimizer, RowwiseAdagrad, Sgd
from feedmill.domain.slots import Slot
from feedmill.learn.table import arguments
from feedmill.learn.table.arguments import WAITING
from feedmill.learn.table.protocol import Pooling, Table, TableStats
from feedmill.learn.table.snapshot_file import Head, opened, written_aside
from feedmill.learn.table.storage import STORAGES, Storage, checked_storage

_OPTIMIZERS: tuple[type[Optimizer], ...] = (Sgd, Adagrad, RowwiseAdagrad, Adam, Ftrl)
"""In the order of their native numbers."""

Kernel = Literal["auto", "portable", "avx2", "avx512"]

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddingTable(Table):
    """A row for every feature id that is worth one, without collisions (Monolith, arXiv 2209.07663, section 2.1).

    The protocol `Table` says what each method does. No method holds the interpreter's
    lock while it works. Readers take no lock. A find costs two cache misses, asked for ahead: one in the index, one in
    the vectors. A row never moves; the index grows a few thousand ids at a time.

    >>> import numpy as np
    >>> from feedmill.domain.ids import feature_id
    >>> from feedmill.domain.optimizers import Adagrad
    >>> from feedmill.domain.slots import Segment, Slot
    >>> adagrad = Adagrad(learning_rate=0.5, initial_accumulator=9.0)
    >>> table = EmbeddingTable([Slot(1, "demo/user", (Segment(width=2, optimizer=adagrad),))])
    >>> ids = np.array([feature_id(1, 7), feature_id(1, 8)], dtype=np.uint64)
    >>> table.lookup(ids[:1])
    array([[0., 0.]], dtype=float32)
    >>> table.update(ids, np.array([0, 2]), np.array([[4.0, 0.0]], dtype=np.float32), now=1_651_161_600_000)
    >>> table.lookup(ids[:1])  # -0.5 * 4 / sqrt(9 + 4 * 4)
    array([[-0.4,  0. ]], dtype=float32)
    >>> table.pooled_lookup(ids, np.array([0, 2]))
    array([[-0.8,  0. ]], dtype=float32)
    >>> len(table), table.version, table.touched(since=0) == np.sort(ids)
    (2, 1, array([ True,  True]))
    """

    def __init__(
        self,
        slots: Iterable[Slot],
        seed: int = 0,
        *,
        waiting: int = WAITING,
        storage: Storage = "float32",
        threads: int = 1,
        kernel: Kernel = "auto",
    ) -> None:
        """An empty table of these slots.

        `waiting` is how many ids are counted that wait for an admission above 1, in 32 to 64 bytes each, a page at a
        time. Counts are those of the ids themselves: none is admitted too early. Where an id finds no room, one that
        was seen longer ago is forgotten, and counts anew when it comes again: 2 in 100,000 of so many, and 8 in 100 of
        twice as many.

        With a `storage` of bfloat16 or int8 it is a copy to serve from: vectors are rounded to a half or, with 4 bytes
        a vector, a quarter of their size, and there is no state of optimizers. It takes rows with `put`, or with
        `restore` from a snapshot of the table that learns; `update` and `snapshot` raise InvalidArgument.

        `threads` is how many a lookup, and the arithmetic of an update, of some ten thousand ids may use. `kernel` is
        how the index is searched, by default the best way that the processor has; results are the same with each.

        Raises InvalidArgument, naming the slot, where one cannot be used, and for a kernel that the processor lacks.
        """
        self._head = Head(arguments.checked_seed(seed), arguments.checked_slots(slots))
        waiting = arguments.checked_waiting(waiting)
        self._dimensions = frozenset(slot.dimension for slot in self._head.slots)
        self._threads = arguments.checked_threads(threads)
        self.storage = checked_storage(storage)
        """How vectors are kept."""
        native_slots = [_native_slot(slot) for slot in self._head.slots]
        number = STORAGES.index(self.storage)
        self._rows = _refused(_native.Table, self._head.seed, native_slots, waiting, number, kernel)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The dimensions of the slots, each once, in their order."""
        return tuple(sorted(self._dimensions))

    def on_threads(self, threads: int) -> EmbeddingTable:
        """The same table, not a copy, for calls that may use so many threads."""
        view = copy.copy(self)
        view._threads = arguments.checked_threads(threads)
        return view

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def version(self) -> int:
        return self._rows.version

    def stats(self) -> TableStats:
        rows, waiting, used, learned, huge, load = self._rows.stats()
        return TableStats(rows, waiting, used, (used - learned) / rows if rows else 0.0, load, huge)

    def lookup(self, ids: UInt64s, dimension: int | None = None, *, out: Float32s | None = None) -> Float32s:
        ids = arguments.checked_ids(ids)
        rows = arguments.chosen_out(out, len(ids), self._dimension(ids, dimension))
        _refused(self._rows.lookup, ids, rows, self._threads)
        return rows

    def pooled_lookup(
        self,
        ids: UInt64s,
        offsets: Int64s,
        pooling: Pooling = "sum",
        dimension: int | None = None,
        *,
        out: Float32s | None = None,
    ) -> Float32s:
        ids = arguments.checked_ids(ids)
        offsets = arguments.checked_offsets(offsets)
        mean = arguments.is_mean(pooling)
        rows = arguments.chosen_out(out, len(offsets) - 1, self._dimension(ids, dimension))
        _refused(self._rows.pooled_lookup, ids, offsets, mean, rows, self._threads)
        return rows

    def update(self, ids: UInt64s, offsets: Int64s, gradients: Float32s, pooling: Pooling = "sum", *, now: int) -> None:
        ids = arguments.checked_ids(ids)
        offsets = arguments.checked_offsets(offsets)
        gradients = arguments.checked_gradients(gradients, len(offsets) - 1)
        mean = arguments.is_mean(pooling)
        seconds = arguments.checked_time(now)
        _refused(self._rows.update, ids, offsets, gradients, mean, seconds, self._threads)

    def put(self, ids: UInt64s, vectors: Float32s, *, now: int) -> None:
        ids = arguments.checked_ids(ids)
        vectors = arguments.checked_vectors(vectors, len(ids))
        _refused(self._rows.put, ids, vectors, arguments.checked_time(now))

    def touched(self, since: int) -> UInt64s:
        return _refused(self._rows.touched, arguments.checked_version(since))

    def expire(self, now: int, most: int | None = None) -> int:
        return _refused(self._rows.expire, arguments.checked_time(now), arguments.checked_most(most))

    def snapshot(self, path: str | os.PathLike[str], begun: Callable[[], None] = lambda: None) -> None:
        with written_aside(Path(path)) as file:
            _refused(self._rows.write, file.fileno(), self._head.encode(), begun)

    def restore(self, path: str | os.PathLike[str]) -> None:
        with opened(Path(path), self._head) as (file, head_bytes):
            try:
                self._rows.read(file.fileno(), head_bytes)
            except MemoryError:
                raise OutOfMemory(f"{path}: the system gives no memory for the table; give the machine more") from None

    def _dimension(self, ids: UInt64s, dimension: int | None) -> int:
        told = _refused(self._rows.dimension_of, ids) if dimension is None else 0
        return arguments.chosen_dimension(told, dimension, self._dimensions)


def _native_slot(slot: Slot) -> _native.TableSlot:
    segments = [(s.width, *_native_optimizer(s.optimizer), s.initial_scale, s.l2, s.clip) for s in slot.segments]
    return slot.number, segments, slot.admission, slot.admission_probability, slot.time_to_live


def _native_optimizer(optimizer: Optimizer) -> tuple[int, list[float]]:
    """Its number, and its fields in their order, filled up to four."""
    parameters = [float(getattr(optimizer, field)) for field in optimizer.__struct_fields__]
    return _OPTIMIZERS.index(type(optimizer)), parameters + [0.0] * (4 - len(parameters))


def _refused(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A native call, whose refusals become InvalidArgument, and OutOfMemory where the system gives no memory."""
    try:
        return call(*args, **kwargs)
    except ValueError as error:
        raise InvalidArgument(str(error)) from None
    except MemoryError:
        raise OutOfMemory(
            "the embedding table: the system gives no more memory; give the machine more, or the table fewer rows"
            " (an admission, a time to live)"
        ) from None
