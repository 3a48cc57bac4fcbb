"""An import can be stopped at any moment and run again, and holds little in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.clock import ManualClock
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing.kuairand import KuaiRandSource
from feedmill.stream.importing.tabular import TabularSource
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.sqlite import SqliteLog

MakeFolder = Callable[[int], Path]

CHILD = """
import sys
from pathlib import Path
from feedmill.domain.clock import SystemClock
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing import runner
from feedmill.stream.importing.kuairand import KuaiRandSource
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.sqlite import SqliteLog
runner.BATCH = 40
folder, home = map(Path, sys.argv[1:])
clock, log = SystemClock(), SqliteLog(home / "log.db")
ingest = Ingest(log, CatalogStore(home / "catalog.db"), clock)
progress = lambda phase, done, total: print(phase, done, flush=True)
runner.run_import(KuaiRandSource(folder, clock), ingest, clock, progress=progress, chunk_rows=300, work_dir=home)
"""


def test_small_chunks_give_the_same_log_as_one_large(place, kuairand: MakeFolder, tmp_path: Path) -> None:
    folder = kuairand(2_000)
    place.run(KuaiRandSource(folder, place.clock))
    whole = place.records()
    (tmp_path / "other").mkdir()
    other = type(place)(
        tmp_path / "other",
        place.clock,
        type(place.log)(),
        catalog := CatalogStore(tmp_path / "other" / "catalog.db"),
        None,  # type: ignore[arg-type]
    )
    other.ingest = Ingest(other.log, catalog, place.clock)
    other.run(KuaiRandSource(folder, place.clock), chunk_rows=7)
    assert other.records() == whole


def test_progress_goes_from_bytes_read_to_records_written(place, kuairand: MakeFolder) -> None:
    told: list[tuple[str, int, int]] = []
    result = place.run(KuaiRandSource(kuairand(3_000), place.clock), progress=lambda *step: told.append(step))
    reading = [(done, total) for phase, done, total in told if phase == "reading"]
    writing = [(done, total) for phase, done, total in told if phase == "writing"]
    assert reading[-1][0] == reading[-1][1] > 0
    assert [done for done, _ in reading] == sorted(done for done, _ in reading)
    assert writing[-1] == (result.read + 140, result.read + 140)


def test_the_result_can_be_printed_as_json(place, kuairand: MakeFolder) -> None:
    result = msgspec.to_builtins(place.run(KuaiRandSource(kuairand(100), place.clock)))
    assert (result["read"], result["accepted"], result["duplicates"], result["rejected"]) == (100, 90, 10, 0)
    assert result["users"] == {"read": 50, "accepted": 50, "duplicates": 0, "unchanged": 0, "rejected": 0}


def test_an_import_that_is_interrupted_from_the_keyboard_is_finished_by_the_next(place, kuairand: MakeFolder) -> None:
    folder = kuairand(6_000)

    def interrupt(phase: str, _done: int, _total: int) -> None:
        if phase == "writing" and place.log.end() > 140:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.run(KuaiRandSource(folder, place.clock), progress=interrupt)
    half = place.log.end()
    result = place.run(KuaiRandSource(folder, place.clock))
    assert 140 < half < place.log.end() == 140 + 5_400
    assert result.accepted + (half - 140) == 5_400


def test_a_rejects_file_of_an_earlier_run_is_replaced(place, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user,item\n,i\n,j\n")
    place.run(TabularSource(path, "events", place.clock))
    path.write_text("user,item\n,k\n")
    result = place.run(TabularSource(path, "events", place.clock))
    assert result.rejects is not None
    assert [msgspec.json.decode(line)["row"] for line in Path(result.rejects).read_bytes().splitlines()] == [",k"]


def test_an_import_onto_a_full_disk_says_so_and_is_finished_when_there_is_room(
    kuairand: MakeFolder, tmp_path: Path
) -> None:
    folder, home = kuairand(2_000), tmp_path / "home"
    home.mkdir()
    arguments = [str(folder), str(home)]
    # A limit on the size of files stands in for a small disk: it fails the same writes.
    small = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))\n"
    full = subprocess.run([sys.executable, "-c", small + CHILD, *arguments], capture_output=True, text=True)
    assert full.returncode == 1
    assert "feedmill.domain.errors.StorageError" in full.stderr
    subprocess.run([sys.executable, "-c", CHILD, *arguments], check=True, stdout=subprocess.DEVNULL)
    _assert_whole(home)


def _kill_and_finish(folder: Path, home: Path, rng: np.random.Generator) -> None:
    """Kill an import after a random word of progress, then check that the next one finishes it exactly."""
    home.mkdir()
    command = [sys.executable, "-c", CHILD, str(folder), str(home)]
    words = int(rng.integers(1, 60))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(words):
            child.stdout.readline()
        child.kill()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _assert_whole(home)


def _assert_whole(home: Path) -> None:
    log, catalog = SqliteLog(home / "log.db"), CatalogStore(home / "catalog.db")
    records, end = log.read(0, 10_000)
    assert end == log.end()
    Ingest(log, catalog, ManualClock())
    assert len([record for record in records if record.kind == "seen"]) == 1_800
    assert len({record.event_id for record in records if record.kind == "seen"}) == 1_800
    assert [record.kind for record in records].count("user") == 50
    assert [record.kind for record in records].count("item") == 90
    assert (catalog.count_users(), catalog.count_items()) == (50, 90)
    log.close()
    catalog.close()


def test_an_import_that_is_killed_is_finished_by_the_next(kuairand: MakeFolder, tmp_path: Path) -> None:
    folder, rng = kuairand(2_000), np.random.default_rng(7)
    for kill in range(3):
        _kill_and_finish(folder, tmp_path / f"home{kill}", rng)


@pytest.mark.soak
def test_an_import_that_is_killed_twenty_times_loses_and_doubles_nothing(kuairand: MakeFolder, tmp_path: Path) -> None:
    folder, rng = kuairand(2_000), np.random.default_rng(11)
    for kill in range(20):
        _kill_and_finish(folder, tmp_path / f"home{kill}", rng)
