"""The native table against the reference, at sizes that make it grow, and from several threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.clock import DAY, SECOND
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.optimizers import Adagrad, Adam, Ftrl, RowwiseAdagrad, Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable, crc64
from feedmill.learn.table.snapshot_file import Head
from feedmill.learn.table.table import EmbeddingTable

NOON = 1_651_161_600_000
SLOTS = (
    Slot(1, "a", (Segment(1, Adagrad(0.1)), Segment(4, Adagrad(0.3), initial_scale=0.1, l2=0.01, clip=2.0))),
    Slot(2, "e", (Segment(2, Ftrl(l1=0.5), l2=0.1), Segment(3, Adam(0.1), initial_scale=0.1, l2=0.1, clip=1.0))),
    Slot(7, "b", (Segment(5, Adagrad(initial_accumulator=1.0), 0.5),), admission=3, time_to_live=2 * DAY // SECOND),
    Slot(8, "c", (Segment(11, initial_scale=0.5),), admission=2, time_to_live=DAY // SECOND),
    Slot(9, "f", (Segment(4, Sgd(), 0.5, l2=0.3), Segment(7, RowwiseAdagrad(), 0.1)), admission_probability=0.4),
    Slot(4095, "d", (Segment(11, initial_scale=0.01, l2=1.0),)),
)
BY_DIMENSION = {5: (1, 2, 7), 11: (8, 9, 4095)}

# A step: its kind, its dimension, the seed of its arrays, its pooling, and how much later it is.
steps = st.lists(
    st.tuples(
        st.sampled_from(["update", "update", "update", "put", "lookup", "touched", "expire", "restore"]),
        st.sampled_from(sorted(BY_DIMENSION)),
        st.integers(0, 2**32),
        st.sampled_from(["sum", "mean"]),
        st.integers(-DAY // 2, DAY),
    ),
    max_size=20,
)


def random_ids(rng: np.random.Generator, dimension: int, size: int) -> UInt64s:
    """Ids of few keys, so that they meet again; some are 0."""
    numbers = rng.choice(BY_DIMENSION[dimension], size)
    keys = rng.integers(0, 40, size, dtype=np.uint64)
    return np.array([feature_ids(n, keys[i : i + 1])[0] for i, n in enumerate(numbers)], dtype=np.uint64)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_any_sequence_of_calls_gives_what_the_reference_gives_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, str, int]]
) -> None:
    native, reference = EmbeddingTable(SLOTS, seed=5), ReferenceTable(SLOTS, seed=5)
    native_path, reference_path = (tmp_path_factory.getbasetemp() / name for name in ("native", "reference"))
    now = NOON
    for kind, dimension, seed, pooling, later in steps:
        rng = np.random.default_rng(seed)
        now += later
        lengths = rng.integers(0, 5, rng.integers(0, 30))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = random_ids(rng, dimension, int(offsets[-1]))
        if kind == "update":
            gradients = rng.normal(size=(len(lengths), dimension)).astype(np.float32)
            for table in (native, reference):
                table.update(ids, offsets, gradients, pooling, now=now)
        elif kind == "put":
            vectors = rng.normal(size=(len(ids), dimension)).astype(np.float32)
            for table in (native, reference):
                table.put(ids, vectors, now=now)
        elif kind == "lookup":
            expected = reference.pooled_lookup(ids, offsets, pooling, dimension)
            assert native.pooled_lookup(ids, offsets, pooling, dimension).tobytes() == expected.tobytes()
            assert native.lookup(ids, dimension).tobytes() == reference.lookup(ids, dimension).tobytes()
        elif kind == "touched":
            since = int(rng.integers(0, native.version + 1))
            np.testing.assert_array_equal(native.touched(since), reference.touched(since))
        elif kind == "expire":
            assert native.expire(now) == reference.expire(now)
        else:
            # Each goes on from what the other wrote: the file is what the format says, not what one of them does.
            native.snapshot(native_path)
            reference.snapshot(reference_path)
            native.restore(reference_path)
            reference.restore(native_path)
        assert len(native) == len(reference)
    native.snapshot(native_path)
    reference.snapshot(reference_path)
    assert native_path.read_bytes() == reference_path.read_bytes()


def grow(table: Table, first: int, last: int) -> UInt64s:
    """One update of the keys first to last - 1, in which key k gets the gradient k in every column."""
    keys = np.arange(first, last)
    ids = feature_ids(1, keys.astype(np.uint64))
    gradients = np.repeat(keys[:, None], 5, axis=1).astype(np.float32)
    table.update(ids, np.arange(len(ids) + 1), gradients, now=NOON)
    return ids


def test_rows_keep_their_values_while_the_table_grows_a_thousandfold() -> None:
    table = EmbeddingTable(SLOTS)
    first = grow(table, 1, 101)
    before = table.lookup(first)
    rest = grow(table, 101, 100_001)
    np.testing.assert_array_equal(table.lookup(first), before)
    assert len(table) == 100_000
    assert 0.7 < table.stats().load <= 0.9
    alone = EmbeddingTable(SLOTS)
    grow(alone, 99_901, 100_001)
    np.testing.assert_array_equal(table.lookup(rest[-100:]), alone.lookup(rest[-100:]))
    np.testing.assert_array_equal(table.touched(1), np.sort(rest))


def test_a_row_costs_less_than_64_bytes_beside_its_vector_and_accumulators() -> None:
    table = EmbeddingTable(SLOTS)
    for first in range(1, 200_001, 10_000):
        grow(table, first, first + 10_000)
    stats = table.stats()
    assert stats.rows == 200_000
    assert stats.overhead < 64
    assert stats.bytes == pytest.approx(200_000 * (stats.overhead + 8 * 5))


def test_expiry_takes_out_any_mix_of_rows_and_leaves_the_others_findable() -> None:
    table = EmbeddingTable(SLOTS)
    keys = np.arange(1, 20_001, dtype=np.uint64)
    kept, dropped = feature_ids(4095, keys), feature_ids(8, keys)
    both = np.stack([kept, dropped, dropped], axis=1).ravel()
    gradients = np.ones((len(both), 11), dtype=np.float32)
    table.update(both, np.arange(len(both) + 1), gradients, now=NOON)
    before = table.lookup(kept)
    assert table.expire(NOON + DAY) == 20_000
    np.testing.assert_array_equal(table.lookup(kept), before)
    assert not table.lookup(dropped).any()


@pytest.mark.parametrize("putting", [False, True])
def test_a_reader_never_sees_half_a_row(putting: bool) -> None:
    # One segment with equal gradients or vectors: all columns of a row are equal, at every moment.
    slot = Slot(1, "flat", (Segment(16, Adagrad(1.0)),))
    table = EmbeddingTable([slot])
    ids = feature_ids(1, np.arange(1, 401, dtype=np.uint64))
    torn: list[np.ndarray] = []
    done = threading.Event()
    seen = [0, 0]

    def read(reader: int) -> None:
        while not done.is_set() or seen[reader] == 0:
            rows = table.lookup(ids)
            seen[reader] += 1
            if (rows.min(axis=1) != rows.max(axis=1)).any():
                torn.append(rows)
                return

    readers = [threading.Thread(target=read, args=(reader,)) for reader in range(2)]
    for reader in readers:
        reader.start()
    rng = np.random.default_rng(3)
    others = feature_ids(1, np.arange(1000, 61_000, dtype=np.uint64))
    for step in range(600):
        # New ids each time, so that index and slabs grow under the readers.
        batch = np.concatenate([ids, others[step * 100 : (step + 1) * 100]])
        values = np.full((len(batch), 16), rng.normal(), dtype=np.float32)
        if putting:
            table.put(batch, values, now=NOON)
        else:
            table.update(batch, np.arange(len(batch) + 1), values, now=NOON)
    done.set()
    for reader in readers:
        reader.join(timeout=60)
    assert not torn
    assert len(table) == 60_400


def test_snapshots_taken_beside_updates_are_tables_between_two_updates(tmp_path: Path) -> None:
    slot = Slot(1, "flat", (Segment(4, Adagrad(1.0)),))
    table = EmbeddingTable([slot])
    ids = feature_ids(1, np.arange(1, 5001, dtype=np.uint64))

    def learn() -> None:
        for step in range(300):
            table.update(ids, np.arange(5001), np.full((5000, 4), 1 + step % 3, dtype=np.float32), now=NOON)

    writer = threading.Thread(target=learn)
    writer.start()
    for take in range(10):
        path = tmp_path / f"{take}"
        table.snapshot(path)
        copy = EmbeddingTable([slot])
        copy.restore(path)
        rows = copy.lookup(ids)
        assert rows.min() == rows.max()
    writer.join(timeout=60)
    assert table.version == 300


@pytest.mark.parametrize("size", [1, 31, 32, 33, 100])
def test_lookups_of_any_length_agree_with_lookups_one_by_one(size: int) -> None:
    table = EmbeddingTable(SLOTS)
    ids = grow(table, 1, 101)
    mixed = np.where(np.arange(100) % 3 == 0, np.uint64(0), ids)[:size]
    one_by_one = [table.lookup(mixed[k : k + 1], dimension=5)[0] for k in range(size)]
    np.testing.assert_array_equal(table.lookup(mixed, dimension=5), one_by_one)


def test_a_large_table_is_restored_from_rows_in_the_order_of_their_hashes(tmp_path: Path) -> None:
    table = EmbeddingTable(SLOTS)
    ids = grow(table, 1, 200_001)
    table.snapshot(tmp_path / "table")
    restored = EmbeddingTable(SLOTS)
    restored.restore(tmp_path / "table")
    np.testing.assert_array_equal(restored.lookup(ids), table.lookup(ids))
    assert restored.stats().load > 0.6
    more = grow(restored, 200_001, 300_001)
    assert len(restored) == 300_000
    assert restored.lookup(more).any(axis=1).all()


def test_threads_give_the_same_bits_as_one() -> None:
    one, many = EmbeddingTable(SLOTS, seed=3), EmbeddingTable(SLOTS, seed=3, threads=4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        lengths = rng.integers(0, 4, 30_000)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ids = feature_ids(1, rng.integers(1, 20_000, offsets[-1]).astype(np.uint64))
        gradients = rng.normal(size=(len(lengths), 5)).astype(np.float32)
        for table in (one, many):
            table.update(ids, offsets, gradients, "mean", now=NOON)
        assert one.lookup(ids).tobytes() == many.lookup(ids).tobytes()
        assert one.pooled_lookup(ids, offsets).tobytes() == many.pooled_lookup(ids, offsets).tobytes()


def test_an_unknown_kernel_and_too_many_threads_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="kernel"):
        EmbeddingTable(SLOTS, kernel="abacus")  # type: ignore[arg-type]
    for threads in (0, 257, 1.5):
        with pytest.raises(InvalidArgument, match="threads"):
            EmbeddingTable(SLOTS, threads=threads)  # type: ignore[arg-type]


def test_touched_loses_nothing_when_versions_outgrow_the_bits_that_rows_keep_of_them(tmp_path: Path) -> None:
    # Rows keep 27 bits of a version beside a base, which moves up when they are full. A snapshot says the version.
    table = EmbeddingTable(SLOTS)
    old = grow(table, 1, 1001)
    table.snapshot(tmp_path / "table")
    content = bytearray((tmp_path / "table").read_bytes())
    head = len(Head(0, SLOTS).encode())
    late = 2**27 - 4
    content[head : head + 8] = late.to_bytes(8, "little")
    content[-8:] = crc64(content[:-8]).to_bytes(8, "little")
    (tmp_path / "table").write_bytes(content)
    table.restore(tmp_path / "table")
    assert table.version == late
    np.testing.assert_array_equal(table.touched(0), np.sort(old))
    batches = [grow(table, 1001 + 100 * step, 1101 + 100 * step) for step in range(8)]
    assert table.version == late + 8
    for step in range(8):
        touched = table.touched(late + step)
        # What changed before the base may be named again; what changed since is never left out.
        assert np.isin(np.concatenate(batches[step:]), touched).all()
        assert len(touched) == 100 * (8 - step)
    np.testing.assert_array_equal(table.touched(0), np.sort(np.concatenate([old, *batches])))
    values = table.lookup(batches[0])
    table.snapshot(tmp_path / "table")
    restored = EmbeddingTable(SLOTS)
    restored.restore(tmp_path / "table")
    np.testing.assert_array_equal(restored.lookup(batches[0]), values)
    np.testing.assert_array_equal(restored.touched(late + 4), table.touched(late + 4))
