"""The journal of steps: which records each step took, on disk before the step is applied.

An entry is 40 bytes: number of the step, position of its first record, how many records, the version that a rollback
went back to, and a checksum, which is seeded with what the learner is. What a crash left half-written at the end is not
an entry, nor is what another learner has written.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

import xxhash

from feedmill.stream.files import storage_errors, sync_directory

_FIELDS = struct.Struct("<QQQQ")
_CHECK = struct.Struct("<Q")
_SIZE = _FIELDS.size + _CHECK.size


class Entry(NamedTuple):
    """A step that was about to be applied."""

    number: int
    position: int
    """Of its first record. Where there are no records, up to where the log was folded without learning from it; of a
    rollback where the log is learned on."""
    records: int
    version: int = 0
    """The step of the snapshot whose parameters a rollback brings back; 0 in all other steps."""


def _encode(entry: Entry, learner: int) -> bytes:
    fields = _FIELDS.pack(*entry)
    return fields + _CHECK.pack(xxhash.xxh3_64_intdigest(fields, learner))


class Journal:
    """A new file of entries, to append to."""

    def __init__(self, path: Path, learner: int) -> None:
        """Make the file, in place of any that is there. `learner` tells learners apart: 64 bits."""
        self._path = path
        self._learner = learner
        with storage_errors(path):
            # Without a buffer: what could not be written is not written later.
            self._file = path.open("wb", buffering=0)
            sync_directory(path.parent)

    def append(self, entry: Entry) -> None:
        """Returns when the entry is on disk; raises StorageError when it cannot be."""
        with storage_errors(self._path):
            left = memoryview(_encode(entry, self._learner))
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path, learner: int) -> list[Entry]:
    """The entries up to the first that is incomplete or another learner's; none where there is no file."""
    if not path.exists():
        return []
    with storage_errors(path):
        content = path.read_bytes()
    entries = []
    for start in range(0, len(content) - _SIZE + 1, _SIZE):
        entry = Entry(*_FIELDS.unpack_from(content, start))
        if content[start : start + _SIZE] != _encode(entry, learner):
            break
        entries.append(entry)
    return entries
