"""Files that are whole or not there, and what the operating system says of a disk in our own words."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from feedmill.domain.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run this again",
    errno.EDQUOT: "the disk quota is used up; free some space and run this again",
    errno.EROFS: "the file system is read-only; mount it writable or choose another directory",
    errno.EACCES: "permission denied; make it writable for this user or choose another directory",
    errno.EPERM: "permission denied; make it writable for this user or choose another directory",
    errno.EIO: "the disk fails (input/output error); what was acknowledged before may be copied to another one",
}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns an OSError of the body into a StorageError that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{path}: {advice}") from error


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old content or the new, and the new is on disk on return.

    Raises StorageError when the disk is full, read-only or failing; the old content is then still there.
    """
    with storage_errors(path):
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: a new or renamed file survives a power cut only after this."""
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
