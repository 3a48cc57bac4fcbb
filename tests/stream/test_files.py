from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from feedmill.domain.errors import StorageError
from feedmill.stream.files import atomic_write, storage_errors


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "slots.json"
    atomic_write(path, b"a long first content")
    atomic_write(path, b"short")
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", b"")
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_write_that_is_interrupted_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")
    with pytest.raises(TypeError):
        atomic_write(path, "text is not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        atomic_write(tmp_path / "missing" / "file", b"")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "home: the disk is full"),
        (errno.EDQUOT, "home: the disk quota is used up"),
        (errno.EROFS, "home: the file system is read-only"),
        (errno.EACCES, "home: permission denied"),
        (errno.EIO, "home: the disk fails"),
        (errno.ENAMETOOLONG, "home: File name too long"),
    ],
)
def test_an_error_of_the_system_names_the_path_and_what_is_wrong(number: int, message: str) -> None:
    with pytest.raises(StorageError, match=message) as error, storage_errors(Path("home")):
        raise OSError(number, os.strerror(number))
    assert isinstance(error.value.__cause__, OSError)
