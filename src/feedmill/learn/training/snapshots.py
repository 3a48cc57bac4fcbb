"""Snapshots of a learner: folders named for the step, whole or not there.

    snapshots/
      000000001000/          a snapshot, and `manifest.json` with a checksum of every file
      000000001000.journal   steps after it
      configuration          the digest of the configuration that these are of
      of-6c1d0f3b2a7e9845/   the same of another configuration, which may come back
      joined-6c1d0f3b2a7e9845.sqlite   what the joiner of a configuration has no room for in memory

A snapshot shortens what has to be learned again; the log is what counts. The journals reach back to the oldest snapshot
that is kept, so that a damaged one costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import msgspec
import xxhash

from feedmill.domain.errors import HomeVersionError, SnapshotError
from feedmill.learn.training.journal import Entry, Journal, read_journal
from feedmill.stream.files import atomic_write, storage_errors, sync_directory

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_CONFIGURATION = "configuration"
_ELSE = "of-"
_MOST_OTHERS = 2
"""Configurations that are kept besides the one in use."""


def joined_file(digest: bytes) -> str:
    """The name of the file beside the snapshots in which the joiner of a learner keeps what is on disk."""
    return f"joined-{_number(digest):016x}.sqlite"


class Manifest(msgspec.Struct, frozen=True):
    """What a snapshot is of."""

    format_version: int
    step: int
    position: int
    """Where the log is read on."""
    config: str
    """Digest of the configuration that the parameters depend on."""
    files: dict[str, str]
    """Name to XXH3 of the content, in hexadecimal."""
    received: int = 0
    """When the last record before the position was received: UTC milliseconds, 0 where there is none."""


class Restored(Protocol):
    """What can be made from the files of a snapshot: a learner, or a part of one."""

    @property
    def digest(self) -> bytes:
        """What it must share with the one that has written the files."""
        ...

    def load(self, folder: Path) -> None: ...


class Snapshotted(Restored, Protocol):
    """What can be written to a folder, too: a learner, or something with a learner in it."""

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write it as it is when `begun` is called; from then on it may change."""
        ...


class Snapshots:
    """The snapshots of one learner in a folder."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self._keep = keep
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def enter(self, learner: Snapshotted) -> bool:
        """Put aside what is of another configuration, and bring back what was put aside of this one.

        Whether anything was put aside. For whoever saves and journals, before anything else. Where a crash ends it, the
        next call goes on with it.
        """
        with storage_errors(self.folder):
            config, marker = f"{_number(learner.digest):016x}", self.folder / _CONFIGURATION
            before = marker.read_text() if marker.exists() else config
            if before != config:
                _move_all(self.folder, self.folder / f"{_ELSE}{before}")
            atomic_write(marker, config.encode())
            _move_all(self.folder / f"{_ELSE}{config}", self.folder)
            others = sorted(self.folder.glob(f"{_ELSE}*"), key=lambda path: path.stat().st_mtime_ns)
            for oldest in others[:-_MOST_OTHERS]:
                shutil.rmtree(oldest, ignore_errors=True)
            kept = {config, *(path.name.removeprefix(_ELSE) for path in others[-_MOST_OTHERS:])}
            for joined in self.folder.glob("joined-*"):
                if joined.name.removeprefix("joined-").partition(".")[0] not in kept:
                    joined.unlink(missing_ok=True)
        return before != config

    def save(
        self,
        learner: Snapshotted,
        step: int,
        position: int,
        received: int = 0,
        *,
        good_before: int | None = None,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a snapshot, and remove those that are no longer kept; on disk when this returns.

        It is of the learner as it is when `begun` is called: the next steps, and their journal, may begin from then.
        Snapshots before the step `good_before` are not removed in favour of later ones.
        """
        path = self.path(step)
        aside = path.with_suffix(".part")
        with storage_errors(path):
            # What a crash has left half-written.
            for left in self.folder.glob("*.part"):
                shutil.rmtree(left, ignore_errors=True)
            aside.mkdir()
            try:
                learner.save(aside, begun)
                files = {file.name: _settled(file) for file in sorted(aside.iterdir())}
                config = f"{_number(learner.digest):016x}"
                manifest = Manifest(FORMAT_VERSION, step, position, config, files, received)
                atomic_write(aside / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
                shutil.rmtree(path, ignore_errors=True)
                aside.replace(path)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
            sync_directory(self.folder)
            # Before the first snapshot there is the beginning of the log to fall back on.
            there = [0, *self.steps()]
            good = [] if good_before is None else [one for one in there if one < good_before]
            kept = {*there[-self._keep :], *good[-self._keep :]}
            for old in self.steps():
                if old not in kept:
                    self.remove(old)
            for start in self._journals():
                if start < min(kept):
                    self._journal(start).unlink(missing_ok=True)

    def remove(self, step: int) -> None:
        """Remove a snapshot; the journals stay."""
        shutil.rmtree(self.path(step), ignore_errors=True)

    def begin_journal(self, learner: Snapshotted, step: int) -> Journal:
        """A new journal for the steps after `step`, which is the last of those that `journalled` gave."""
        with storage_errors(self.folder):
            for unreachable in self._journals():
                if unreachable > step:
                    self._journal(unreachable).unlink(missing_ok=True)
        return Journal(self._journal(step), _number(learner.digest))

    def steps(self) -> list[int]:
        """The steps that there are snapshots of, oldest first."""
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())

    def manifest(self, digest: bytes, step: int) -> Manifest:
        """What a snapshot of a learner with this digest is of; its files are not looked at.

        Raises SnapshotError, naming what is wrong; HomeVersionError for a snapshot that a newer Feedmill has written.
        """
        path = self.path(step)
        try:
            manifest = msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SnapshotError(f"{path / MANIFEST}: cannot be read ({error})") from None
        if manifest.format_version > FORMAT_VERSION:
            raise HomeVersionError(f"{path}: of a newer Feedmill; upgrade, or remove it to learn again from the log")
        if manifest.config != f"{_number(digest):016x}":
            raise SnapshotError(f"{path}: made with another configuration of features, objectives or models")
        return manifest

    def path(self, step: int) -> Path:
        """The folder of a snapshot."""
        return self.folder / f"{step:012d}"

    def check(self, digest: bytes, step: int) -> Manifest:
        """What a snapshot is of, once every file of it has been found as it was written. Cost: all of it is read.

        Raises as `manifest`.
        """
        manifest, path = self.manifest(digest, step), self.path(step)
        for name, written in manifest.files.items():
            if _digest(path / name) != written:
                raise SnapshotError(f"{path / name}: damaged or missing; remove the folder to use an older snapshot")
        return manifest

    def restore(self, learner: Restored, step: int) -> Manifest:
        """Make a new learner what it was after a step. Raises as `manifest`."""
        manifest = self.check(learner.digest, step)
        learner.load(self.path(step))
        return manifest

    def journalled(self, learner: Snapshotted, step: int) -> list[Entry]:
        """The steps that were begun after a step (0: from the beginning), in order and without a gap."""
        entries: list[Entry] = []
        for start in self._journals():
            for entry in read_journal(self._journal(start), _number(learner.digest)):
                if entry.number == step + len(entries) + 1:
                    entries.append(entry)
        return entries

    def _journal(self, step: int) -> Path:
        return self.folder / f"{step:012d}.journal"

    def _journals(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.journal") if path.stem.isdecimal())


def _move_all(folder: Path, to: Path) -> None:
    """The snapshots and journals of a folder, which is removed where nothing is left in it."""
    found = [path for path in folder.glob("*") if path.stem.isdecimal()]
    if found:
        to.mkdir(exist_ok=True)
    for path in found:
        there = to / path.name
        if there.is_dir():
            shutil.rmtree(there)
        path.replace(there)
    if folder.name.startswith(_ELSE):
        shutil.rmtree(folder, ignore_errors=True)


def _number(digest: bytes) -> int:
    return xxhash.xxh3_64_intdigest(digest)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return _digest_of(file)
    except OSError:
        return None


def _settled(path: Path) -> str:
    """The digest of a file, which is on disk now."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return _digest_of(file)


def _digest_of(file: BufferedReader) -> str:
    # In parts: a file of many megabytes is read four times as fast as when it is read whole.
    return hashlib.file_digest(file, xxhash.xxh3_64).hexdigest()
