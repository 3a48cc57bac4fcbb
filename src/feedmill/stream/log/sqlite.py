"""The log in a SQLite file: the default, for one machine with one writing process and any number that read.

Beside the file `NAME` stand `NAME-wal` and `NAME-shm` (SQLite's), `NAME-lock` (the writer's) and the directory
`NAME-keys` (the sealed segments of known event keys, which are made again from the log where they are lost).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from feedmill.domain.errors import HomeError, InvalidArgument, InvalidRecord, StorageError
from feedmill.domain.ids import UInt64s, hash_ids
from feedmill.domain.records import Record
from feedmill.stream.log.database import last_position, open_for_reading, storage_errors
from feedmill.stream.log.payloads import decode_payloads, encode_payloads
from feedmill.stream.log.protocol import Appended
from feedmill.stream.log.writer import LogWriter, Pending, SqliteLogConfig

# Rows of one read transaction: long ones would hold up the checkpoint, and the WAL would grow.
_READ_ROWS = 2_000


class SqliteLog:
    """A `Log` in one SQLite file in WAL mode, synced at every commit.

    Several threads may append and read. One process writes; others open it with `read_only` and see what is committed.
    Appends cost nearly the same at ten million records as at none: duplicates are found by the 64-bit keys that
    `hash_ids` gives to event ids, and confirmed on the stored record, so two ids of one key are no duplicates.

    Raises HomeError when another process writes to the log, or when there is none to read; InvalidFile when the file is
    something else; HomeVersionError when a newer Feedmill wrote it; StorageError when the disk is full or read-only.
    """

    def __init__(
        self,
        path: Path,
        config: SqliteLogConfig | None = None,
        *,
        read_only: bool = False,
        hash_ids: Callable[[Sequence[str]], UInt64s] = hash_ids,
    ) -> None:
        self.path = path
        self._hash_ids = hash_ids
        self._queue = threading.Lock()
        self._pending: list[Pending] = []
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._closed = False
        self._writer = None if read_only else LogWriter(path, config or SqliteLogConfig())
        try:
            self._reader = open_for_reading(path)
        except BaseException:
            if self._writer is not None:
                self._writer.close()
            raise

    def append(self, records: Sequence[Record]) -> Appended:
        """As `Log.append`; also raises InvalidRecord for a record that cannot be encoded or takes more than 64 MiB.

        Batches of 1,000 to 10,000 are best. An append that raises may be repeated: what it wrote after all, when the
        disk failed in the very moment of the sync, is then found to be duplicates.
        """
        if self._writer is None:
            raise StorageError(f"{self.path}: cannot append: the log was opened for reading")
        pending = self._prepare(records)
        with self._queue:
            self._pending.append(pending)
        with self._writing:
            if pending.appended is None and pending.error is None:
                self._check_open()
                with self._queue:
                    group, self._pending = self._pending, []
                self._writer.commit(group)
        if pending.appended is None:
            raise pending.error or StorageError(f"{self.path}: the append was interrupted; repeat it")
        return pending.appended

    def read(self, position: int, limit: int) -> tuple[list[Record], int]:
        """As `Log.read`. Raises InvalidArgument when the position is not one of this log. About 2 us a record."""
        if limit < 0:
            raise InvalidArgument(f"limit {limit}: must not be negative")
        if not 0 <= position < 1 << 63:
            raise InvalidArgument(f"position {position}: not a position of {self.path}")
        records: list[Record] = []
        while len(records) < limit:
            wanted = min(limit - len(records), _READ_ROWS)
            payloads = self._fetch(position, wanted)
            following = position + len(payloads)
            records += decode_payloads(self.path, payloads, range(position + 1, following + 1))
            position = following
            if len(payloads) < wanted:
                break
        if not records and position > (end := self.end()):
            raise InvalidArgument(f"position {position}: {self.path} ends at {end}; the position is of another log")
        return records, position

    def find(self, event_ids: Sequence[str]) -> list[Record | None]:
        """As `Log.find`. About 40 us for one record, 5 us each for a hundred.

        Only the writer can: it alone knows at which position each event id stands. Raises StorageError on a log that
        was opened for reading, InvalidRecord for an id that UTF-8 cannot hold.
        """
        if self._writer is None:
            raise StorageError(
                f"{self.path}: cannot find records by event id: the log was opened for reading, and only its writer"
                " knows where they stand; ask the process that writes, or read the log from the beginning"
            )
        ids = list(event_ids)
        keys = self._keys(ids)
        with self._writing:
            self._check_open()
            return self._writer.find(ids, keys)

    def end(self) -> int:
        with self._reading:
            self._check_open()
            with storage_errors(self.path, "read the log"):
                return last_position(self._reader)

    def close(self) -> None:
        with self._writing, self._reading:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            if self._writer is not None:
                self._writer.close()

    def _check_open(self) -> None:
        if self._closed:
            raise HomeError(f"{self.path}: this log has been closed; open it again")

    def _prepare(self, records: Sequence[Record]) -> Pending:
        payloads = encode_payloads(records)
        ids = [record.event_id for record in records]
        return Pending(ids, self._keys(ids), payloads)

    def _keys(self, ids: Sequence[str]) -> UInt64s:
        """uint64 [n]: the key of each event id, 0 where it is empty."""
        try:
            keys = self._hash_ids(ids)
        except UnicodeError as error:
            raise InvalidRecord("event_id", f"is not text that UTF-8 can hold: {error}") from error
        if "" in ids:
            keys = np.where([event_id != "" for event_id in ids], keys, np.uint64(0))
        return keys

    def _fetch(self, position: int, limit: int) -> list[bytes]:
        with self._reading:
            self._check_open()
            with storage_errors(self.path, "read the log"):
                rows = self._reader.execute(
                    "SELECT payload FROM records WHERE position > ? ORDER BY position LIMIT ?", (position, limit)
                ).fetchall()
        return [row[0] for row in rows]
