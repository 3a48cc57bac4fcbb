"""Deltas as files of a folder.

    deltas/
      head                            how far the channel has come, replaced whenever that changes
      00000003-000000000017.delta     epoch 3, delta 17

Files are written aside and renamed, so that no reader sees half of one. They are not forced to the disk: what a power
cut loses, a trainer makes again from its snapshot and journal, under another epoch; what it tears, a checksum tells.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from feedmill.domain.errors import SnapshotError
from feedmill.learn.sync.encoding import decode, decode_header, encode
from feedmill.learn.sync.protocol import Delta, Head, Header
from feedmill.stream.files import storage_errors

_NAME = re.compile(r"(\d{8})-(\d{12})\.delta")


class FileChannel:
    """The `Channel` between processes of one machine. The folder is made when something is published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "head"
        self._read_of: tuple[int, int] | None = None
        self._head: Head | None = None

    def head(self) -> Head | None:
        """One look at a file's time where nothing has changed. None, too, where a power cut has torn it."""
        try:
            status = self._path.stat()
            if (status.st_mtime_ns, status.st_ino) != self._read_of:
                self._head = msgspec.json.decode(self._path.read_bytes(), type=Head)
                self._read_of = status.st_mtime_ns, status.st_ino
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self._read_of = self._head = None
        return self._head

    def publish(self, delta: Delta) -> None:
        self._write(self._delta(delta.header.epoch, delta.header.sequence), encode(delta))

    def announce(self, head: Head) -> None:
        self._write(self._path, msgspec.json.encode(head))

    def read(self, epoch: int, sequence: int) -> Delta:
        with _named(self._delta(epoch, sequence)) as path:
            return decode(path.read_bytes())

    def header(self, epoch: int, sequence: int) -> Header:
        with _named(self._delta(epoch, sequence)) as path, path.open("rb") as file:
            return decode_header(file)

    def kept(self) -> list[tuple[int, int]]:
        with storage_errors(self.folder):
            names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        found = [match for name in names if (match := _NAME.fullmatch(name))]
        return sorted((int(match[1]), int(match[2])) for match in found)

    def remove(self, epoch: int, sequence: int) -> None:
        path = self._delta(epoch, sequence)
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def _delta(self, epoch: int, sequence: int) -> Path:
        return self.folder / f"{epoch:08d}-{sequence:012d}.delta"

    def _write(self, path: Path, content: bytes) -> None:
        # One name for all: what a kill has left behind is written over.
        aside = path.with_name(".part")
        with storage_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                aside.write_bytes(content)
                aside.replace(path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def _named(path: Path) -> Iterator[Path]:
    """Raises SnapshotError, naming the file, where it cannot be read or is damaged."""
    try:
        yield path
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read ({error.strerror})") from None
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None
