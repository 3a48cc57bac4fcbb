"""What was set aside: a step whose loss or gradient was not finite, by its place in the log, in a file for people.

A line is a JSON object. Recovery executes steps again and sets the same aside; what has its line already gets no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from feedmill.domain.clock import Clock, format_time
from feedmill.stream.files import storage_errors


class Refusal(msgspec.Struct, frozen=True):
    """Examples that a model has not learned from; its parameters are as they were."""

    model: str
    """`ranker` or `towers`."""
    examples: int
    reason: str


class SetAside(msgspec.Struct, frozen=True):
    """A step of which some was not learned."""

    step: int
    position: int
    """Of its first record in the log."""
    records: int
    at: str
    """When it was set aside, ISO 8601."""
    refusals: tuple[Refusal, ...]


class SetAsideFile:
    """The lines of a home. Made when there is something to say."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._known = {(line.step, line.position, line.records) for line in read_set_aside(path)}

    def add(self, step: int, position: int, records: int, refusals: Sequence[Refusal]) -> None:
        """On disk when this returns, once for a step. Raises StorageError."""
        if (step, position, records) in self._known:
            return
        line = SetAside(step, position, records, format_time(self._clock.now()), tuple(refusals))
        with storage_errors(self._path), self._path.open("ab") as file:
            # What a crash has left half-written must not spoil this line, too.
            if file.tell() and not _ends_with_line(self._path):
                file.write(b"\n")
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._known.add((step, position, records))


class SetAsideCount:
    """How many steps were set aside, for whoever asks often: only what is new in the file is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = self._lines = 0

    def now(self) -> int:
        """As far as the file can be read."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return self._lines
        self._read += len(new)
        self._lines += new.count(b"\n")
        return self._lines


def read_set_aside(path: Path) -> Iterator[SetAside]:
    """What was set aside in a home, the oldest first; lines that a crash has torn are left out. Raises StorageError."""
    with storage_errors(path):
        lines = path.read_bytes().splitlines() if path.exists() else []
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=SetAside)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
