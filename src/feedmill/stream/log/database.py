"""The SQLite file under the log: how it is opened, laid out, and what its errors mean.

Table `records` has one row a record: `position` (1 for the first, then without gaps), `key` (the 64-bit hash of the
event id, 0 where there is none) and `payload` (`encode_record`). It has no index but its primary key.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedmill.domain.errors import FeedmillError, HomeError, HomeVersionError, InvalidFile, StorageError

APPLICATION_ID = 0x464D4C47  # "FMLG"
VERSION = 1

# Four times SQLite's default: fewer pages to split, log and copy for rows of some 160 bytes.
_PAGE_SIZE = 16_384
# 8 MB, after which a commit also copies the WAL into the file: about 10 ms. At 4 MB that is 5 ms, and a tenth fewer
# appends; at 16 MB it is 16 ms.
_CHECKPOINT_PAGES = 500
_BUSY_SECONDS = 10.0

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE records (position INTEGER PRIMARY KEY, key INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE log (identity BLOB NOT NULL);
INSERT INTO log VALUES (x'%s');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The connection that writes, durable at each commit; creates the file and its tables where there are none.

    Raises InvalidFile when the file is not a log, HomeVersionError when it is a newer one, StorageError when the disk
    is full or read-only.
    """
    with storage_errors(path, "open the log"):
        connection = _connect(path, "mode=rwc")
        with _closed_on_error(connection):
            new = _is_new(path, connection)
            if new:
                connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            if new:
                connection.executescript(_SCHEMA % uuid.uuid4().hex)
            # A file that cannot be written opens without complaint; better to learn of it here than at an append.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads, beside any number of others, also from a medium that cannot be written.

    Raises HomeError when there is no log, else as `open_for_writing`.
    """
    with storage_errors(path, "read the log"):
        if not path.exists():
            raise HomeError(f"{path}: there is no log here; append to one first, or check the path")
        # Readers of a WAL share memory in a file beside it, which a read-only medium does not let them make. There
        # nobody can write either, so where no WAL was left behind the file is all there is, and does not change.
        alone = _medium_is_read_only(path) and not path.with_name(path.name + "-wal").exists()
        connection = _connect(path, "immutable=1" if alone else "mode=ro")
        with _closed_on_error(connection):
            if _is_new(path, connection):
                raise HomeError(f"{path}: there is no log here yet; append to it first, or check the path")
        return connection


def read_identity(connection: sqlite3.Connection) -> bytes:
    """The 16 bytes that tell this log from every other."""
    identity: bytes = connection.execute("SELECT identity FROM log").fetchone()[0]
    return identity


def last_position(connection: sqlite3.Connection) -> int:
    """The position of the last record; 0 when there is none."""
    position: int | None = connection.execute("SELECT max(position) FROM records").fetchone()[0]
    return position or 0


@contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn errors of SQLite and of the operating system into Feedmill's."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain_sqlite(path, doing, error) from error
    except OSError as error:
        raise _explain_os(path, doing, error) from error


def _connect(path: Path, parameters: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{parameters}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _is_new(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether the file is an empty database. Raises when it is one that is not ours to use."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (
        application == 0
        and version == 0
        and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    ):
        return True
    if application != APPLICATION_ID:
        raise InvalidFile(f"{path}: a SQLite database, but not a Feedmill log; check the path")
    if version > VERSION:
        raise HomeVersionError(
            f"{path}: a log of format {version}, and this Feedmill knows up to {VERSION}; install a newer Feedmill"
        )
    return False


def _medium_is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _explain_sqlite(path: Path, doing: str, error: sqlite3.Error) -> FeedmillError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return InvalidFile(f"{path}: not a SQLite database, so not a Feedmill log; check the path")
    if code == sqlite3.SQLITE_CORRUPT:
        return StorageError(f"{path}: the log is damaged ({error}); restore it from a backup")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _disk_is_full(path):
        return _full(path, doing)
    if code == sqlite3.SQLITE_FULL:
        return _full(path, doing)
    if path.is_dir():
        return InvalidFile(f"{path}: a directory, not a Feedmill log; check the path")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return _read_only(path, doing, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(f"{path}: cannot {doing}: another program has locked the file; close it and try again")
    return StorageError(f"{path}: cannot {doing}: {error}; check the disk")


def _explain_os(path: Path, doing: str, error: OSError) -> FeedmillError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path, doing)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _read_only(path, doing, str(error))
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return InvalidFile(f"{path}: cannot {doing}: {error}; check the path")
    return StorageError(f"{path}: cannot {doing}: {error}; check the disk")


def _disk_is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < 1 << 16
    except OSError:
        return False


def _full(path: Path, doing: str) -> StorageError:
    return StorageError(f"{path}: cannot {doing}: the disk is full; free some space and try again")


def _read_only(path: Path, doing: str, reason: str) -> StorageError:
    return StorageError(
        f"{path}: cannot {doing}: the disk or directory is read-only or not ours ({reason}); allow writing to "
        f"{path.parent}, or move the home to where it can be written"
    )
