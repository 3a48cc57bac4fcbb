"""A table in NumPy that says what is right: one id at a time, and not meant to be fast."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import VALUE_BITS, UInt64s
from feedmill.domain.optimizers import Adagrad, Adam, Ftrl, RowwiseAdagrad, Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table import arguments
from feedmill.learn.table.mixing import ALL_BITS, GOLDEN, mix, stream
from feedmill.learn.table.protocol import Pooling, Table, TableStats
from feedmill.learn.table.snapshot_file import Head, opened, written_aside
from feedmill.learn.table.storage import Storage, checked_storage, rounded
from feedmill.learn.table.waiting import Occurrences, Waiting

LARGEST_GRADIENT = 1e15
LARGEST_SUM = 1e18
_STATE = struct.Struct("<QQQ")
_ROW = struct.Struct("<QQq")
_WAITING = struct.Struct("<QIIq")
_CHECKSUM = struct.Struct("<Q")


def initial_vector(seed: int, feature_id: int, slot: Slot) -> Float32s:
    """The vector that a feature id starts from: float32 [dim].

    Column c takes word c of the SplitMix64 stream that the seed and the id begin; its top 24 bits are a number in
    [-1, 1), which is multiplied by the `initial_scale` of the column's segment.
    """
    start = stream(seed, feature_id)
    words = (mix((start + (column + 1) * GOLDEN) & ALL_BITS) for column in range(slot.dimension))
    units = np.array([(word >> 40) / (1 << 23) - 1 for word in words], dtype=np.float32)
    scales = [segment.initial_scale for segment in slot.segments for _ in range(segment.width)]
    return np.array(scales, dtype=np.float32) * units


@dataclass(slots=True)
class _Row:
    values: Float32s
    states: list[Float32s]
    """Of each segment's optimizer."""
    version: int
    time: int


class ReferenceTable(Table):
    """A dictionary of rows.

    The protocol `Table` says what each method does. Not for use by several threads; memory and time a row are a
    hundred times those of `EmbeddingTable`.
    """

    def __init__(
        self,
        slots: Iterable[Slot],
        seed: int = 0,
        *,
        waiting: int = arguments.WAITING,
        storage: Storage = "float32",
    ) -> None:
        """An empty table of these slots. Raises InvalidArgument, naming the slot, where one cannot be used."""
        self._storage = checked_storage(storage)
        self._head = Head(arguments.checked_seed(seed), arguments.checked_slots(slots))
        self._slots = {slot.number: slot for slot in self._head.slots}
        self._dimensions = frozenset(slot.dimension for slot in self._head.slots)
        self._rows: dict[int, _Row] = {}
        self._room = arguments.checked_waiting(waiting)
        self._waiting = Waiting(self._room)
        self._version = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def version(self) -> int:
        return self._version

    def stats(self) -> TableStats:
        used = sum(row.values.nbytes + sum(state.nbytes for state in row.states) for row in self._rows.values())
        return TableStats(len(self._rows), len(self._waiting), used, 0.0, 0.0, 0)

    def lookup(self, ids: UInt64s, dimension: int | None = None, *, out: Float32s | None = None) -> Float32s:
        ids = arguments.checked_ids(ids)
        rows = arguments.chosen_out(out, len(ids), self._dimension(ids, dimension))
        rows[:] = 0
        for position, row in enumerate(self._found(ids, rows.shape[1])):
            if row is not None:
                rows[position] = row.values
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
        rows[:] = 0
        found = self._found(ids, rows.shape[1])
        for bag, (begin, end) in enumerate(_bags(offsets, len(ids))):
            for row in found[begin:end]:
                if row is not None:
                    rows[bag] += row.values
            if mean and end > begin:
                rows[bag] /= np.float32(end - begin)
        return rows

    def update(self, ids: UInt64s, offsets: Int64s, gradients: Float32s, pooling: Pooling = "sum", *, now: int) -> None:
        ids = arguments.checked_ids(ids)
        offsets = arguments.checked_offsets(offsets)
        gradients = arguments.checked_gradients(gradients, len(offsets) - 1)
        mean = arguments.is_mean(pooling)
        now = arguments.checked_time(now)
        self._found(ids, gradients.shape[1])
        bags = _bags(offsets, len(ids))
        if not np.all(np.abs(gradients) <= LARGEST_GRADIENT):
            raise InvalidArgument("gradients: one is not finite or not within 1e15")
        self._check_learns()
        sums: dict[int, Float32s] = {}
        occurrences: dict[int, int] = {}
        for (begin, end), gradient in zip(bags, gradients, strict=True):
            share = gradient / np.float32(end - begin) if mean and end > begin else gradient
            for feature_id in ids[begin:end].tolist():
                if feature_id:
                    sums[feature_id] = sums.get(feature_id, np.float32(0)) + share
                    occurrences[feature_id] = occurrences.get(feature_id, 0) + 1
        for feature_id, gradient in sums.items():
            if not np.all(np.abs(gradient) <= LARGEST_SUM):
                raise InvalidArgument(f"gradients: those of the id {feature_id} add up to more than 1e18")
        self._version += 1
        known = {key: self._rows.get(key) for key in sums}
        admitted = {key for key, row in known.items() if row is None and self._is_admitted(key, occurrences[key])}
        counts = {key: occurrences[key] + self._waiting.count(key) for key in known}
        for feature_id in admitted:
            self._waiting.erase(feature_id)
        for feature_id, gradient in sums.items():
            row = self._new_row(feature_id, now) if feature_id in admitted else known[feature_id]
            if row is not None:
                _learn(self._slot(feature_id), row, gradient)
                row.version = self._version
                row.time = max(row.time, now)
                self._rows[feature_id] = row
            elif self._slot(feature_id).admission > 1:
                self._waiting.set(feature_id, counts[feature_id], now)

    def put(self, ids: UInt64s, vectors: Float32s, *, now: int) -> None:
        ids = arguments.checked_ids(ids)
        vectors = arguments.checked_vectors(vectors, len(ids))
        now = arguments.checked_time(now)
        self._found(ids, vectors.shape[1])
        if not np.all(np.isfinite(vectors)):
            raise InvalidArgument("vectors: one is not finite")
        self._version += 1
        last = {feature_id: vector for feature_id, vector in zip(ids.tolist(), vectors, strict=True) if feature_id}
        for feature_id, vector in last.items():
            self._waiting.erase(feature_id)
            row = self._rows.get(feature_id) or self._new_row(feature_id, now)
            row.values = rounded(vector[None], self._storage)[0].copy()
            row.version = self._version
            row.time = max(row.time, now)
            self._rows[feature_id] = row

    def touched(self, since: int) -> UInt64s:
        if arguments.checked_version(since) > self._version:
            raise InvalidArgument(f"since: is {since}, and the table is at version {self._version}")
        return np.array(sorted(key for key, row in self._rows.items() if row.version > since), dtype=np.uint64)

    def expire(self, now: int, most: int | None = None) -> int:
        now = arguments.checked_time(now)
        arguments.checked_most(most)
        before = len(self._rows)
        self._rows = {key: row for key, row in self._rows.items() if not self._is_old(key, row.time, now)}
        for key, waiting in self._waiting.sorted():
            if self._is_old(key, waiting.time, now):
                self._waiting.erase(key)
        return before - len(self._rows)

    def snapshot(self, path: str | os.PathLike[str], begun: Callable[[], None] = lambda: None) -> None:
        self._check_learns()
        content = bytearray(self._head.encode())
        content += _STATE.pack(self._version, len(self._rows), len(self._waiting))
        for key, row in sorted(self._rows.items(), key=lambda item: mix(item[0])):
            content += _ROW.pack(key, row.version, row.time) + row.values.tobytes()
            content += b"".join(state.tobytes() for state in row.states)
        for key, waiting in self._waiting.sorted():
            content += _WAITING.pack(key, waiting.count, waiting.second, waiting.time)
        content += _CHECKSUM.pack(crc64(content))
        with written_aside(Path(path)) as file:
            begun()
            file.write(content)

    def restore(self, path: str | os.PathLike[str]) -> None:
        with opened(Path(path), self._head) as (file, head_bytes):
            content = file.read()
            if len(content) < head_bytes + _STATE.size + _CHECKSUM.size:
                raise ValueError("it ends too early")
            if _CHECKSUM.unpack(content[-_CHECKSUM.size :]) != (crc64(content[: -_CHECKSUM.size]),):
                raise ValueError("its checksum is wrong")
            self._version, rows, waiting = _STATE.unpack_from(content, head_bytes)
            at = head_bytes + _STATE.size
            self._rows = {}
            for _ in range(rows):
                key, version, time = _ROW.unpack_from(content, at)
                at += _ROW.size
                row = _Row(
                    np.zeros(self._slot(key).dimension, np.float32), _initial_states(self._slot(key)), version, time
                )
                for columns in (row.values, *row.states):
                    columns[:] = np.frombuffer(content, np.float32, len(columns), at)
                    at += columns.nbytes
                row.values = rounded(row.values[None], self._storage)[0]
                self._rows[key] = row
            self._waiting = Waiting(self._room)
            for key, count, second, time in _WAITING.iter_unpack(content[at : at + waiting * _WAITING.size]):
                self._waiting.put(key, Occurrences(count, time, second))

    def _check_learns(self) -> None:
        if self._storage != "float32":
            raise InvalidArgument("the table is a copy to serve from; it takes rows with `put` or `restore`")

    def _dimension(self, ids: UInt64s, dimension: int | None) -> int:
        told = next((self._slot(key).dimension for key in ids.tolist() if key), 0) if dimension is None else 0
        return arguments.chosen_dimension(told, dimension, self._dimensions)

    def _slot(self, feature_id: int) -> Slot:
        number = feature_id >> VALUE_BITS
        if number not in self._slots:
            raise InvalidArgument(f"ids: {feature_id} is of slot {number}, which the table was not made with")
        return self._slots[number]

    def _found(self, ids: UInt64s, dimension: int) -> list[_Row | None]:
        """The row of each id; raises InvalidArgument where one belongs to no slot of this dimension."""
        if dimension not in self._dimensions:
            raise InvalidArgument(f"no slot of the table has the dimension {dimension}")
        for key in ids.tolist():
            if key and self._slot(key).dimension != dimension:
                raise InvalidArgument(f"ids: {key} has the dimension {self._slot(key).dimension}, not {dimension}")
        return [self._rows.get(key) for key in ids.tolist()]

    def _is_admitted(self, feature_id: int, occurrences: int) -> bool:
        """Whether an id without a row gets one for so many more occurrences."""
        slot = self._slot(feature_id)
        if slot.admission_probability < 1:
            return self._drawn(feature_id, occurrences)
        return self._waiting.count(feature_id) + occurrences >= slot.admission

    def _new_row(self, feature_id: int, now: int) -> _Row:
        slot = self._slot(feature_id)
        values = initial_vector(self._head.seed, feature_id, slot)
        return _Row(values, _initial_states(slot), self._version, now)

    def _drawn(self, feature_id: int, occurrences: int) -> bool:
        """Whether one of so many occurrences admits an id: by a word of a stream of the seed's complement."""
        refused = 1.0
        for _ in range(occurrences):
            if refused > 1e-12:
                refused *= 1.0 - self._slot(feature_id).admission_probability
        word = mix(stream(~self._head.seed & ALL_BITS, feature_id) + self._version * GOLDEN & ALL_BITS)
        return (word >> 11) * 2.0**-53 >= refused

    def _is_old(self, feature_id: int, time: int, now: int) -> bool:
        time_to_live = self._slot(feature_id).time_to_live
        return time_to_live is not None and now - time >= time_to_live


def crc64(content: bytes | bytearray) -> int:
    """CRC-64/XZ.

    >>> hex(crc64(b"123456789"))  # the check value of the catalogue of CRC algorithms
    '0x995dc9bbdf1939fa'
    """
    crc = ALL_BITS
    for byte in content:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ ALL_BITS


def _crc_table() -> Iterator[int]:
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)
        yield crc


_CRC_TABLE = tuple(_crc_table())


def _bags(offsets: Int64s, ids: int) -> list[tuple[int, int]]:
    if offsets[0] != 0 or offsets[-1] != ids or np.any(offsets[1:] < offsets[:-1]):
        raise InvalidArgument(f"offsets: must go from 0 to {ids}, the number of ids, and never decrease")
    bounds = offsets.tolist()
    return list(itertools.pairwise(bounds))


def _initial_states(slot: Slot) -> list[Float32s]:
    return [_initial_state(segment) for segment in slot.segments]


def _initial_state(segment: Segment) -> Float32s:
    match segment.optimizer:
        case Sgd():
            return np.zeros(0, np.float32)
        case Adagrad(initial_accumulator=initial):
            return np.full(segment.width, initial, np.float32)
        case RowwiseAdagrad(initial_accumulator=initial):
            return np.full(1, initial, np.float32)
        case Adam():
            # First and second moments, and the powers of the betas.
            return np.append(np.zeros(2 * segment.width, np.float32), np.ones(2, np.float32))
        case Ftrl():
            # z and n.
            return np.zeros(2 * segment.width, np.float32)


def _learn(slot: Slot, row: _Row, gradient: Float32s) -> None:
    begin = 0
    for segment, state in zip(slot.segments, row.states, strict=True):
        columns = slice(begin, begin + segment.width)
        _apply(segment, _clipped(segment, gradient[columns]), row.values[columns], state)
        begin += segment.width


def _clipped(segment: Segment, gradient: Float32s) -> Float32s:
    clip = np.float32(segment.clip)
    norm = np.sqrt(_sum(gradient * gradient))
    return gradient * (clip / norm) if clip > 0 and norm > clip else gradient


def _apply(segment: Segment, gradient: Float32s, values: Float32s, state: Float32s) -> None:
    """One update of a segment, in place: `values` and `state` are float32 views of a row."""
    l2, width = np.float32(segment.l2), segment.width
    parameters = [np.float32(getattr(segment.optimizer, name)) for name in segment.optimizer.__struct_fields__]
    match segment.optimizer:
        case Sgd():
            (rate,) = parameters
            values -= rate * (gradient + l2 * values)
        case Adagrad():
            rate, _ = parameters
            gradient = gradient + l2 * values
            state += gradient * gradient
            values -= rate * gradient / np.sqrt(state)
        case RowwiseAdagrad():
            rate, _ = parameters
            gradient = gradient + l2 * values
            state += _sum(gradient * gradient) / np.float32(width)
            values -= rate * gradient / np.sqrt(state)
        case Adam():
            rate, beta1, beta2, epsilon = parameters
            gradient = gradient + l2 * values
            first, second, powers = state[:width], state[width : 2 * width], state[2 * width :]
            powers *= [beta1, beta2]
            first[:] = beta1 * first + (_ONE - beta1) * gradient
            second[:] = beta2 * second + (_ONE - beta2) * (gradient * gradient)
            root = np.sqrt(second / (_ONE - powers[1]))
            values -= rate * (first / (_ONE - powers[0])) / (root + epsilon)
        case Ftrl():
            alpha, beta, l1 = parameters
            z, n = state[:width], state[width:]
            root = np.sqrt(n + gradient * gradient)
            z += gradient - (root - np.sqrt(n)) / alpha * values
            n += gradient * gradient
            beyond = np.abs(z) - l1
            values[:] = np.where(beyond > 0, np.copysign(beyond, -z) / ((beta + root) / alpha + l2), np.float32(0))


def _sum(values: Float32s) -> np.float32:
    """Added up one after another, as the native table does."""
    total = np.float32(0)
    for value in values:
        total = np.float32(total + value)
    return total


_ONE = np.float32(1)
