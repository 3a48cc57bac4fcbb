"""The writing side of the SQLite log: appends that wait together share one transaction and one sync."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import FeedmillError, StorageError
from feedmill.domain.ids import UInt64s
from feedmill.domain.records import Record
from feedmill.stream.log.database import last_position, open_for_writing, read_identity, storage_errors
from feedmill.stream.log.keys import KeyIndex
from feedmill.stream.log.lock import WriterLock
from feedmill.stream.log.payloads import decode_payloads
from feedmill.stream.log.protocol import Appended
from feedmill.stream.log.segments import Positions

# Rows that go into one statement. The sqlite3 module gives up the interpreter's lock at each step of a statement, which
# makes one insert of 100 rows twice as fast as 100 of one. The sizes are few because each is compiled once and kept.
_INSERT_ROWS = (100, 10, 1)
_LOOKUP_ROWS = 100
_SCAN_ROWS = 50_000
_CHECKPOINT_PATIENCE_MS = 200
_BUSY_MS = 10_000


class SqliteLogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes that a SQLite log works with."""

    seal_at: int = 1 << 18
    """Records whose keys are kept in memory before they are sealed: 32 to 64 bytes each, and read again at opening."""
    fanout: int = 4
    """Segments of one size that are merged into one of the next."""
    wal_limit: int = 64 << 20
    """Bytes beyond which the WAL is emptied and cut even if an append has to wait for readers, for 0.2 s at most."""


@dataclass(slots=True)
class Pending:
    """One append that waits for its commit; afterwards it has either `appended` or `error`."""

    ids: list[str]
    keys: UInt64s
    """uint64 [n]: the key of each event id, 0 where there is none."""
    payloads: list[bytes]
    appended: Appended | None = None
    error: FeedmillError | None = None


class LogWriter:
    """The one writer of a log. One thread at a time calls it."""

    def __init__(self, path: Path, config: SqliteLogConfig) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._wal_limit = self._wal_allowed = config.wal_limit
        with storage_errors(path, "open the log"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(path.with_name(path.name + "-lock"))
            try:
                self._open(config)
            except BaseException:
                self._lock.release()
                raise
        # Whether the file may be ahead of `_end` and of the keys: a commit was begun and not seen through.
        self._unsure = False

    def commit(self, group: Sequence[Pending]) -> None:
        """Write the appends of a group in one transaction, all or none, and tell each what became of it."""
        try:
            if self._unsure:
                self._catch_up()
            self._commit(group)
        except FeedmillError as error:
            for pending in group:
                pending.error = error
        except BaseException as error:
            for pending in group:
                pending.error = StorageError(f"{self._path}: the append was interrupted ({error!r}); repeat it")
            raise

    def find(self, ids: Sequence[str], keys: UInt64s) -> list[Record | None]:
        """The record with each of these event ids, whose keys are uint64 [n]; None where there is none."""
        if self._unsure:
            self._catch_up()
        found: list[Record | None] = [None] * len(ids)
        probes, positions = self._keys.find(keys)
        stored = self._records(positions)
        for probe, position in zip(probes.tolist(), positions.tolist(), strict=True):
            record = stored.get(position)
            if record is not None and ids[probe] and record.event_id == ids[probe]:
                found[probe] = record
        return found

    def close(self) -> None:
        self._keys.close()
        self._database.close()
        self._lock.release()

    def _open(self, config: SqliteLogConfig) -> None:
        self._database = open_for_writing(self._path)
        try:
            self._end = last_position(self._database)
            self._keys = KeyIndex(
                self._path.with_name(self._path.name + "-keys"),
                read_identity(self._database),
                self._end,
                self._scan,
                config.seal_at,
                config.fanout,
            )
        except BaseException:
            self._database.close()
            raise

    def _commit(self, group: Sequence[Pending]) -> None:
        ids = list(chain.from_iterable(pending.ids for pending in group))
        payloads = list(chain.from_iterable(pending.payloads for pending in group))
        keys = np.concatenate([pending.keys for pending in group])
        duplicates = self._find_duplicates(ids, keys)
        fresh = ~duplicates
        position = self._end
        if not duplicates.any():
            self._write(keys, payloads)
        else:
            self._write(keys[fresh], [payloads[index] for index in np.flatnonzero(fresh).tolist()])
        start = 0
        for pending in group:
            own = duplicates[start : start + len(pending.ids)]
            start += len(pending.ids)
            position += len(own) - int(np.count_nonzero(own))
            pending.appended = Appended(position, own)
        self._bound_wal()

    def _find_duplicates(self, ids: list[str], keys: UInt64s) -> npt.NDArray[np.bool_]:
        duplicates = np.zeros(len(keys), dtype=np.bool_)
        probes, positions = self._keys.find(keys)
        if len(probes):
            stored = self._records(positions)
            for probe, position in zip(probes.tolist(), positions.tolist(), strict=True):
                record = stored.get(position)
                if record is not None and record.event_id == ids[probe]:
                    duplicates[probe] = True
        unknown = np.flatnonzero((keys != 0) & ~duplicates)
        ordered = np.sort(keys[unknown])
        if (ordered[1:] == ordered[:-1]).any():
            seen: set[str] = set()
            for index in unknown.tolist():
                duplicates[index] = ids[index] in seen
                seen.add(ids[index])
        return duplicates

    def _records(self, positions: Positions) -> dict[int, Record]:
        """The records at these positions."""
        wanted = np.unique(positions).tolist()
        question = f"SELECT position, payload FROM records WHERE position IN ({', '.join('?' * _LOOKUP_ROWS)})"
        found: dict[int, Record] = {}
        for start in range(0, len(wanted), _LOOKUP_ROWS):
            some = wanted[start : start + _LOOKUP_ROWS]
            with storage_errors(self._path, "look up records"):
                rows = self._database.execute(question, some + [0] * (_LOOKUP_ROWS - len(some))).fetchall()
            at = [row[0] for row in rows]
            found.update(zip(at, decode_payloads(self._path, [row[1] for row in rows], at), strict=True))
        return found

    def _write(self, keys: UInt64s, payloads: list[bytes]) -> None:
        if not payloads:
            return
        end = self._end + len(payloads)
        self._unsure = True
        with storage_errors(self._path, "append"):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                if self._insert(keys, payloads) != end:
                    raise StorageError(f"{self._path}: another program has written to the log; close it and open again")
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        self._keys.add(keys, np.arange(self._end + 1, end + 1), end)
        self._end = end
        self._unsure = False

    def _insert(self, keys: UInt64s, payloads: list[bytes]) -> int | None:
        """Insert rows after the last one; returns the position of the last."""
        values: list[int | bytes] = [0] * (2 * len(payloads))
        values[0::2] = keys.view(np.int64).tolist()
        values[1::2] = payloads
        start = 0
        last = None
        for rows in _INSERT_ROWS:
            statement = f"INSERT INTO records (key, payload) VALUES {', '.join(['(?, ?)'] * rows)}"
            while len(values) - start >= 2 * rows:
                last = self._database.execute(statement, values[start : start + 2 * rows]).lastrowid
                start += 2 * rows
        return last

    def _roll_back(self) -> None:
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error:
            # The error that brought us here is the one to report; `_catch_up` tries again.
            return

    def _catch_up(self) -> None:
        with storage_errors(self._path, "append"):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            end = last_position(self._database)
        for keys, positions in self._scan(self._end, end):
            self._keys.add(keys, positions, int(positions[-1]))
        self._end = end
        self._unsure = False

    def _scan(self, first: int, end: int) -> Iterator[tuple[UInt64s, Positions]]:
        """The keys of the records first < position <= end, in order."""
        while first < end:
            with storage_errors(self._path, "read the keys of the log"):
                rows = self._database.execute(
                    "SELECT position, key FROM records WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
                    (first, end, _SCAN_ROWS),
                ).fetchall()
            if not rows:
                return
            table = np.array(rows, dtype=np.int64)
            yield table[:, 1].copy().view(np.uint64), table[:, 0].copy()
            first = rows[-1][0]

    def _bound_wal(self) -> None:
        """Empty the WAL when it has grown because readers were always in the way of SQLite's own checkpoints.

        What goes wrong here is no failure of the append, which is durable: the next attempt is after as much again.
        """
        try:
            size = self._wal.stat().st_size
            if size <= self._wal_allowed:
                return
            self._wal_allowed = size + self._wal_limit
            self._database.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_PATIENCE_MS}")
            try:
                busy = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self._database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            if not busy:
                self._wal_allowed = self._wal_limit
        except (sqlite3.Error, OSError):
            return
