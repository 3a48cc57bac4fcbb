"""Rounded vectors: the native table beside NumPy, and how much room they take."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from feedmill.domain.batches import Float32s
from feedmill.domain.ids import feature_ids
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.storage import STORAGES, Storage, rounded
from feedmill.learn.table.table import EmbeddingTable

NOON = 1_651_161_600_000
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("storage", STORAGES)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.sampled_from([1, 3, 8, 16, 33])), elements=finite))
@settings(max_examples=100, deadline=None)
def test_any_vector_reads_as_numpy_rounds_it_bit_for_bit(storage: Storage, vectors: Float32s) -> None:
    table = EmbeddingTable([Slot(1, "any", (Segment(vectors.shape[1]),))], storage=storage)
    ids = feature_ids(1, np.arange(1, len(vectors) + 1, dtype=np.uint64))
    table.put(ids, vectors, now=NOON)
    assert table.lookup(ids).tobytes() == rounded(vectors, storage).tobytes()


def test_a_copy_takes_a_half_and_a_third_of_the_bytes_beside_the_index() -> None:
    rng = np.random.default_rng(2)
    ids = feature_ids(1, rng.integers(1, 2**52, 200_000, dtype=np.uint64))
    vectors = rng.normal(size=(len(ids), 32)).astype(np.float32)
    used = {}
    for storage in STORAGES:
        table = EmbeddingTable([Slot(1, "many", (Segment(32),))], storage=storage)
        table.put(ids, vectors, now=NOON)
        # A part of the memory is free for rows to come.
        used[storage] = table.stats().bytes / len(table)
    # With Adagrad's state a row has 256 bytes beside the index, version and time; without and rounded 64 and 40.
    assert used["float32"] > 256
    assert used["bfloat16"] < used["float32"] - 180
    assert used["int8"] < used["float32"] - 200


@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_a_reader_never_sees_half_a_rounded_row(storage: Storage) -> None:
    table = EmbeddingTable([Slot(1, "torn", (Segment(64),))], storage=storage)
    ids = feature_ids(1, np.arange(1, 51, dtype=np.uint64))
    table.put(ids, np.ones((50, 64), np.float32), now=NOON)
    stopped = threading.Event()

    def write() -> None:
        value = 1
        while not stopped.is_set():
            value = value % 120 + 1
            table.put(ids, np.full((50, 64), value, np.float32), now=NOON)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5_000):
            rows = table.lookup(ids)
            assert (rows == rows[:, :1]).all()
    finally:
        stopped.set()
        writer.join()
