"""Traces are kept, found, forgotten in time, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import msgspec
import pytest

from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.serve.pipeline.request import Request
from feedmill.serve.stored_trace import StoredTrace
from feedmill.serve.trace_store import TraceStore


def trace(request_id: str, size: int = 0) -> StoredTrace:
    """A trace whose ids fill so many bytes that do not compress."""
    return StoredTrace(
        Request(user_id="u", now=1, request_id=request_id), (os.urandom(size // 2).hex(),), ("fresh",), b"\x80", (),
        b"", b"\x00\x3c", (), b"\xff" * 4, bytes(4), b"", b"", (), (),
    )  # fmt: skip


def test_a_trace_is_found_by_its_request_also_after_opening_again(tmp_path: Path) -> None:
    kept = {name: trace(name, 10) for name in ("r1", "r2")}
    store = TraceStore(tmp_path / "traces")
    store.put([("r1", 1, kept["r1"]), ("r2", 2, kept["r2"])])
    store.put([])
    assert store.get("r1") == kept["r1"]
    store.close()
    store = TraceStore(tmp_path / "traces")
    assert (store.get("r2"), store.get("r3")) == (kept["r2"], None)
    store.close()


def test_a_trace_that_is_put_again_replaces_the_first(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces")
    second = trace("r", 20)
    store.put([("r", 1, trace("r"))])
    store.put([("r", 9, second)])
    assert store.expire(9) == 0
    assert store.get("r") == second
    store.close()


def test_what_is_older_than_asked_for_expires_oldest_first_a_thousand_a_call(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces")
    store.put([(f"r{n}", n, trace(f"r{n}")) for n in range(1500)])
    assert store.expire(0) == 0
    assert store.expire(1400) == 1000
    assert (store.get("r999"), store.get("r1000") is None) == (None, False)
    assert store.expire(1400) == 400
    assert store.expire(1400) == 0
    assert (store.get("r1399"), store.get("r1400") is None) == (None, False)
    store.close()


def test_the_room_of_what_has_expired_is_used_again_and_given_back(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces")

    def pages() -> tuple[int, int]:
        with sqlite3.connect(tmp_path / "traces") as connection:
            return tuple(
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
            )

    for day in range(5):
        store.put([(f"{day}/{n}", day, trace("r", 20_000)) for n in range(300)])
        store.expire(day)
    full, _ = pages()
    # A day is 300 traces of 10 KB, compressed, in pages of 4 KB: never more than two days and the spare ones.
    assert full < 2 * 300 * 4 + 1000 + 50
    store.expire(10)
    _, free = pages()
    while store.expire(10) or pages()[1] < free:
        free = pages()[1]
    assert pages()[0] < 1000 + 50
    store.close()


def test_traces_are_found_while_others_are_put(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces")
    missed: list[str] = []

    def work(thread: int) -> None:
        for n in range(30):
            name = f"{thread}/{n}"
            store.put([(name, n, trace(name, 100))])
            found = store.get(name)
            if found is None or found.request.request_id != name:
                missed.append(name)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missed == []
    store.close()


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\7" * 5000])
def test_a_damaged_file_is_named_and_may_be_deleted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "traces").write_bytes(content)
    with pytest.raises(HomeError, match="delete the file: only explanations of past pages are lost"):
        TraceStore(tmp_path / "traces")


@pytest.mark.parametrize("body", [b"", b"rubbish", zlib.compress(b"\x93\1\2\3"), zlib.compress(b"\xc1")])
def test_a_damaged_trace_is_named_and_the_others_are_found(tmp_path: Path, body: bytes) -> None:
    store = TraceStore(tmp_path / "traces")
    store.put([("r1", 1, trace("r1")), ("r2", 1, trace("r2"))])
    with sqlite3.connect(tmp_path / "traces") as connection:
        connection.execute("UPDATE traces SET body = ? WHERE request_id = 'r1'", (body,))
    with pytest.raises(HomeError, match="damaged"):
        store.get("r1")
    assert store.get("r2") is not None
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_one_of_an_older_emptied(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces")
    store.put([("r1", 1, trace("r1"))])
    store.close()
    with sqlite3.connect(tmp_path / "traces") as connection:
        connection.execute("PRAGMA user_version = 0")
    store = TraceStore(tmp_path / "traces")
    assert store.get("r1") is None
    store.close()
    with sqlite3.connect(tmp_path / "traces") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HomeVersionError, match="version 99"):
        TraceStore(tmp_path / "traces")


FILLING = """
import resource, signal, sys
from pathlib import Path
from feedmill.domain.errors import StorageError
from feedmill.serve.trace_store import TraceStore
sys.path.insert(0, sys.argv[2])
from test_trace_store import trace
store = TraceStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
kept = 0
try:
    while True:
        store.put([(f"r{kept}", kept, trace("r", 20_000))])
        kept += 1
except StorageError as error:
    assert store.get(f"r{kept - 1}") is not None and store.get(f"r{kept}") is None
    print(kept, error)
"""


def test_a_disk_that_is_full_is_said_to_be_and_what_was_kept_is_still_there(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", FILLING, str(tmp_path / "traces"), str(Path(__file__).parent)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    kept, _, message = done.stdout.partition(" ")
    assert int(kept) > 5
    assert "see that the disk has room" in message
    store = TraceStore(tmp_path / "traces")
    assert store.get("r0") is not None
    store.put([("new", 1, trace("new"))])
    assert store.get("new") is not None
    store.close()


def test_where_nothing_can_be_written_the_disk_is_to_blame(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="see that the disk has room and may be written"):
        TraceStore(tmp_path / "missing" / "traces")


def test_the_trace_is_what_its_bytes_say() -> None:
    one = trace("r", 10)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=StoredTrace) == one
