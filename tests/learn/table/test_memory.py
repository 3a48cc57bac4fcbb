"""Memory: used again, given back, and what happens when there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.table import EmbeddingTable

NOW = 1_651_161_600_000
DAY = 86_400_000
SLOT = Slot(1, "memory/daily", (Segment(16),), time_to_live=DAY // 1000)

IN_LITTLE_MEMORY = """
import json, resource, sys
import numpy as np
from feedmill import EmbeddingTable
from feedmill.domain.errors import OutOfMemory
from feedmill.domain.ids import feature_ids
from feedmill.domain.slots import Segment, Slot

table = EmbeddingTable([Slot(1, "memory/endless", (Segment(16),))])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
offsets, gradients = np.arange(10_001), np.ones((10_000, 16), dtype=np.float32)
updates = 0
try:
    while True:
        ids = feature_ids(1, np.arange(1 + 10_000 * updates, 10_001 + 10_000 * updates, dtype=np.uint64))
        table.update(ids, offsets, gradients, now=0)
        updates += 1
except OutOfMemory as error:
    refused = str(error)
first = table.lookup(feature_ids(1, np.arange(1, 10_001, dtype=np.uint64)))
print(json.dumps({
    "updates": updates, "version": table.version, "rows": len(table), "equal": bool((first == first[0, 0]).all()),
    "new": bool(table.lookup(ids).any()), "touched": len(table.touched(table.version - 1)), "refused": refused,
}))
"""


TURNED_OVER = """
import json, resource, sys
import numpy as np
from feedmill import EmbeddingTable
from feedmill.domain.ids import feature_ids
from feedmill.domain.slots import Segment, Slot

NOW, DAY, STEP = 1_651_161_600_000, 86_400_000, 10_000
rows = int(sys.argv[1])
table = EmbeddingTable([Slot(1, "memory/daily", (Segment(16),), time_to_live=DAY // 1000)])
offsets, gradients = np.arange(STEP + 1), np.ones((STEP, 16), np.float32)

def ids_of(day):
    return feature_ids(1, np.arange(1 + day * rows, 1 + (day + 1) * rows, dtype=np.uint64))

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

before, sizes, used, resided = resident(), [], [], []
for day in range(10):
    ids = ids_of(day)
    for start in range(0, rows, STEP):
        table.update(ids[start : start + STEP], offsets, gradients, now=NOW + day * DAY)
        # Yesterday's go while today's come, a few at a time.
        table.expire(NOW + day * DAY, most=20_000)
    table.expire(NOW + day * DAY)
    del ids
    sizes.append(len(table))
    used.append(table.stats().bytes)
    resided.append(resident() - before)
print(json.dumps({
    "rows": sizes, "used": used, "resident": resided,
    "today": bool(table.lookup(ids_of(9)).all()), "yesterday": bool(table.lookup(ids_of(8)).any()),
}))
"""


def test_where_there_is_no_memory_an_update_is_refused_and_the_table_is_as_before() -> None:
    ran = subprocess.run([sys.executable, "-c", IN_LITTLE_MEMORY], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["updates"] > 10
    assert found["version"] == found["updates"]
    assert found["rows"] == 10_000 * found["updates"]
    assert (found["equal"], found["new"], found["touched"]) == (True, False, 10_000)
    assert "gives no more memory" in found["refused"]


def day_of(day: int, rows: int) -> UInt64s:
    return feature_ids(1, np.arange(1 + day * rows, 1 + (day + 1) * rows, dtype=np.uint64))


@pytest.mark.parametrize("rows", [200_000, pytest.param(2_000_000, marks=pytest.mark.soak)])
def test_ten_turnovers_of_all_ids_take_no_more_memory_than_two(rows: int) -> None:
    ran = subprocess.run([sys.executable, "-c", TURNED_OVER, str(rows)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["rows"] == [rows] * 10
    for kind in ("used", "resident"):
        assert found[kind][1] > 100 * rows
        assert found[kind][9] <= 1.05 * found[kind][1]
    assert (found["today"], found["yesterday"]) == (True, False)


def test_what_expires_gives_its_memory_back() -> None:
    table = EmbeddingTable([SLOT])
    ids = day_of(0, 200_000)
    table.update(ids, np.arange(len(ids) + 1), np.ones((len(ids), 16), np.float32), now=NOW)
    full = table.stats()
    table.update(ids[:1000], np.arange(1001), np.ones((1000, 16), np.float32), now=NOW + DAY)
    assert table.expire(NOW + DAY) == 199_000
    assert len(table) == 1000
    assert table.stats().bytes < 0.6 * full.bytes
    np.testing.assert_array_equal(table.lookup(ids[1000:]), np.zeros((199_000, 16)))


def test_expiry_in_steps_looks_at_a_part_each_time_and_comes_to_the_same() -> None:
    rows = 100_000
    at_once, in_steps = EmbeddingTable([SLOT]), EmbeddingTable([SLOT])
    for table in (at_once, in_steps):
        for start in range(0, rows, 10_000):
            ids = day_of(0, rows)[start : start + 10_000]
            late = DAY if start % 20_000 else 0
            table.update(ids, np.arange(10_001), np.ones((10_000, 16), np.float32), now=NOW + late)
    assert at_once.expire(NOW + DAY) == rows // 2
    dropped = [in_steps.expire(NOW + DAY, most=1) for _ in range(200)]
    assert max(dropped) < rows // 4
    assert sum(dropped) == rows // 2
    np.testing.assert_array_equal(at_once.touched(0), in_steps.touched(0))
    # In the middle of its steps, all at once is still all.
    in_steps.expire(NOW + 2 * DAY - 1000, most=1)
    assert in_steps.expire(NOW + 2 * DAY) == rows // 2


def test_huge_pages_are_those_that_the_system_has_given() -> None:
    def given() -> int:
        lines = Path("/proc/self/smaps").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("AnonHugePages:"))

    if not Path("/proc/self/smaps").exists():
        pytest.skip("this system does not say which pages are huge")
    before = given()
    table = EmbeddingTable([SLOT])
    assert table.stats().huge_bytes == 0
    for start in range(0, 500_000, 10_000):
        ids = day_of(start, 1) + np.arange(10_000, dtype=np.uint64)
        table.update(ids, np.arange(10_001), np.ones((10_000, 16), np.float32), now=NOW)
    stats = table.stats()
    assert 0 <= stats.huge_bytes <= stats.bytes
    # What lies there without being in use yet is not counted.
    assert 0.5 * (given() - before) <= stats.huge_bytes <= given()
