"""Appends to a log that holds ten million records already, in batches of 1,000, while a second process reads it.

The limit is SQLite alone in the same run: the same payloads, encoded beforehand, in the same batches with the same
syncs into a table that knows no duplicates, by `executemany` and by inserts of 100 rows, whichever is faster. The peer
is a copy of the same log with a unique index on the key. The reader reads our log at full speed through all of them.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np

from feedmill.domain.ids import hash_ids
from feedmill.domain.records import Record, encode_record
from feedmill.stream.log.sqlite import SqliteLog
from report import Figure, arguments, progress, report

BATCH = 1_000
ROUNDS = 3
START = 1_651_161_600_000


class Source:
    """Events of a short-video application, as many as are asked for, each with an id of its own."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._number = 0

    def records(self, count: int) -> list[Record]:
        users = self._generator.zipf(1.2, count) % 1_000_000
        items = self._generator.zipf(1.1, count) % 100_000
        seconds = self._generator.exponential(20.0, count)
        identities = self._generator.integers(0, 1 << 63, (count, 2), dtype=np.int64)
        first = self._number
        self._number += count
        return [
            Record(
                "event",
                timestamp=START + first + index,
                subject=f"user-{user}",
                object=f"video-{item}",
                action="view",
                value=watched,
                event_id=f"{high:016x}{low:016x}",
                context={"surface": "feed", "device": "android"},
                received_at=START + first + index + 250,
            )
            for index, (user, item, watched, (high, low)) in enumerate(
                zip(users.tolist(), items.tolist(), seconds.tolist(), identities.tolist(), strict=True)
            )
        ]


def read_without_rest(path: Path, stop: Synchronized[int], count: Synchronized[int]) -> None:
    """The second process: reads the log from its beginning, over and over."""
    log = SqliteLog(path, read_only=True)
    position = 0
    while not stop.value:
        records, position = log.read(position, BATCH)
        count.value += len(records)
        if not records:
            position = 0
    log.close()


def build(path: Path, source: Source, rows: int) -> None:
    log = SqliteLog(path)
    begun = time.perf_counter()
    for done in range(0, rows, 10 * BATCH):
        if done % 1_000_000 == 0:
            progress(f"building: {done:,} of {rows:,} records, {time.perf_counter() - begun:.0f} s")
        log.append(source.records(10 * BATCH))
    log.close()


def open_bare(path: Path) -> sqlite3.Connection:
    """SQLite as our log sets it up."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA page_size = 16384")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY, key INTEGER, payload BLOB)")
    return database


Rows = list[tuple[int, bytes]]
MANY = "INSERT OR IGNORE INTO records (key, payload) VALUES (?, ?)"
HUNDRED = f"INSERT INTO records (key, payload) VALUES {', '.join(['(?, ?)'] * 100)}"


def insert_many(database: sqlite3.Connection, rows: Rows) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany(MANY, rows)
    database.execute("COMMIT")


def insert_hundreds(database: sqlite3.Connection, rows: Rows) -> None:
    database.execute("BEGIN IMMEDIATE")
    for start in range(0, len(rows), 100):
        database.execute(HUNDRED, [value for row in rows[start : start + 100] for value in row])
    database.execute("COMMIT")


def seconds_of(write: Callable[[Any], object], batches: list[Any]) -> list[float]:
    """The seconds that each batch took."""
    seconds = []
    gc.collect()
    gc.freeze()
    for batch in batches:
        begun = time.perf_counter()
        write(batch)
        seconds.append(time.perf_counter() - begun)
    gc.unfreeze()
    return seconds


def rate(seconds: list[float]) -> float:
    """Records a second."""
    return len(seconds) * BATCH / sum(seconds)


def batches_of(records: list[Record]) -> tuple[list[list[Record]], list[Rows]]:
    """Records in batches, and the rows that SQLite alone gets in their place."""
    keys = hash_ids(record.event_id for record in records).view(np.int64).tolist()
    rows = [(key, encode_record(record)) for key, record in zip(keys, records, strict=True)]
    starts = range(0, len(records), BATCH)
    return [records[start : start + BATCH] for start in starts], [rows[start : start + BATCH] for start in starts]


def run(place: Path, rows: int, batches: int, options: argparse.Namespace) -> None:
    path = place / "log"
    source = Source(options.seed)
    build(path, source, rows)
    progress("copying the log, and indexing the copy")
    shutil.copyfile(path, place / "unique")
    bare, unique = open_bare(place / "bare"), open_bare(place / "unique")
    unique.execute("CREATE UNIQUE INDEX by_key ON records (key)")
    key_bytes = sum(file.stat().st_size for file in (place / "log-keys").iterdir())
    file_bytes = path.stat().st_size

    begun = time.perf_counter()
    log = SqliteLog(path)
    opening = time.perf_counter() - begun

    processes = multiprocessing.get_context("spawn")
    stop, count = processes.Value("i", 0), processes.Value("q", 0)
    reader = processes.Process(target=read_without_rest, args=(path, stop, count))
    reader.start()
    while count.value == 0:
        time.sleep(0.01)
    reading_since, read_before = time.perf_counter(), count.value

    ours: list[list[float]] = []
    many: list[float] = []
    hundreds: list[float] = []
    for number in range(ROUNDS):
        records, encoded = batches_of(source.records(batches * BATCH))
        ours.append(seconds_of(log.append, records))
        many.append(rate(seconds_of(lambda batch: insert_many(bare, batch), encoded)))
        hundreds.append(rate(seconds_of(lambda batch: insert_hundreds(bare, batch), encoded)))
        progress(f"round {number + 1}: {rate(ours[-1]):,.0f}/s; bare {many[-1]:,.0f}/s and {hundreds[-1]:,.0f}/s")
    repeated = rate(seconds_of(log.append, records))
    # Some 30 times slower, so a part of the batches will do.
    indexed = rate(seconds_of(lambda batch: insert_many(unique, batch), encoded[: max(20, batches // 5)]))
    progress(f"all duplicates: {repeated:,.0f}/s; with a unique index: {indexed:,.0f}/s")
    read_rate = (count.value - read_before) / (time.perf_counter() - reading_since)
    stop.value = 1
    reader.join()
    for database in (bare, unique):
        database.close()
    log.close()

    latencies = np.array([seconds for each in ours for seconds in each]) * 1000
    report(
        {
            "appends": Figure(
                statistics.median(map(rate, ours)),
                "records/s",
                limit=max(statistics.median(many), statistics.median(hundreds)),
                peers={"sqlite with a unique index": indexed},
            )
        },
        options=options,
        libraries=("msgspec", "numpy", "xxhash"),
        sqlite=sqlite3.sqlite_version,
        rows=rows,
        batch=BATCH,
        bytes_per_record={"file": file_bytes / rows, "keys": key_bytes / rows},
        bare={"executemany": statistics.median(many), "inserts_of_100": statistics.median(hundreds)},
        append_ms={
            "p50": float(np.median(latencies)),
            "p99": float(np.quantile(latencies, 0.99)),
            "max": float(latencies.max()),
        },
        all_duplicates=repeated,
        read_beside=read_rate,
        opening_seconds=opening,
    )


def main() -> None:
    parser = arguments("Appends to a log that holds ten million records, beside a second process that reads it.")
    parser.add_argument("--dir", type=Path, help="where the files are kept meanwhile, 5 GB; a temporary directory")
    parser.add_argument("--rows", type=int, help="records in the log before the measurement")
    options = parser.parse_args()
    rows = options.rows or (500_000 if options.quick else 10_000_000)
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="feedmill-log-") as directory:
        run(Path(directory), rows, batches=100 if options.quick else 250, options=options)


if __name__ == "__main__":
    main()
