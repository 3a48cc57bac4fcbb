"""A delta as bytes.

    8 bytes   "FMDELTA2"
    8 bytes   XXH3 of all that follows
    4 bytes   length of the head
    head      MessagePack: the header, what rows there are, the length of the dense part
    rows      of each dimension: its ids, slot by slot, then its vectors, as the header's `storage` says
    dense

The ids of a slot are ascending: of each the distance from the one before, the first from the slot's beginning, in as
many bytes as the largest needs. Vectors are float32; or bfloat16; or int8, behind a bfloat16 of each, which times the
int8 are its numbers. Numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Annotated, BinaryIO

import msgspec
import numpy as np
import xxhash

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import SnapshotError
from feedmill.domain.ids import MAX_SLOT, VALUE_BITS, UInt64s
from feedmill.learn.parameters import Rows
from feedmill.learn.sync.protocol import Delta, Header
from feedmill.learn.table.storage import (
    LARGEST_SCALE,
    Storage,
    from_bfloat16,
    from_int8,
    int8_scales,
    to_bfloat16,
    to_bfloat16_scales,
    to_int8,
)

MAGIC = b"FMDELTA2"
_CHECK = struct.Struct("<Q")
_LENGTH = struct.Struct("<I")
_LONGEST_HEAD = 1 << 20

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
_Slot = Annotated[int, msgspec.Meta(ge=0, le=MAX_SLOT)]
_Width = Annotated[int, msgspec.Meta(ge=1, le=8)]


class _Ids(msgspec.Struct, frozen=True, array_like=True):
    """The ids of a slot."""

    slot: _Slot
    count: _Count
    width: _Width
    """Bytes of a distance."""


class _Rows(msgspec.Struct, frozen=True, array_like=True):
    """The rows of a dimension."""

    dimension: _Count
    ids: tuple[_Ids, ...]


class _Layout(msgspec.Struct, frozen=True):
    header: Header
    rows: tuple[_Rows, ...]
    dense: _Count | None


def decode_header(file: BinaryIO) -> Header:
    """The header of an encoded delta, whose checksum is not looked at. Raises SnapshotError where it is none."""
    start = len(MAGIC) + _CHECK.size
    beginning = file.read(start + _LENGTH.size)
    if beginning[: len(MAGIC)] != MAGIC or len(beginning) < start + _LENGTH.size:
        raise SnapshotError("damaged: it is no delta")
    (length,) = _LENGTH.unpack_from(beginning, start)
    if length > _LONGEST_HEAD:
        raise SnapshotError("damaged: its head has no end")
    try:
        return msgspec.msgpack.decode(file.read(length), type=_Layout).header
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"damaged: {error}") from None


def encode(delta: Delta) -> bytes:
    """The bytes of a delta, whose vectors are rounded as its header says."""
    layouts, parts = [], []
    for dimension, (ids, vectors) in sorted(delta.rows.items()):
        slots, encoded = _encode_ids(ids)
        layouts.append(_Rows(dimension, slots))
        parts += [*encoded, _encode_vectors(vectors, delta.header.storage)]
    dense = delta.dense or b""
    head = msgspec.msgpack.encode(
        _Layout(delta.header, tuple(layouts), None if delta.dense is None else len(dense))
    )  # fmt: skip
    content = b"".join([_LENGTH.pack(len(head)), head, *parts, dense])
    return MAGIC + _CHECK.pack(xxhash.xxh3_64_intdigest(content)) + content


def decode(encoded: bytes) -> Delta:
    """The delta that `encode` made bytes of. Raises SnapshotError where they are torn, altered or something else."""
    start = len(MAGIC) + _CHECK.size
    if encoded[: len(MAGIC)] != MAGIC or len(encoded) < start + _LENGTH.size:
        raise SnapshotError("damaged: it is no delta")
    content = memoryview(encoded)[start:]
    if _CHECK.unpack_from(encoded, len(MAGIC)) != (xxhash.xxh3_64_intdigest(content),):
        raise SnapshotError("damaged: its checksum is wrong")
    (length,) = _LENGTH.unpack_from(content)
    reader = _Reader(content[_LENGTH.size :])
    try:
        layout = msgspec.msgpack.decode(reader.take(length), type=_Layout)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"damaged: {error}") from None
    rows = {}
    for some in layout.rows:
        ids = np.concatenate([_decode_ids(slot, reader) for slot in some.ids] or [np.zeros(0, np.uint64)])
        rows[some.dimension] = Rows(ids, _decode_vectors(len(ids), some.dimension, layout.header.storage, reader))
    dense = None if layout.dense is None else bytes(reader.take(layout.dense))
    if reader.left:
        raise SnapshotError("damaged: it is longer than it says")
    return Delta(layout.header, rows, dense)


class _Reader:
    """Bytes, taken one part after another."""

    def __init__(self, content: memoryview) -> None:
        self.left = content

    def take(self, size: int) -> memoryview:
        """The next so many. Raises SnapshotError where there are fewer."""
        if size > len(self.left):
            raise SnapshotError("damaged: it ends too early")
        taken, self.left = self.left[:size], self.left[size:]
        return taken


def _encode_ids(ids: UInt64s) -> tuple[tuple[_Ids, ...], list[bytes]]:
    slots = (ids >> np.uint64(VALUE_BITS)).astype(np.int64)
    layouts, encoded = [], []
    for slot in np.unique(slots).tolist():
        values = ids[slots == slot] & np.uint64((1 << VALUE_BITS) - 1)
        distances = np.diff(values, prepend=np.uint64(0))
        width = max(1, (int(distances.max()).bit_length() + 7) // 8)
        layouts.append(_Ids(slot, len(values), width))
        encoded.append(distances.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes())
    return tuple(layouts), encoded


def _decode_ids(layout: _Ids, reader: _Reader) -> UInt64s:
    distances = np.zeros((layout.count, 8), np.uint8)
    taken = reader.take(layout.count * layout.width)
    distances[:, : layout.width] = np.frombuffer(taken, np.uint8).reshape(-1, layout.width)
    values = np.cumsum(distances.view("<u8")[:, 0], dtype=np.uint64)
    return values | np.uint64(layout.slot << VALUE_BITS)


def _encode_vectors(vectors: Float32s, storage: Storage) -> bytes:
    match storage:
        case "float32":
            return vectors.astype("<f4").tobytes()
        case "bfloat16":
            return to_bfloat16(vectors).astype("<u2").tobytes()
        case "int8":
            scales = to_bfloat16_scales(int8_scales(vectors))
            return scales.astype("<u2").tobytes() + to_int8(vectors, from_bfloat16(scales)).tobytes()


def _decode_vectors(n: int, dimension: int, storage: Storage, reader: _Reader) -> Float32s:
    shape = n, dimension
    match storage:
        case "float32":
            return np.frombuffer(reader.take(4 * n * dimension), "<f4").astype(np.float32).reshape(shape)
        case "bfloat16":
            return from_bfloat16(np.frombuffer(reader.take(2 * n * dimension), "<u2").reshape(shape))
        case "int8":
            scales = from_bfloat16(np.frombuffer(reader.take(2 * n), "<u2"))
            if not (scales <= LARGEST_SCALE).all() or not (scales >= 0).all():
                raise SnapshotError("damaged: it has an impossible scale")
            return from_int8(scales, np.frombuffer(reader.take(n * dimension), np.int8).reshape(shape))
