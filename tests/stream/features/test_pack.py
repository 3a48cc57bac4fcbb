"""Features go through their bytes, and what is not theirs is told apart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.batches import Features
from feedmill.domain.errors import InvalidFile
from feedmill.domain.ids import feature_id
from feedmill.domain.slots import Segment, SlotRegistry
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.pack import pack, pack_rows, unpack, unpack_rows
from feedmill.stream.features.schema import make_schema

TWO = Features(
    np.array([1, 2**64 - 1, 3], dtype=np.uint64),
    np.array([0, 2, 2, 2, 3], dtype=np.int64),
    np.array([[0.1, -0.0], [np.inf, 1e-45]], dtype=np.float32),
)


def bytes_of(features: Features) -> list[bytes]:
    return [features.ids.tobytes(), features.offsets.tobytes(), features.dense.tobytes()]


@pytest.mark.parametrize("row", [0, 1])
def test_a_row_goes_through_its_bytes(row: int) -> None:
    assert bytes_of(unpack(pack(TWO, row))) == bytes_of(TWO.take(np.array([row])))


def test_a_bag_of_many_ids_goes_through_its_bytes() -> None:
    many = Features(np.arange(100_000, dtype=np.uint64), np.array([0, 100_000]), np.zeros((1, 0), np.float32))
    assert bytes_of(unpack(pack(many, 0))) == bytes_of(many)


@given(st.data())
def test_damaged_bytes_are_refused_or_give_a_row_that_hangs_together(data: st.DataObject) -> None:
    packed = bytearray(pack(TWO, 0))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    damaged = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    try:
        one = unpack(damaged)
    except InvalidFile:
        return
    assert len(one) == 1
    assert one.offsets[0] == 0
    assert one.offsets[-1] == len(one.ids)
    assert (np.diff(one.offsets) >= 0).all()


@pytest.mark.parametrize(
    "packed",
    [
        b"", b"\x00", msgspec.msgpack.encode([1, 2, 3, 4]), msgspec.msgpack.encode((1, b"1234567", b"", b"")),
        msgspec.msgpack.encode((1, b"", b"", b"123")), msgspec.msgpack.encode((1, bytes(16), b"\x01\x00\x00\x00", b"")),
        msgspec.msgpack.encode((2, b"", bytes(12), bytes(8))), msgspec.msgpack.encode((2, b"", bytes(8), bytes(12))),
        msgspec.msgpack.encode((0, b"", bytes(4), b"")), msgspec.msgpack.encode((2**63, b"", b"", b"")),
        msgspec.msgpack.encode((-1, b"", b"", b"")), pack_rows(TWO),
    ],
)  # fmt: skip
def test_bytes_that_are_no_features_of_a_row_are_refused(packed: bytes) -> None:
    with pytest.raises(InvalidFile):
        unpack(packed)


def test_many_rows_and_none_go_through_their_bytes() -> None:
    assert bytes_of(unpack_rows(pack_rows(TWO))) == bytes_of(TWO)
    none = unpack_rows(pack_rows(TWO.take(np.empty(0, dtype=np.intp))))
    assert len(none) == len(none.ids) == 0
    assert none.offsets.tolist() == [0]


def test_features_fit_the_schema_whose_slots_they_have() -> None:
    config = FeatureConfig()
    schema = make_schema(SlotRegistry(), config, "m", ("user", "tags"), (Segment(4),), dense=True)
    ids = np.array([feature_id(1, 5), feature_id(2, 6), feature_id(2, 7)], dtype=np.uint64)
    dense = np.ones((1, 3), dtype=np.float32)
    assert schema.fits(Features(ids, np.array([0, 1, 3]), dense), 3)
    assert schema.fits(Features(ids[:0], np.array([0, 0, 0]), dense), 3)
    assert schema.fits(Features(ids[[0, 1, 0]], np.array([0, 1, 2, 3, 3]), np.ones((2, 3), np.float32)), 3)
    assert not schema.fits(Features(ids, np.array([0, 1, 3]), dense), 4)
    assert not schema.fits(Features(ids, np.array([0, 2, 3]), dense), 3)
    assert not schema.fits(Features(ids, np.array([0, 1, 2, 3]), dense), 3)
    assert not schema.fits(Features(ids, np.array([0, 1, 3]), np.array([[0, 0, np.nan]], np.float32)), 3)
