"""Deltas as bytes: whole or refused, and small."""

from __future__ import annotations

import struct

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters, Rows
from feedmill.learn.sync.encoding import MAGIC, decode, encode
from feedmill.learn.sync.protocol import Delta
from feedmill.learn.table.storage import STORAGES, Storage
from feedmill.learn.training.learner import Learner
from feedmill.testing.channel_contract import HEADER
from feedmill.testing.small_log import small_config

REGISTRY = SlotRegistry()
PARAMETERS = Learner(small_config(), REGISTRY).parameters


def some_delta(storage: Storage, rng: np.random.Generator) -> Delta:
    """Of twenty rows of every slot that the parameters have."""
    rows = {}
    for dimension in PARAMETERS.table.dimensions:
        slots = [number for number, slot in PARAMETERS.slots.items() if slot.dimension == dimension]
        ids = np.concatenate([feature_ids(slot, rng.integers(1, 2**52, 20, dtype=np.uint64)) for slot in slots])
        rows[dimension] = Rows(np.sort(ids), rng.normal(size=(len(ids), dimension)).astype(np.float32))
    header = msgspec.structs.replace(HEADER, storage=storage)
    return Delta(header, rows, PARAMETERS.dense())


@given(st.lists(st.integers(1, 2**64 - 1), min_size=1, max_size=40, unique=True), st.integers(1, 5))
@settings(deadline=None)
def test_any_ids_are_read_as_they_were_written(ids: list[int], dimension: int) -> None:
    rows = Rows(np.array(sorted(ids), np.uint64), np.zeros((len(ids), dimension), np.float32))
    read = decode(encode(Delta(HEADER, {dimension: rows}, None))).rows[dimension]
    assert read.ids.tolist() == rows.ids.tolist()


def encoded_bytes(ids: UInt64s, dimension: int, storage: Storage) -> int:
    header = msgspec.structs.replace(HEADER, storage=storage)
    return len(encode(Delta(header, {dimension: Rows(ids, np.ones((len(ids), dimension), np.float32))}, None)))


def test_a_row_takes_six_bytes_beside_its_vector_and_two_for_a_scale() -> None:
    ids = np.sort(feature_ids(7, np.random.default_rng(0).integers(1, 2**52, 1000, dtype=np.uint64)))
    # The head does not depend on the number of rows.
    head = encoded_bytes(ids[:0], 16, "float32") + 8
    for storage, each in (("float32", 64), ("bfloat16", 32), ("int8", 2 + 16)):
        assert encoded_bytes(ids, 16, storage) <= head + 1000 * (6 + each)


@pytest.mark.parametrize("cases", [1_000, pytest.param(30_000, marks=pytest.mark.soak)])
def test_a_delta_that_was_damaged_anywhere_is_refused_or_of_such_parameters(cases: int) -> None:
    rng = np.random.default_rng(0)
    refused = applied = 0
    copy = Parameters(small_config(), REGISTRY, _dense_columns())
    whole = {storage: encode(some_delta(storage, rng)) for storage in STORAGES}
    for case in range(cases):
        original = whole[STORAGES[case % 3]]
        damaged = _damaged(bytearray(original), rng)
        if case % 2:
            # Even with a checksum that fits: whoever alters a file can do that too.
            content = damaged[len(MAGIC) + 8 :]
            damaged[len(MAGIC) : len(MAGIC) + 8] = struct.pack("<Q", xxhash.xxh3_64_intdigest(content))
        if damaged == original:
            continue
        try:
            delta = decode(bytes(damaged))
        except SnapshotError:
            refused += 1
            continue
        # With a checksum that fits, it may be a delta like any other; else the parameters are the judge.
        assert case % 2
        version = copy.table.version
        try:
            copy.put(delta.rows, delta.dense, now=delta.header.published_at)
            applied += 1
        except (InvalidArgument, SnapshotError):
            assert copy.table.version == version
            refused += 1
    assert refused > cases // 2
    assert applied > 0


def _dense_columns() -> int:
    return Learner(small_config(), SlotRegistry()).state.native.dense_columns


def _damaged(content: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 4)):
        # As often in the head as in all the rest.
        at = int(rng.integers(400 if rng.random() < 0.5 else len(content)))
        match rng.integers(4):
            case 0:
                content[at : at + 4] = rng.bytes(min(4, max(0, len(content) - at)))
            case 1:
                del content[at : at + int(rng.integers(1, 200))]
            case 2:
                content[at:at] = content[at : at + int(rng.integers(1, 200))]
            case _:
                content[at : at + 8] = b"\xff" * min(8, max(0, len(content) - at))
    return content
