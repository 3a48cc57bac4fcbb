"""The catalog: the users and items that the log speaks of, as tables.

It is a projection. What it holds follows from the records before its position, which it commits together with them;
so whatever interrupts it, `catch_up` brings it to where the log is, and a lost or outdated one is built again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.domain.records import Item, Record, User
from feedmill.stream.log.protocol import Log
from feedmill.stream.validation import DELETE

VERSION = 1
"""Of the tables. An older catalog is built again from the log."""

_CHUNK = 10_000
"""Records of one transaction of `catch_up`."""
_VARIABLES = 500
"""Ids of one query: SQLite and Postgres take more, but plan no better."""

_metadata = sa.MetaData()
_users = sa.Table(
    "users",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)
_items = sa.Table(
    "items",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("created_at", sa.BigInteger),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)
_reached = sa.Table(
    "reached",
    _metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

_encoder = msgspec.json.Encoder(order="deterministic")
_item_decoder = msgspec.json.Decoder(Item)
_user_decoder = msgspec.json.Decoder(User)


def digest(body: User | Item) -> bytes:
    """16 bytes that differ where two bodies differ; the order of attributes does not count."""
    return hashlib.blake2b(_encoder.encode(body), digest_size=16).digest()


class CatalogStore:
    """Users and items in SQLite (a path) or in any database that SQLAlchemy names by URL (Postgres).

    One writer; any number of readers, also in other processes. Every method raises StorageError where the disk is
    full, read-only or failing; nothing is half applied then.
    """

    def __init__(self, where: Path | str) -> None:
        """Open the catalog, made empty where there is none yet.

        Raises HomeVersionError where a newer Feedmill has written it, HomeError where it is no catalog.
        """
        self._where = str(where)
        url = (
            sa.make_url(where)
            if isinstance(where, str) and "://" in where
            else sa.URL.create("sqlite", database=str(where))
        )
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise HomeError(f"catalog {self._where}: cannot be opened ({error})") from None
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _tune_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._writing = self._engine.execution_options(writing=True)
        self._upserts = {table.name: self._upsert(table) for table in (_users, _items)}
        with self._errors():
            self._prepare()

    def position(self) -> int:
        """The log position up to which the catalog has folded; 0 before the first record."""
        with self._errors(), self._engine.connect() as connection:
            return int(connection.execute(sa.select(_reached.c.position)).scalar_one())

    def apply(self, records: Iterable[Record], position: int) -> None:
        """Fold records, which end at `position` of the log, in one transaction.

        Upserts replace, deletions remove, other records change nothing: to apply the same records again is harmless.
        """
        changes = _Changes(position)
        for record in records:
            changes.fold(record)
        with self._errors(), self._writing.begin() as connection:
            for table, rows in ((_users, changes.users), (_items, changes.items)):
                gone = [{"gone": name} for name, row in rows.items() if row is None]
                kept = [row for row in rows.values() if row is not None]
                if gone:
                    connection.execute(sa.delete(table).where(table.c.id == sa.bindparam("gone")), gone)
                if kept:
                    connection.execute(self._upserts[table.name], kept)
            connection.execute(sa.update(_reached).values(position=position))

    def catch_up(self, log: Log) -> int:
        """Apply what the log holds beyond the catalog's position; gives the position reached.

        A catalog that is ahead of the log has followed another one, and is built again from this.
        """
        position = self.position()
        if position > log.end():
            with self._errors():
                self._prepare(anew=True)
            position = 0
        while True:
            records, reached = log.read(position, _CHUNK)
            if not records:
                return position
            self.apply(records, reached)
            position = reached

    def user(self, user_id: str) -> User | None:
        """What is known of a user; None where there is no such user."""
        body = self._bodies(_users, [user_id]).get(user_id)
        return None if body is None else _user_decoder.decode(body)

    def item(self, item_id: str) -> Item | None:
        """What is known of an item; None where there is no such item."""
        return self.items([item_id]).get(item_id)

    def items(self, item_ids: Sequence[str]) -> dict[str, Item]:
        """The items of those ids that exist."""
        return {name: _item_decoder.decode(body) for name, body in self._bodies(_items, item_ids).items()}

    def each_user(self) -> Iterator[tuple[str, User]]:
        """All users, in the order of their ids, in bounded memory."""
        return ((name, _user_decoder.decode(body)) for name, body in self._each(_users))

    def each_item(self) -> Iterator[tuple[str, Item]]:
        """All items, in the order of their ids, in bounded memory."""
        return ((name, _item_decoder.decode(body)) for name, body in self._each(_items))

    def count_users(self) -> int:
        return self._count(_users)

    def count_items(self) -> int:
        return self._count(_items)

    def digests(self, kind: str, ids: Sequence[str]) -> dict[str, bytes]:
        """`digest` of the bodies of those users or items (`kind`: "user", "item") that exist."""
        return self._column(_users if kind == "user" else _items, "digest", ids)

    def close(self) -> None:
        self._engine.dispose()

    def _prepare(self, anew: bool = False) -> None:
        with self._writing.begin() as connection:
            written = None
            if sa.inspect(connection).has_table(_reached.name):
                written = connection.execute(sa.select(_reached.c.version)).scalar_one_or_none()
            if written == VERSION and not anew:
                return
            if written is not None and written > VERSION:
                raise HomeVersionError(
                    f"catalog {self._where}: version {written}, this Feedmill knows {VERSION}; install the newer one"
                )
            _metadata.drop_all(connection)
            _metadata.create_all(connection)
            connection.execute(sa.insert(_reached).values(version=VERSION, position=0))

    def _upsert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        insert = postgresql.insert(table) if self._engine.dialect.name == "postgresql" else sqlite.insert(table)
        changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name != "id"}
        return insert.on_conflict_do_update(index_elements=["id"], set_=changed)

    def _bodies(self, table: sa.Table, ids: Sequence[str]) -> dict[str, str]:
        return self._column(table, "body", ids)

    def _column(self, table: sa.Table, column: str, ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with self._errors(), self._engine.connect() as connection:
            for start in range(0, len(ids), _VARIABLES):
                part = list(ids[start : start + _VARIABLES])
                rows = connection.execute(sa.select(table.c.id, table.c[column]).where(table.c.id.in_(part)))
                found.update((name, value) for name, value in rows)
        return found

    def _each(self, table: sa.Table) -> Iterator[tuple[str, str]]:
        """Pages by id, a short transaction each, so that the write-ahead log can be cut between them."""
        last = ""
        while True:
            page = sa.select(table.c.id, table.c.body).where(table.c.id > last).order_by(table.c.id).limit(_CHUNK)
            with self._errors(), self._engine.connect() as connection:
                rows = connection.execute(page).all()
            if not rows:
                return
            yield from ((name, body) for name, body in rows)
            last = rows[-1][0]

    def _count(self, table: sa.Table) -> int:
        with self._errors(), self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            cause = error.orig
            if getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise HomeError(
                    f"catalog {self._where}: {cause}; delete the file, and it is built again from the log"
                ) from None
            raise StorageError(
                f"catalog {self._where}: {cause}; see that the disk has room and may be written, then try again"
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise StorageError(f"catalog {self._where}: {error}") from None


class _Changes:
    """The rows that a run of records leaves behind: the last word on each id, None where it is deleted."""

    def __init__(self, position: int) -> None:
        self._position = position
        self.users: dict[str, dict[str, object] | None] = {}
        self.items: dict[str, dict[str, object] | None] = {}

    def fold(self, record: Record) -> None:
        body = record.body
        if isinstance(body, Item):
            row = self._row(record.object, body)
            row.update(title=body.title, author=body.author_id, created_at=body.created_at)
            self.items[record.object] = row
        elif isinstance(body, User):
            self.users[record.subject] = self._row(record.subject, body)
        elif record.kind == "retraction" and record.action == DELETE:
            if record.object:
                self.items[record.object] = None
            else:
                self.users[record.subject] = None

    def _row(self, name: str, body: User | Item) -> dict[str, object]:
        encoded = _encoder.encode(body)
        known_by = hashlib.blake2b(encoded, digest_size=16).digest()
        return {"id": name, "body": encoded.decode(), "digest": known_by, "position": self._position}


def _tune_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python would begin transactions by itself, and not for CREATE TABLE: SQLAlchemy's begin does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may take back the last commits, but the position with them: the log heals it.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
