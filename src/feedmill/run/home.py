"""The home: a directory that holds everything that an embedded deployment keeps.

    home.json        the version of this layout
    feedmill.toml    the configuration, if there is one
    log.sqlite       the log: the truth, from which all the rest can be made again
    catalog.sqlite   users and items, as the log says they are
    slots.json       the slot registry
    snapshots/       what shortens the replay
    set-aside.jsonl  steps that were not learned, and why; where there are any
    deltas/          parameters on their way from the trainer to the server
    traces.sqlite    the candidates of recent requests, for explanations
    worth.msgpack    what the holdout has shown, up to a position of the log
    rollback.json    what a trainer that runs is asked to go back to, until it has answered
    rolled-back.json what it has answered last
    server.json      where a server listens, while there is one
    processes.json   which processes there are, while it is served
    rejects/         rows that imports could not read, with the reasons
    replay/          what lets an interrupted `feedmill replay` go on
    evaluate/        what lets an interrupted `feedmill evaluate` go on
    tune/            what `feedmill tune` has tried, and the settings that won
    models/          what `feedmill fit` has fitted
    segments.json    the segments of users that `feedmill segments` has found
    reports/         what `feedmill evaluate`, `feedmill inspect` and `feedmill segments` have written

Copying it while nothing runs is a backup; deleting it is an uninstall.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from feedmill import __version__
from feedmill.domain.clock import Clock, SystemClock, format_time
from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.stream.files import atomic_write, storage_errors, sync_directory

FORMAT_VERSION = 1
"""The version of the layout that this Feedmill writes. It rises when an older Feedmill could not read a home."""

MARKER = "home.json"


class HomeInfo(msgspec.Struct, frozen=True):
    """What `home.json` says. Unknown fields are ignored, so that a newer home can still say its version."""

    format_version: int
    created_at: int
    """UTC milliseconds."""
    created_by: str = ""
    """The version of Feedmill that made the home."""


class Home:
    """An open home.

    Makes the directory, and its parents, when it does not exist or is empty, unless `create` is False.

    Raises HomeError when the path is a file, a directory with something else in it, or (without `create`) nothing;
    HomeVersionError when a newer Feedmill has written it; StorageError when it cannot be written.
    """

    def __init__(self, path: Path, *, create: bool = True, clock: Clock | None = None) -> None:
        self.path = path
        with storage_errors(path):
            if (path.exists() or path.is_symlink()) and not path.is_dir():
                raise HomeError(f"{path}: a file, not a directory; name a directory for the home")
            self.info = self._open() or self._create(create, clock or SystemClock())
            # A read-only file system denies this to root too, whom permissions alone do not stop.
            if not os.access(path, os.W_OK | os.X_OK):
                raise StorageError(f"{path}: the home is read-only; make it writable, or copy it to where it can be")
            self.snapshots.mkdir(exist_ok=True)

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r}, created {format_time(self.info.created_at)})"

    @property
    def config(self) -> Path:
        return self.path / "feedmill.toml"

    @property
    def log(self) -> Path:
        return self.path / "log.sqlite"

    @property
    def catalog(self) -> Path:
        return self.path / "catalog.sqlite"

    @property
    def slots(self) -> Path:
        return self.path / "slots.json"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def set_aside(self) -> Path:
        return self.path / "set-aside.jsonl"

    @property
    def deltas(self) -> Path:
        return self.path / "deltas"

    @property
    def traces(self) -> Path:
        return self.path / "traces.sqlite"

    @property
    def worth(self) -> Path:
        return self.path / "worth.msgpack"

    @property
    def rollback(self) -> Path:
        return self.path / "rollback.json"

    @property
    def rolled_back(self) -> Path:
        return self.path / "rolled-back.json"

    @property
    def server(self) -> Path:
        return self.path / "server.json"

    @property
    def processes(self) -> Path:
        return self.path / "processes.json"

    @property
    def models(self) -> Path:
        """There is none before the first `feedmill fit`."""
        return self.path / "models"

    @property
    def segments(self) -> Path:
        return self.path / "segments.json"

    @property
    def reports(self) -> Path:
        """Made where it is missing. Raises StorageError."""
        place = self.path / "reports"
        with storage_errors(place):
            place.mkdir(exist_ok=True)
        return place

    @property
    def marker(self) -> Path:
        return self.path / MARKER

    def _open(self) -> HomeInfo | None:
        """What the home says of itself; None where there is none yet."""
        if not self.marker.exists():
            return None
        try:
            info = msgspec.json.decode(self.marker.read_bytes(), type=HomeInfo)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise HomeError(f"{self.marker}: damaged ({error}); restore it from a backup of this home") from None
        if info.format_version > FORMAT_VERSION:
            raise HomeVersionError(
                f"{self.path}: a home of format {info.format_version}, made by Feedmill {info.created_by or 'unknown'};"
                f" this is Feedmill {__version__}, which reads up to format {FORMAT_VERSION}."
                f" Upgrade Feedmill, or choose another home"
            )
        return info

    def _create(self, create: bool, clock: Clock) -> HomeInfo:
        if not create and not self.path.exists():
            raise HomeError(f"{self.path}: there is no home here; `feedmill serve` or `feedmill import` makes one")
        self.path.mkdir(parents=True, exist_ok=True)
        # What an interrupted first start has left aside does not make a directory somebody else's.
        strangers = sorted(entry.name for entry in self.path.iterdir() if not _is_left_aside(entry.name))
        if strangers:
            raise HomeError(
                f"{self.path}: not a Feedmill home, and not empty (it holds {strangers[0]!r});"
                f" name a new or an empty directory"
            )
        if not create:
            raise HomeError(f"{self.path}: an empty directory; `feedmill import` makes it a home")
        info = HomeInfo(FORMAT_VERSION, clock.now(), __version__)
        atomic_write(self.marker, msgspec.json.format(msgspec.json.encode(info)) + b"\n")
        sync_directory(self.path.parent)
        return info


def _is_left_aside(name: str) -> bool:
    return name.startswith(f".{MARKER}.") and name.endswith(".part")
