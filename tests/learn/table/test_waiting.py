"""Ids that wait for admission, in memory that is bounded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.clock import SECOND
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.optimizers import Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable
from feedmill.learn.table.table import EmbeddingTable

NOON = 1_651_161_600_000


def slot(admission: int, time_to_live: int | None = None) -> Slot:
    return Slot(1, "waiting/any", (Segment(1, Sgd(1.0)),), admission=admission, time_to_live=time_to_live)


def occur(table: Table, ids: UInt64s, now: int = NOON) -> None:
    table.update(ids, np.arange(len(ids) + 1), np.ones((len(ids), 1), np.float32), now=now)


def ids_of(keys: range) -> UInt64s:
    return feature_ids(1, np.arange(keys.start, keys.stop, dtype=np.uint64))


@given(
    st.integers(1, 24),
    st.lists(
        st.tuples(
            st.sampled_from(["occur", "occur", "occur", "expire", "restore"]),
            st.integers(0, 40),
            st.integers(0, 2**32),
            st.integers(0, 30),
        ),
        max_size=25,
    ),
)
@settings(max_examples=60, deadline=None)
def test_where_there_is_no_room_the_same_ids_are_forgotten_as_by_the_reference(
    tmp_path_factory: pytest.TempPathFactory, waiting: int, steps: list[tuple[str, int, int, int]]
) -> None:
    native, reference = (kind([slot(3, 60)], waiting=waiting) for kind in (EmbeddingTable, ReferenceTable))
    path, other, now = tmp_path_factory.getbasetemp() / "one", tmp_path_factory.getbasetemp() / "other", NOON
    for kind, size, seed, later in steps:
        now += later * SECOND
        if kind == "occur":
            ids = np.random.default_rng(seed).choice(ids_of(range(1, 200)), size)
            occur(native, ids, now)
            occur(reference, ids, now)
        elif kind == "expire":
            assert native.expire(now) == reference.expire(now)
        else:
            native.snapshot(path)
            reference.snapshot(other)
            native.restore(other)
            reference.restore(path)
        assert (len(native), native.stats().waiting) == (len(reference), reference.stats().waiting)
    native.snapshot(path)
    reference.snapshot(other)
    assert path.read_bytes() == other.read_bytes()


def test_no_id_is_admitted_before_its_time_however_little_room_there_is() -> None:
    rng = np.random.default_rng(1)
    table, counts = EmbeddingTable([slot(3)], waiting=500), Counter[int]()
    for second in range(200):
        ids = ids_of(range(1, 20_001))[rng.integers(0, 20_000, 500)]
        counts.update(ids.tolist())
        occur(table, ids, NOON + second * SECOND)
    rows = set(table.touched(0).tolist())
    assert rows < {key for key, count in counts.items() if count >= 3}
    assert len(rows) > 100


def test_of_as_many_as_there_is_room_for_none_in_ten_thousand_is_forgotten() -> None:
    table = EmbeddingTable([slot(2)], waiting=1 << 17)
    ids = ids_of(range(1, (1 << 17) + 1))
    occur(table, ids)
    occur(table, ids)
    assert len(ids) - len(table) < 14


def test_memory_stays_in_its_bounds_whatever_the_number_of_ids() -> None:
    table = EmbeddingTable([slot(2)], waiting=10_000)
    before = table.stats().bytes
    for first in range(1, 1_000_001, 10_000):
        occur(table, ids_of(range(first, first + 10_000)), NOON + first)
    stats = table.stats()
    assert (len(table), 20_000 <= stats.waiting <= 32_768) == (0, True)
    # The room, and what an update of 10,000 ids takes.
    assert stats.bytes - before <= 32_768 * 16 + (2 << 20)


def test_the_ids_that_were_seen_last_are_those_that_are_still_known() -> None:
    table = EmbeddingTable([slot(2)], waiting=1_000)
    for second in range(100):
        occur(table, ids_of(range(1 + second * 100, 101 + second * 100)), NOON + second * SECOND)
    occur(table, ids_of(range(9_501, 10_001)))
    assert len(table) == 500
    occur(table, ids_of(range(1, 5_001)))
    assert len(table) == 500


def test_a_snapshot_goes_into_a_table_with_less_room(tmp_path: Path) -> None:
    table, smaller = EmbeddingTable([slot(2)], waiting=5_000), EmbeddingTable([slot(2)], waiting=100)
    for second in range(10):
        occur(table, ids_of(range(1 + second * 500, 501 + second * 500)), NOON + second * SECOND)
    table.snapshot(tmp_path / "snapshot")
    smaller.restore(tmp_path / "snapshot")
    assert (table.stats().waiting, 150 < smaller.stats().waiting <= 256) == (5_000, True)
