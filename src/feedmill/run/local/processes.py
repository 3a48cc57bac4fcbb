"""The processes of a home, as their supervisor tells of them in a file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from feedmill.stream.files import atomic_write


class ProcessInfo(msgspec.Struct, frozen=True):
    """A process that is kept running."""

    name: str
    pid: int | None
    """None while it is not running."""
    restarts: int


def write_processes(path: Path, processes: list[ProcessInfo]) -> None:
    """Say how the processes are. Raises StorageError."""
    atomic_write(path, msgspec.json.encode(processes) + b"\n")


def read_processes(path: Path) -> tuple[ProcessInfo, ...]:
    """How the processes are; none where no supervisor has told."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[ProcessInfo, ...])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()
