"""Impressions and pages that the memory has no room for, in a SQLite file.

The file is a fold over the log like everything else that a joiner remembers: its rows are numbered in the order in
which the log makes them, and none is ever changed. What an action changes of an impression is a row of its own, and the
last one counts. A snapshot holds how many rows there were; to go on from it, the rows after them are deleted, since the
log makes them again. What has been forgotten stays in the file until no snapshot can need it.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from feedmill.domain.errors import SnapshotError, StorageError
from feedmill.stream.joining.remembered import Impression, Packed, Page

_SCHEMA = """
CREATE TABLE IF NOT EXISTS impressions (
    number INTEGER PRIMARY KEY, place INTEGER, user INTEGER, item INTEGER, request TEXT, timestamp INTEGER,
    sequence INTEGER, opened INTEGER, negative INTEGER, batch INTEGER, row INTEGER, outcomes BLOB);
CREATE INDEX IF NOT EXISTS of_pair ON impressions (user, item);
CREATE INDEX IF NOT EXISTS of_place ON impressions (place);
CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, rows INTEGER, packed BLOB, last INTEGER);
CREATE TABLE IF NOT EXISTS pages (
    place INTEGER PRIMARY KEY, request TEXT, user TEXT, opened INTEGER, timestamp INTEGER, items BLOB, rows INTEGER,
    packed BLOB);
CREATE INDEX IF NOT EXISTS of_request ON pages (request);
CREATE TABLE IF NOT EXISTS cuts (number INTEGER, first INTEGER, first_page INTEGER);
"""
_AHEAD = 1000
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(dict[str, float]).decode

Pair = tuple[int, int]
"""The keys of a user and an item."""


class Cut(NamedTuple):
    """What a snapshot holds of the file."""

    number: int = 0
    """How many rows were written: of impressions, what has changed of them, and features."""
    first: int = 1
    """The place of the oldest impression that is not forgotten, counted from 1 in the order in which they came."""
    last: int = 0
    first_page: int = 1
    last_page: int = 0


class Disk:
    """The file, opened when it is first needed."""

    def __init__(self, path: Path | None, snapshots: int, closed: int) -> None:
        """`snapshots`: how many are kept that may be gone on from; `closed`: the windows of an impression, which are
        over for all that is here. Without a path the file is a temporary one, and no snapshot is good without it."""
        self._path = path
        self._snapshots = snapshots
        self._closed = closed
        self._connection: sqlite3.Connection | None = None
        self._number, self._first, self._last, self._first_page, self._last_page = Cut()
        # When the oldest were opened.
        self._opened: deque[int] = deque()
        self._pages_opened: deque[int] = deque()

    @property
    def impressions(self) -> int:
        """How many are here."""
        return self._last - self._first + 1

    @property
    def pages(self) -> int:
        """How many are here."""
        return self._last_page - self._first_page + 1

    @property
    def cut(self) -> Cut:
        return Cut(self._number, self._first, self._last, self._first_page, self._last_page)

    def add(self, pairs: Iterable[Pair], impressions: Iterable[Impression]) -> None:
        """Take impressions, the oldest first. About 15 us each."""
        with self._writing() as connection:
            for pair, impression in zip(pairs, impressions, strict=True):
                self._last += 1
                impression.place = self._last
                self._write(connection, pair, impression)

    def change(self, pair: Pair, impression: Impression) -> None:
        """Take what has changed of an impression that is here."""
        with self._writing() as connection:
            self._write(connection, pair, impression)

    def find(self, user: int, item: int, pair: Pair, request_id: str | None = None) -> Impression | None:
        """The last impression of a user and an item, by their ordinals and keys; of a request, where one is given."""
        if not self.impressions:
            return None
        with self._writing() as connection:
            found = connection.execute(
                "SELECT place, timestamp, sequence, opened, request, negative, batch, row, outcomes FROM impressions"
                " WHERE user = ? AND item = ? AND place >= ? AND (?4 IS NULL OR request = ?4)"
                " ORDER BY place DESC, number DESC LIMIT 1",
                (*map(_signed, pair), self._first, request_id),
            ).fetchone()
            if found is None:
                return None
            place, timestamp, sequence, opened, request, negative, batch, row, outcomes = found
            rows, packed = connection.execute("SELECT rows, packed FROM batches WHERE number = ?", (batch,)).fetchone()
        features = Packed(packed, rows, fits=True, stored=batch)
        return Impression(
            user, item, timestamp, sequence, opened, request, features, row, _decode(outcomes), self._closed, negative,
            place,
        )  # fmt: skip

    def add_page(self, request_id: str, page: Page) -> None:
        """Take a page."""
        logged = page.logged
        with self._writing() as connection:
            self._last_page += 1
            connection.execute(
                "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._last_page, request_id, page.user_id, page.opened, page.timestamp, page.encoded_items,
                    *((0, None) if logged is None else (logged.rows, logged.packed)),
                ),
            )  # fmt: skip

    def find_page(self, request_id: str) -> Page | None:
        if not self.pages or not request_id:
            return None
        with self._writing() as connection:
            found = connection.execute(
                "SELECT user, opened, timestamp, items, rows, packed FROM pages WHERE request = ? AND place >= ?"
                " ORDER BY place DESC LIMIT 1",
                (request_id, self._first_page),
            ).fetchone()
        if found is None:
            return None
        user, opened, timestamp, items, rows, packed = found
        return Page(user, opened, timestamp, items, None if packed is None else Packed(packed, rows))

    def oldest(self) -> int:
        """When the oldest impression was opened; there must be one."""
        if not self._opened:
            self._opened = self._read_opened("impressions", self._first, self._last)
        return self._opened[0]

    def oldest_page(self) -> int:
        """When the oldest page was opened; there must be one."""
        if not self._pages_opened:
            self._pages_opened = self._read_opened("pages", self._first_page, self._last_page)
        return self._pages_opened[0]

    def forget(self) -> None:
        """The oldest impression is no longer found."""
        self.oldest()
        self._opened.popleft()
        self._first += 1

    def forget_page(self) -> None:
        """The oldest page is no longer found."""
        self.oldest_page()
        self._pages_opened.popleft()
        self._first_page += 1

    def save(self) -> Cut:
        """What a snapshot has to hold. The file is on disk when this returns; what no snapshot needs is deleted."""
        if self._connection is not None:
            with self._writing() as connection:
                connection.execute("INSERT INTO cuts VALUES (?, ?, ?)", (self._number, self._first, self._first_page))
                cuts = connection.execute("SELECT rowid, first, first_page FROM cuts ORDER BY rowid DESC").fetchall()
                # One more than are kept: this one may come to nothing.
                for rowid, first, first_page in cuts[self._snapshots : self._snapshots + 1]:
                    connection.execute("DELETE FROM impressions WHERE place < ?", (first,))
                    connection.execute("DELETE FROM batches WHERE last < ?", (first,))
                    connection.execute("DELETE FROM pages WHERE place < ?", (first_page,))
                    connection.execute("DELETE FROM cuts WHERE rowid < ?", (rowid,))
                connection.execute("COMMIT")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.cut

    def load(self, cut: Cut) -> None:
        """Go on from what `save` gave.

        Raises SnapshotError where the file no longer has what there was; a damaged one is removed, as the log makes it
        again.
        """
        try:
            self._load(cut)
        except StorageError as error:
            if self._path is None or isinstance(error.__cause__, sqlite3.OperationalError):
                raise
            self.close()
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            raise SnapshotError(f"{self._path}: damaged ({error.__cause__}), and removed") from error

    def _load(self, cut: Cut) -> None:
        self._number, self._first, self._last, self._first_page, self._last_page = cut
        self._opened.clear()
        self._pages_opened.clear()
        if not cut.number and not cut.last_page:
            return
        with self._writing() as connection:
            first, last = connection.execute("SELECT min(place), max(place) FROM impressions").fetchone()
            first_page, last_page = connection.execute("SELECT min(place), max(place) FROM pages").fetchone()
            whole = _has(first, last, cut.first, cut.last) and _has(
                first_page, last_page, cut.first_page, cut.last_page
            )  # fmt: skip
            if not whole:
                raise SnapshotError(f"{self._path}: impressions that the snapshot remembers are not there")
            self._delete_after(connection)

    def close(self) -> None:
        """Release the file; what came after the last `save` is not in it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def _write(self, connection: sqlite3.Connection, pair: Pair, impression: Impression) -> None:
        features = impression.features
        assert isinstance(features, Packed)
        if not features.stored:
            self._number += 1
            features.stored = self._number
        connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?4) ON CONFLICT (number) DO UPDATE SET last = max(last, ?4)",
            (features.stored, features.rows, features.packed, impression.place),
        )
        self._number += 1
        connection.execute(
            "INSERT INTO impressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._number, impression.place, *map(_signed, pair), impression.request_id, impression.timestamp,
                impression.sequence, impression.opened, impression.negative, features.stored, impression.row,
                _encode(impression.outcomes),
            ),
        )  # fmt: skip

    def _read_opened(self, table: str, first: int, last: int) -> deque[int]:
        with self._writing() as connection:
            found = connection.execute(
                f"SELECT DISTINCT place, opened FROM {table} WHERE place BETWEEN ? AND ? ORDER BY place",
                (first, min(last, first + _AHEAD)),
            )
            return deque(opened for _, opened in found)

    def _delete_after(self, connection: sqlite3.Connection) -> None:
        for table in ("impressions", "batches", "cuts"):
            connection.execute(f"DELETE FROM {table} WHERE number > ?", (self._number,))
        connection.execute("DELETE FROM pages WHERE place > ?", (self._last_page,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction that ends with the next `save`."""
        try:
            if self._connection is None:
                # No name is a temporary file of SQLite's own.
                self._connection = sqlite3.connect(
                    "" if self._path is None else self._path, isolation_level=None, check_same_thread=False
                )
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.executescript(_SCHEMA)
                self._connection.execute("BEGIN IMMEDIATE")
                self._delete_after(self._connection)
            elif not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
        except sqlite3.Error as error:
            raise StorageError(
                f"{self._path}: cannot keep impressions on disk ({error}); free some space, or remove the file to learn"
                " again from the log"
            ) from error


def _has(first: int | None, last: int | None, wanted: int, until: int) -> bool:
    """Whether places `wanted` to `until` lie among those that there are."""
    return wanted > until or (first is not None and last is not None and first <= wanted and until <= last)


def _signed(key: int) -> int:
    """A 64-bit key as SQLite stores it."""
    return key - (1 << 64) if key >= 1 << 63 else key
