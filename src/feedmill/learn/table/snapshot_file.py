"""The file of a table's snapshot.

All numbers are little-endian:

    8 bytes     "FMTABLE1"
    uint64      length of the head
    head        JSON: the seed and the slots of the table
    uint64 x 3  version, rows, ids that wait for admission
    rows        uint64 id, uint64 version of the last change, int64 time, float32 vector, as many as the id's slot has
                columns, float32 state of its segments' optimizers; by the SplitMix64 hash of the id, but for rows that
                changed while the snapshot was taken
    waiting     in the order of their ids: uint64 id, uint32 occurrences, uint32 which of its two buckets it lies in
                (`feedmill.learn.table.waiting`), int64 time of the last

Times are seconds since 1970.
    uint64      CRC-64/XZ of everything before
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from feedmill.domain.errors import SnapshotError
from feedmill.domain.slots import Slot
from feedmill.stream.files import storage_errors, sync_directory

MAGIC = b"FMTABLE1"
_LENGTH = struct.Struct("<Q")


class Head(msgspec.Struct, frozen=True):
    """What a snapshot says of the table that it is of."""

    seed: int
    slots: tuple[Slot, ...]

    def encode(self) -> bytes:
        """The beginning of the file."""
        text = msgspec.json.encode(self)
        return MAGIC + _LENGTH.pack(len(text)) + text


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path`, on disk and complete, when the body ends; if it fails, none does.

    Raises StorageError for what the operating system refuses. A file that a crash has left aside is overwritten.
    """
    with storage_errors(path):
        aside = path.with_name(f".{path.name}.part")
        try:
            with aside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        sync_directory(path.parent)


@contextlib.contextmanager
def opened(path: Path, own: Head) -> Iterator[tuple[BinaryIO, int]]:
    """A snapshot of a table like one's own, at its beginning, and the bytes of its head.

    Raises SnapshotError, naming the file, when there is none, when it is of another table, and for a ValueError of the
    body, which is how a reader says what is wrong with the rest.
    """
    try:
        with path.open("rb", buffering=0) as file:
            length = _check_head(file, own)
            file.seek(0)
            yield file, length
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read ({error.strerror or error}); take another snapshot") from error
    except ValueError as error:
        raise SnapshotError(f"{path}: not a snapshot of this table: {error}") from None


def _check_head(file: BinaryIO, own: Head) -> int:
    start = file.read(len(MAGIC) + _LENGTH.size)
    if not start.startswith(MAGIC):
        what = "of another version of Feedmill" if start.startswith(MAGIC[:-1]) else "no snapshot of a table"
        raise ValueError(f"it is {what}")
    if len(start) < len(MAGIC) + _LENGTH.size:
        raise ValueError("it ends too early")
    length: int = _LENGTH.unpack_from(start, len(MAGIC))[0]
    if length > os.fstat(file.fileno()).st_size - len(start):
        raise ValueError("it ends too early")
    try:
        head = msgspec.json.decode(file.read(length), type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"its head has been altered ({error})") from None
    if head.seed != own.seed:
        raise ValueError(f"its seed is {head.seed}, not {own.seed}")
    if head.slots != own.slots:
        mine = {slot.number: slot for slot in own.slots}
        theirs = {slot.number: slot for slot in head.slots}
        number = min(n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n))
        raise ValueError(f"its slots are others: {number} is {theirs.get(number)}, not {mine.get(number)}")
    return len(start) + length
