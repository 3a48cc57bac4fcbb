"""What the SQLite log does beyond the contract of every log."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import (
    HomeError,
    HomeVersionError,
    InvalidArgument,
    InvalidFile,
    InvalidRecord,
    StorageError,
)
from feedmill.domain.ids import UInt64s
from feedmill.domain.records import Record
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.log.writer import SqliteLogConfig
from feedmill.testing.log_contract import event, read_all

SMALL = SqliteLogConfig(seal_at=5, fanout=2, wal_limit=1 << 18)


def commits_in_wal(path: Path) -> int:
    """Transactions in the WAL of a log: its frames that carry the size of the database (SQLite file format, 4.2)."""
    content = path.with_name(path.name + "-wal").read_bytes()
    page = int.from_bytes(content[8:12], "big")
    salts = content[16:24]
    frames = [content[start : start + 24] for start in range(32, len(content), page + 24)]
    return sum(frame[8:16] == salts and frame[4:8] != bytes(4) for frame in frames)


def few_keys(ids: Sequence[str]) -> UInt64s:
    """A hash under which almost all ids collide."""
    return np.array([len(event_id) % 3 + 1 for event_id in ids], dtype=np.uint64)


def test_ids_that_share_a_key_are_not_duplicates(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", SMALL, hash_ids=few_keys)
    first = [event(number) for number in range(30)]
    assert not log.append(first).duplicates.any()
    assert log.append(first).duplicates.all()
    log.close()
    log = SqliteLog(tmp_path / "log", SMALL, hash_ids=few_keys)
    assert log.find([f"event-{number}" for number in range(31)]) == [*first, None]
    assert log.append([event(30), *first]).duplicates.tolist() == [False] + [True] * 30
    assert read_all(log) == [event(number) for number in range(31)]
    log.close()


Operation = tuple[str, list[int]]
operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 40), max_size=20)),
        st.tuples(st.just("reopen"), st.just([])),
    ),
    max_size=30,
)


@pytest.mark.parametrize("colliding", [False, True])
def test_any_sequence_of_appends_and_restarts_agrees_with_a_dictionary(colliding: bool) -> None:
    @settings(max_examples=40, deadline=None)
    @given(operations)
    def agrees(steps: list[Operation]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            check(Path(directory) / "log", steps)

    def open_log(path: Path) -> SqliteLog:
        return SqliteLog(path, SMALL, hash_ids=few_keys) if colliding else SqliteLog(path, SMALL)

    def check(path: Path, steps: list[Operation]) -> None:
        known: dict[str, int] = {}
        stored: list[Record] = []
        log = open_log(path)
        for step, numbers in steps:
            if step == "reopen":
                log.close()
                log = open_log(path)
                continue
            batch = [event(number, f"id-{number}" if number else "") for number in numbers]
            expected = []
            for record in batch:
                duplicate = record.event_id != "" and record.event_id in known
                expected.append(duplicate)
                if not duplicate:
                    known[record.event_id] = len(stored)
                    stored.append(record)
            appended = log.append(batch)
            assert appended.duplicates.tolist() == expected
            assert appended.position == len(stored) == log.end()
        assert read_all(log, limit=7) == stored
        log.close()

    agrees()


def test_appends_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    log.append([event(0)])
    before = commits_in_wal(log.path)
    positions: list[int] = []
    threads = [
        threading.Thread(target=lambda start=start: positions.append(log.append([event(start), event(1)]).position))
        for start in range(100, 108)
    ]
    with log._writing:
        for thread in threads:
            thread.start()
        while len(log._pending) < 8:
            os.sched_yield()
    for thread in threads:
        thread.join()
    assert commits_in_wal(log.path) == before + 1
    # Nine records: event 1 was new to one of the eight; each got the position after its own records.
    assert log.end() == 10
    assert sorted(positions) == [3, 4, 5, 6, 7, 8, 9, 10]
    log.close()


def test_a_group_that_cannot_be_written_fails_for_each_of_its_appends(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    log.append([event(0)])
    intruder = sqlite3.connect(log.path)
    intruder.execute("INSERT INTO records (key, payload) VALUES (0, x'00')")
    intruder.commit()
    intruder.close()
    errors: list[str] = []

    def write(number: int) -> None:
        try:
            log.append([event(number)])
        except StorageError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    with log._writing:
        for thread in threads:
            thread.start()
        while len(log._pending) < 2:
            os.sched_yield()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert "another program" in errors[0]
    log.close()


def test_readers_in_other_processes_follow_a_log_that_is_being_written(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from feedmill.stream.log.sqlite import SqliteLog
log = SqliteLog(Path(sys.argv[1]), read_only=True)
print("open", flush=True)
position = 0
while position < 3000:
    records, position = log.read(position, 100)
    for index, record in enumerate(records):
        assert record.event_id == f"event-{position - len(records) + index}", record
print("done", flush=True)
"""
    log = SqliteLog(tmp_path / "log", SMALL)
    readers = [
        subprocess.Popen([sys.executable, "-c", program, str(log.path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"open\n"
    for start in range(0, 3000, 50):
        log.append([event(number) for number in range(start, start + 50)])
    assert [reader.communicate(timeout=60)[0] for reader in readers] == [b"done\n"] * 2
    log.close()


def test_the_wal_stays_bounded_beside_readers_that_never_rest(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", SqliteLogConfig(wal_limit=1 << 20))
    stop = threading.Event()

    def follow() -> None:
        reader = SqliteLog(log.path, read_only=True)
        while not stop.is_set():
            reader.read(max(0, reader.end() - 300), 300)
        reader.close()

    readers = [threading.Thread(target=follow) for _ in range(2)]
    for reader in readers:
        reader.start()
    largest = 0
    wal = log.path.with_name("log-wal")
    payload = "x" * 1000
    for start in range(0, 20_000, 200):
        log.append([msgspec.structs.replace(event(number), request_id=payload) for number in range(start, start + 200)])
        largest = max(largest, wal.stat().st_size)
    stop.set()
    for reader in readers:
        reader.join()
    # 22 MB went through it; it may pass the limit by what one append writes (0.3 MB), and when a reader is in the way.
    assert largest < 3 << 20
    log.close()


def test_a_reader_that_holds_the_wal_open_delays_its_cutting_and_not_the_appends(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", SqliteLogConfig(wal_limit=1 << 18))
    log.append([event(0)])
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM records").fetchone()
    for start in range(1, 10_001, 1000):
        log.append([event(number) for number in range(start, start + 1000)])
    wal = log.path.with_name("log-wal")
    assert wal.stat().st_size > 1 << 18
    other.execute("COMMIT")
    other.close()
    for start in range(10_001, 20_001, 1000):
        log.append([event(number) for number in range(start, start + 1000)])
    assert wal.stat().st_size < 1 << 20
    assert log.end() == 20_001
    log.close()


def test_a_second_writer_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    with pytest.raises(HomeError, match=rf"another Feedmill \(process {os.getpid()}\) is writing"):
        SqliteLog(tmp_path / "log")
    program = """
import sys
from pathlib import Path
from feedmill.stream.log.sqlite import SqliteLog
SqliteLog(Path(sys.argv[1]))
"""
    other = subprocess.run([sys.executable, "-c", program, str(log.path)], capture_output=True, text=True, check=False)
    assert "HomeInUse" in other.stderr
    log.close()
    SqliteLog(tmp_path / "log").close()


def test_a_log_opened_for_reading_follows_the_writer_and_refuses_to_append(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    reader = SqliteLog(tmp_path / "log", read_only=True)
    log.append([event(1)])
    assert reader.read(0, 10) == ([event(1)], 1)
    assert reader.end() == 1
    with pytest.raises(StorageError, match="opened for reading"):
        reader.append([event(2)])
    with pytest.raises(StorageError, match="only its writer knows where they stand"):
        reader.find(["event-1"])
    log.close()
    assert reader.read(0, 10) == ([event(1)], 1)
    reader.close()
    alone = SqliteLog(tmp_path / "log", read_only=True)
    assert alone.read(0, 10) == ([event(1)], 1)
    alone.close()


def test_opening_for_reading_where_there_is_no_log_says_so_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="no log here"):
        SqliteLog(tmp_path / "log", read_only=True)
    (tmp_path / "empty").touch()
    with pytest.raises(HomeError, match="no log here"):
        SqliteLog(tmp_path / "empty", read_only=True)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_closed_log_says_that_it_is_closed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    log.close()
    log.close()
    for call in (lambda: log.append([event(1)]), lambda: log.read(0, 1), log.end):
        with pytest.raises(HomeError, match="closed"):
            call()


def test_a_position_that_is_no_position_is_refused(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    with pytest.raises(InvalidArgument):
        log.read(1 << 70, 1)
    log.close()


def test_a_record_that_cannot_be_encoded_is_refused_with_its_place_and_nothing_of_its_append_is_written(
    tmp_path: Path,
) -> None:
    log = SqliteLog(tmp_path / "log")
    too_large = msgspec.structs.replace(event(2), request_id="x" * (65 << 20))
    no_text = msgspec.structs.replace(event(2), event_id="\ud800")
    too_long = msgspec.structs.replace(event(2), timestamp=1 << 80)
    for bad in (too_large, no_text, too_long):
        with pytest.raises(InvalidRecord) as caught:
            log.append([event(1), bad])
        assert caught.value.field == "records[1]"
    assert log.end() == 0
    log.close()


def test_a_record_of_a_million_characters_is_kept(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    large = msgspec.structs.replace(event(1), context={"text": "ü" * 1_000_000})
    log.append([large, event(2)])
    assert log.read(0, 10) == ([large, event(2)], 2)
    log.close()


def make_text(path: Path) -> None:
    path.write_text("user_id,item_id\n" * 100)


def make_short_text(path: Path) -> None:
    path.write_text("hello")


def make_directory(path: Path) -> None:
    path.mkdir()


def make_other_database(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE records (name TEXT)")
    database.commit()
    database.close()


@pytest.mark.parametrize("make", [make_text, make_short_text, make_directory, make_other_database])
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_not_a_log_is_refused_and_left_as_it_is(tmp_path: Path, make: object, read_only: bool) -> None:
    assert callable(make)
    path = tmp_path / "log"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(InvalidFile, match=str(path)):
        SqliteLog(path, read_only=read_only)
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_log_of_a_newer_feedmill_is_refused(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "log"
    SqliteLog(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(HomeVersionError, match="format 2"):
        SqliteLog(path, read_only=read_only)


def test_a_record_that_cannot_be_read_is_named_by_its_position(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = SqliteLog(path)
    log.append([event(1), event(2), event(3)])
    log.close()
    database = sqlite3.connect(path)
    database.execute("UPDATE records SET payload = x'93a1ff' WHERE position = 2")
    database.commit()
    database.close()
    log = SqliteLog(path)
    with pytest.raises(StorageError, match="position 2"):
        log.read(0, 10)
    assert log.read(2, 10) == ([event(3)], 3)
    log.close()


def test_a_damaged_file_is_reported_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = SqliteLog(path)
    log.append([event(number) for number in range(2000)])
    log.close()
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 16_384):
        content[page * 16_384 : page * 16_384 + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        read_all(SqliteLog(path, read_only=True))
