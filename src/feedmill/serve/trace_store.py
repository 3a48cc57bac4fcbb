"""Traces on disk, beside the log: what was considered for a page, for as long as somebody may ask.

Nothing depends on them but explanations: the file may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.serve.stored_trace import StoredTrace

VERSION = 1
"""Of the table and of what is in it. An older file is emptied."""

_EXPIRED_ROWS = 1_000
"""Traces that one call of `expire` removes at most: about 10 ms."""
_SPARE_PAGES = 1_000
"""Free pages of 4 KB that the file keeps for the traces to come."""
_VACUUM_PAGES = 500
_COMPRESSION = 1

_metadata = sa.MetaData()
_traces = sa.Table(
    "traces",
    _metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredTrace).decode


class TraceStore:
    """Traces by request id. Safe to call from several threads; one process writes.

    Every method raises StorageError where the disk is full, read-only or failing, and HomeError where the file is
    damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made where there is none yet. Raises HomeVersionError where a newer Feedmill wrote it."""
        self._path = path
        self._engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        sa.event.listen(self._engine, "connect", _tune)
        sa.event.listen(self._engine, "begin", _begin)
        insert = sqlite.insert(_traces)
        kept = {name: insert.excluded[name] for name in ("at", "body")}
        self._upsert = insert.on_conflict_do_update(index_elements=["request_id"], set_=kept)
        with self._errors(), self._engine.connect() as connection:
            self._prepare(connection)

    def put(self, traces: Sequence[tuple[str, int, StoredTrace]]) -> None:
        """Keep traces, each with its request id and UTC milliseconds; all of them or, on an error, none.

        One that is kept already is replaced. About 0.3 ms a trace of 500 candidates.
        """
        rows = [
            {"request_id": request_id, "at": at, "body": zlib.compress(_encode(trace), _COMPRESSION)}
            for request_id, at, trace in traces
        ]
        if rows:
            with self._errors(), self._engine.begin() as connection:
                connection.execute(self._upsert, rows)

    def get(self, request_id: str) -> StoredTrace | None:
        """The trace of a request; None where none is kept."""
        with self._errors(), self._engine.connect() as connection:
            wanted = sa.select(_traces.c.body).where(_traces.c.request_id == request_id)
            body = connection.execute(wanted).scalar_one_or_none()
        if body is None:
            return None
        try:
            return _decode(zlib.decompress(body))
        except (zlib.error, msgspec.MsgspecError, UnicodeError) as error:
            raise self._damaged(error) from None

    def expire(self, before: int) -> int:
        """Remove up to 1,000 of the oldest traces from before a time (UTC milliseconds); says how many.

        The room that they leave is used again, and beyond 4 MB given back to the disk, 2 MB a call.
        """
        oldest = sa.select(_traces.c.request_id).where(_traces.c.at < before).order_by(_traces.c.at)
        expired = sa.delete(_traces).where(_traces.c.request_id.in_(oldest.limit(_EXPIRED_ROWS)))
        with self._errors():
            with self._engine.begin() as connection:
                removed = int(connection.execute(expired).rowcount)
            with self._engine.connect() as connection:
                self._give_back(connection)
        return removed

    def close(self) -> None:
        self._engine.dispose()

    def _prepare(self, connection: sa.Connection) -> None:
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        if version > VERSION:
            raise HomeVersionError(
                f"traces {self._path}: version {version}, this Feedmill knows {VERSION}; install the newer one, or"
                " delete the file: only explanations of past pages are lost"
            )
        if version < VERSION:
            _metadata.drop_all(connection)
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        connection.commit()

    def _give_back(self, connection: sa.Connection) -> None:
        free = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
        pages = min(free - _SPARE_PAGES, _VACUUM_PAGES)
        if pages > 0:
            # The statement takes a step for each page and names no columns: only the driver fetches them all.
            connection.connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        connection.commit()

    def _damaged(self, cause: object) -> HomeError:
        return HomeError(
            f"traces {self._path}: damaged ({cause}); delete the file: only explanations of past pages are lost"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            if getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise self._damaged(cause) from None
            raise StorageError(
                f"traces {self._path}: {cause}; see that the disk has room and may be written, then try again"
            ) from None


def _tune(connection: sqlite3.Connection, _record: object) -> None:
    # Python would begin transactions by itself, and not for CREATE TABLE: `_begin` does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 10000")
    # Counts only in a file that has no table yet.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # No sync at a commit: a power cut may take back the last traces, which nobody was promised, and leaves a sound
    # file. With OFF it might not.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
