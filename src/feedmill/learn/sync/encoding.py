"""A delta as bytes.

    8 bytes   "FMDELTA1"
    8 bytes   XXH3 of all that follows
    4 bytes   length of the head
    head      MessagePack: the header, how many rows of which dimension, the length of the dense part
    rows      of each dimension: ids (uint64), then vectors (float32)
    dense

Numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec
import numpy as np
import xxhash

from feedmill.domain.errors import SnapshotError
from feedmill.learn.parameters import Rows
from feedmill.learn.sync.protocol import Delta, Header

MAGIC = b"FMDELTA1"
_CHECK = struct.Struct("<Q")
_LENGTH = struct.Struct("<I")
_LONGEST_HEAD = 1 << 20


class _Layout(msgspec.Struct, frozen=True):
    header: Header
    rows: tuple[tuple[int, int], ...]
    """Dimension and number of rows."""
    dense: int | None


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
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"damaged: {error}") from None


def encode(delta: Delta) -> bytes:
    """The bytes of a delta."""
    rows = tuple((dimension, len(some.ids)) for dimension, some in sorted(delta.rows.items()))
    head = msgspec.msgpack.encode(_Layout(delta.header, rows, None if delta.dense is None else len(delta.dense)))
    parts = [_LENGTH.pack(len(head)), head]
    for dimension, _ in rows:
        ids, vectors = delta.rows[dimension]
        parts += [ids.astype("<u8").tobytes(), vectors.astype("<f4").tobytes()]
    content = b"".join([*parts, delta.dense or b""])
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
    at = _LENGTH.size + length
    try:
        layout = msgspec.msgpack.decode(content[_LENGTH.size : at], type=_Layout)
        rows = {}
        for dimension, count in layout.rows:
            ids = np.frombuffer(content, "<u8", count, at).astype(np.uint64)
            vectors = np.frombuffer(content, "<f4", count * dimension, at + ids.nbytes).astype(np.float32)
            rows[dimension] = Rows(ids, vectors.reshape(count, dimension))
            at += ids.nbytes + vectors.nbytes
    except (msgspec.MsgspecError, ValueError) as error:
        raise SnapshotError(f"damaged: {error}") from None
    dense = None if layout.dense is None else bytes(content[at : at + layout.dense])
    if len(content) != at + (layout.dense or 0):
        raise SnapshotError("damaged: it is not as long as it says")
    return Delta(layout.header, rows, dense)
