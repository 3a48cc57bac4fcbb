"""Files that are damaged at random: refused by name, and never more than that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.errors import SnapshotError
from feedmill.domain.ids import feature_ids
from feedmill.domain.optimizers import Adam
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.reference import crc64
from feedmill.learn.table.snapshot_file import Head
from feedmill.learn.table.table import EmbeddingTable

NOW = 1_651_161_600_000
SLOTS = (Slot(1, "damage/a", (Segment(3),), admission=2), Slot(2, "damage/b", (Segment(2, Adam()),)))


@pytest.mark.parametrize("cases", [1_000, pytest.param(30_000, marks=pytest.mark.soak)])
def test_a_snapshot_that_was_damaged_anywhere_is_refused_and_the_table_as_before(cases: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = EmbeddingTable(SLOTS)
    for slot, width in ((1, 3), (2, 2)):
        ids = feature_ids(slot, rng.integers(1, 40, 60).astype(np.uint64))
        table.update(ids, np.arange(61), rng.normal(size=(60, width)).astype(np.float32), now=NOW)
    path = tmp_path / "table"
    table.snapshot(path)
    whole = path.read_bytes()
    head = len(Head(0, SLOTS).encode())
    before = table.lookup(table.touched(0)[:1])
    for case in range(cases):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            match rng.integers(4):
                case 0:  # bytes that change
                    at = int(rng.integers(len(damaged)))
                    damaged[at : at + 4] = rng.bytes(min(4, len(damaged) - at))
                case 1:  # a part that is missing
                    at = int(rng.integers(len(damaged)))
                    del damaged[at : at + int(rng.integers(1, 200))]
                case 2:  # a part that stands twice
                    at = int(rng.integers(len(damaged)))
                    damaged[at:at] = damaged[at : at + int(rng.integers(1, 200))]
                case _:  # a number that is very large
                    at = head + 8 * int(rng.integers(max(1, (len(damaged) - head) // 8)))
                    damaged[at : at + 8] = b"\xff" * 8
        if case % 2 and len(damaged) > head + 8:
            # Even with a checksum that fits: whoever alters a file can do that too.
            damaged[-8:] = crc64(damaged[:-8]).to_bytes(8, "little")
        if damaged == whole:
            continue
        path.write_bytes(damaged)
        other = EmbeddingTable(SLOTS)
        refused = _refusal(other, path)
        # With a checksum that fits, all may fit together: then it is a table like any other.
        assert refused or case % 2
        if refused:
            assert str(path) in refused
            assert (len(other), other.version) == (0, 0)
        assert len(other.touched(0)) <= len(other)
    np.testing.assert_array_equal(table.lookup(table.touched(0)[:1]), before)


def _refusal(table: EmbeddingTable, path: Path) -> str:
    try:
        table.restore(path)
    except SnapshotError as error:
        return str(error)
    return ""
