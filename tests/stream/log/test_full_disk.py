"""A disk that is full or read-only, on real file systems."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedmill.domain.errors import StorageError
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.log.writer import SqliteLogConfig
from feedmill.testing.log_contract import event, read_all

SMALL = SqliteLogConfig(seal_at=500, fanout=2, wal_limit=1 << 19)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs is not permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def fill(log: SqliteLog, start: int) -> int:
    """Append batches of 100 until the disk is full; returns the first number that was not acknowledged."""
    with pytest.raises(StorageError, match="full"):
        append_without_end(log, start)
    return log.end()


def append_without_end(log: SqliteLog, start: int) -> int:
    while True:
        assert log.append([event(number) for number in range(start, start + 100)]).position == start + 100
        start += 100


def fill_with_ballast(place: Path) -> None:
    """Leave not one free page."""
    with (place / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


def test_on_a_full_disk_an_append_fails_whole_and_the_log_goes_on_when_space_returns(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    log = SqliteLog(small_disk / "home" / "log", SMALL)
    stored = fill(log, 0)
    assert stored > 0
    assert log.end() == stored
    assert read_all(log) == [event(number) for number in range(stored)]
    # More than the disk has: merging segments may have given back what a smaller append needs.
    with pytest.raises(StorageError, match="full"):
        log.append([event(number) for number in range(stored, stored + 50_000)])
    assert log.end() == stored

    ballast.unlink()
    appended = log.append([event(number) for number in range(stored - 50, stored + 100)])
    assert appended.duplicates.tolist() == [True] * 50 + [False] * 100
    more = fill(log, stored + 100)
    assert read_all(log) == [event(number) for number in range(more)]
    log.close()

    remount(small_disk, "size=8m")
    log = SqliteLog(small_disk / "home" / "log", SMALL)
    assert log.append([event(number) for number in range(more + 100)]).duplicates.tolist() == (
        [True] * more + [False] * 100
    )
    log.close()


def test_a_log_on_a_full_disk_says_so_when_opened_and_is_whole_when_space_returns(small_disk: Path) -> None:
    log = SqliteLog(small_disk / "log", SMALL)
    log.append([event(number) for number in range(1000)])
    log.close()
    fill_with_ballast(small_disk)
    for read_only in (True, False):
        with pytest.raises(StorageError, match="full"):
            SqliteLog(small_disk / "log", SMALL, read_only=read_only)
    (small_disk / "ballast").unlink()
    log = SqliteLog(small_disk / "log", SMALL)
    assert read_all(log) == [event(number) for number in range(1000)]
    log.close()


def test_a_log_that_was_closed_on_a_full_disk_has_what_it_acknowledged(small_disk: Path) -> None:
    log = SqliteLog(small_disk / "log", SMALL)
    stored = fill(log, 0)
    log.close()
    remount(small_disk, "size=4m")
    log = SqliteLog(small_disk / "log", SMALL)
    assert read_all(log) == [event(number) for number in range(stored)]
    assert log.append([event(0), event(stored)]).duplicates.tolist() == [True, False]
    log.close()


def test_a_log_on_a_disk_that_is_full_from_the_start_is_not_begun(small_disk: Path) -> None:
    fill_with_ballast(small_disk)
    with pytest.raises(StorageError, match="full"):
        SqliteLog(small_disk / "log")
    (small_disk / "ballast").unlink()
    log = SqliteLog(small_disk / "log")
    log.append([event(1)])
    assert read_all(log) == [event(1)]
    log.close()


def test_a_disk_that_becomes_read_only_is_named_and_can_still_be_read(small_disk: Path) -> None:
    log = SqliteLog(small_disk / "log", SMALL)
    log.append([event(1)])
    log.close()
    remount(small_disk, "ro")
    with pytest.raises(StorageError, match="read-only"):
        SqliteLog(small_disk / "log", SMALL)
    reader = SqliteLog(small_disk / "log", read_only=True)
    assert read_all(reader) == [event(1)]
    reader.close()
    remount(small_disk, "rw")
    log = SqliteLog(small_disk / "log", SMALL)
    assert log.append([event(1), event(2)]).duplicates.tolist() == [True, False]
    log.close()


def test_a_new_log_on_a_read_only_disk_is_refused(small_disk: Path) -> None:
    remount(small_disk, "ro")
    for path in (small_disk / "log", small_disk / "home" / "log"):
        with pytest.raises(StorageError, match="read-only"):
            SqliteLog(path)


def test_what_a_killed_writer_left_can_be_read_from_a_read_only_disk(small_disk: Path, tmp_path: Path) -> None:
    log = SqliteLog(small_disk / "log", SMALL)
    log.append([event(1), event(2)])
    # A copy of the files of an open log is what a killed process leaves.
    copy = {path.name: path.read_bytes() for path in small_disk.iterdir() if path.is_file()}
    log.close()
    assert "log-wal" in copy
    for name, content in copy.items():
        (small_disk / name).write_bytes(content)
    remount(small_disk, "ro")
    reader = SqliteLog(small_disk / "log", read_only=True)
    assert read_all(reader) == [event(1), event(2)]
    reader.close()
