"""Sealed segments: files of sorted (key, position) pairs behind a filter, written once and read through a memory map.

A segment covers the records from position `first` up to `end` and is named for both. It is written aside, checksummed,
synced and renamed, so a file that has its name is whole; one that is damaged later fails its checksum and is rebuilt
from the log. A key costs 18 bytes of disk. The filter is a split-block Bloom filter of 16 bits a key; one in about 750
unknown keys passes it and is searched for in vain.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from feedmill import _native
from feedmill.domain.errors import InvalidFile
from feedmill.domain.ids import UInt64s

Positions = npt.NDArray[np.int64]
Hits = tuple[Positions, Positions]
"""Indices into the keys asked for, and a position where each stands. A key may have several."""

SUFFIX = ".keys"
UNFINISHED = ".tmp"

_MAGIC = int.from_bytes(b"FMKEYS\x00\x01", "little")
# Magic, identity of the log, first, end, keys, filter blocks; then the checksum of all that and of what follows. In the
# byte order of the machine: a file from a machine of the other order fails at the magic and is rebuilt.
_HEADER = struct.Struct("=Q16sqqQQ")
_CHECKSUM = struct.Struct("=Q")
_BODY = _HEADER.size + _CHECKSUM.size
# Synced piece by piece, so that an append that syncs meanwhile waits for one piece and not for a whole segment.
_PIECE = 8 << 20


class Segment:
    """One sealed segment, mapped. Not changed once made; any number of threads may search it."""

    def __init__(self, path: Path, buffer: mmap.mmap, header: tuple[int, bytes, int, int, int, int]) -> None:
        _, _, self.first, self.end, count, blocks = header
        self.path = path
        self.filter = np.frombuffer(buffer, np.uint32, blocks * 8, _BODY).reshape(blocks, 8)
        self.keys = np.frombuffer(buffer, np.uint64, count, _BODY + blocks * 32)
        self.positions = np.frombuffer(buffer, np.int64, count, _BODY + blocks * 32 + count * 8)

    def find(self, keys: UInt64s) -> Hits:
        """Where `keys` stand. About 20 ns a key that is not here, up to 1 us for one that is."""
        return _native.find_keys(self.filter, self.keys, self.positions, keys)


def segment_path(directory: Path, first: int, end: int) -> Path:
    """The name of the segment of these positions."""
    return directory / f"{first:016d}-{end:016d}{SUFFIX}"


def write_segment(
    directory: Path, identity: bytes, first: int, end: int, parts: Sequence[tuple[UInt64s, Positions]]
) -> Segment:
    """Merge sorted parts into a segment of the log with this identity, and open it.

    When this returns the file is durable. Raises OSError when it cannot be written, and then leaves nothing behind.
    """
    count = sum(len(keys) for keys, _ in parts)
    blocks = _native.key_filter_blocks(count)
    size = _BODY + blocks * 32 + count * 16
    header = (_MAGIC, identity, first, end, count, blocks)
    path = segment_path(directory, first, end)
    aside = path.with_suffix(UNFINISHED)
    try:
        with aside.open("w+b") as file:
            # A write through a map to a full disk would kill the process; space that was written to is there.
            for start in range(0, size, _PIECE):
                file.write(bytes(min(_PIECE, size - start)))
            file.flush()
            buffer = mmap.mmap(file.fileno(), size)
            _fill(buffer, header, parts)
            # Arrays over the writable map are gone by now; readers get a map of their own that cannot write.
            buffer.close()
            os.fsync(file.fileno())
            buffer = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    return Segment(path, buffer, header)


def open_segment(path: Path, identity: bytes) -> Segment:
    """Map a segment and verify it; reads all of it once, at the speed of the disk.

    Raises InvalidFile, saying why, when it is torn, altered or of another log; OSError when it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _BODY:
            raise InvalidFile(f"{path}: {size} bytes, shorter than a header")
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header = _HEADER.unpack_from(buffer)
    magic, owner, first, end, count, blocks = header
    if magic != _MAGIC:
        raise InvalidFile(f"{path}: not a key segment of this version")
    if owner != identity:
        raise InvalidFile(f"{path}: belongs to another log")
    if blocks < 1 or size != _BODY + blocks * 32 + count * 16:
        raise InvalidFile(f"{path}: {size} bytes do not fit its header")
    if path.name != segment_path(path.parent, first, end).name:
        raise InvalidFile(f"{path}: holds positions {first} to {end}, not those of its name")
    if _CHECKSUM.unpack_from(buffer, _HEADER.size)[0] != _checksum(buffer, size, sync=False):
        raise InvalidFile(f"{path}: checksum does not match")
    return Segment(path, buffer, header)


def sync_directory(directory: Path) -> None:
    """Make names that were added to or removed from a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(
    buffer: mmap.mmap, header: tuple[int, bytes, int, int, int, int], parts: Sequence[tuple[UInt64s, Positions]]
) -> None:
    _HEADER.pack_into(buffer, 0, *header)
    count, blocks = header[-2:]
    key_filter = np.frombuffer(buffer, np.uint32, blocks * 8, _BODY).reshape(blocks, 8)
    keys = np.frombuffer(buffer, np.uint64, count, _BODY + blocks * 32)
    positions = np.frombuffer(buffer, np.int64, count, _BODY + blocks * 32 + count * 8)
    _native.merge_keys(parts, keys, positions)
    _native.fill_key_filter(keys, key_filter)
    _CHECKSUM.pack_into(buffer, _HEADER.size, _checksum(buffer, len(buffer), sync=True))


def _checksum(buffer: mmap.mmap, size: int, sync: bool) -> int:
    digest = xxhash.xxh3_64(buffer[: _HEADER.size])
    with memoryview(buffer) as view:
        for start in range(_BODY, size, _PIECE):
            with view[start : min(start + _PIECE, size)] as piece:
                digest.update(piece)
            if sync:
                page = start - start % mmap.PAGESIZE
                buffer.flush(page, min(_PIECE, size - page))
    return digest.intdigest()
