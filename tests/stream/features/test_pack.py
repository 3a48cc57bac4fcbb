"""Features go through their bytes, and what is not theirs is told apart."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.batches import Features
from feedmill.domain.errors import InvalidFile
from feedmill.domain.ids import feature_id
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record
from feedmill.domain.slots import Segment, SlotRegistry
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.ranker import ranker_schema
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.pack import pack, unpack
from feedmill.stream.features.schema import make_schema
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig

TWO = Features(
    np.array([1, 2**64 - 1, 3], dtype=np.uint64),
    np.array([0, 2, 2, 2, 3], dtype=np.int64),
    np.array([[0.1, -0.0], [np.inf, 1e-45]], dtype=np.float32),
)


def bytes_of(features: Features) -> list[bytes]:
    return [features.ids.tobytes(), features.offsets.tobytes(), features.dense.tobytes()]


@st.composite
def some_features(draw: st.DrawFn) -> Features:
    """Rows of which some bags and columns are the same in all, some nearly."""
    n, slots, columns = draw(st.integers(1, 5)), draw(st.integers(0, 4)), draw(st.integers(0, 3))
    bag = st.lists(st.integers(0, 3) | st.integers(0, 2**64 - 1), max_size=4)
    number = st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, 1e-45]) | st.floats(width=32)

    def table(value: st.SearchStrategy[Any], width: int) -> list[list[Any]]:
        by_column = [draw(st.just([draw(value)] * n) | st.lists(value, min_size=n, max_size=n)) for _ in range(width)]
        return [[column[row] for column in by_column] for row in range(n)]

    bags = [one for row in table(bag, slots) for one in row]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in bags], dtype=np.int64)]).astype(np.int64)
    dense = np.array(table(number, columns), dtype=np.float32).reshape(n, columns)
    return Features(np.array([feature for one in bags for feature in one], dtype=np.uint64), offsets, dense)


@given(some_features())
def test_features_come_back_bit_for_bit(features: Features) -> None:
    assert bytes_of(unpack(pack(features), len(features))) == bytes_of(features)


def test_nan_and_negative_zero_keep_their_bits() -> None:
    bits = np.array([[0x7FC00001, 0x80000000], [0x7FC00002, 0]], dtype=np.uint32)
    features = Features(np.empty(0, np.uint64), np.zeros(1, np.int64), bits.view(np.float32))
    assert unpack(pack(features), 2).dense.view(np.uint32).tolist() == bits.tolist()


def test_no_rows_are_features_too() -> None:
    none = Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, 5), np.float32))
    assert bytes_of(unpack(pack(none), 0)) == bytes_of(none)
    assert unpack(pack(none), 0).dense.shape == (0, 5)


def test_a_bag_of_many_ids_goes_through_its_bytes() -> None:
    many = Features(np.arange(100_000, dtype=np.uint64), np.array([0, 100_000]), np.zeros((1, 0), np.float32))
    assert bytes_of(unpack(pack(many), 1)) == bytes_of(many)


def test_what_all_rows_have_stands_once() -> None:
    # Three rows of the bags [7], [8, 9] and [row], and the columns 0.5 and row.
    ids = np.array([7, 8, 9, 0, 7, 8, 9, 1, 7, 8, 9, 2], dtype=np.uint64)
    offsets = np.array([0, 1, 3, 4, 5, 7, 8, 9, 11, 12], dtype=np.int64)
    features = Features(ids, offsets, np.array([[0.5, 0], [0.5, 1], [0.5, 2]], np.float32))
    _, same_bags, same_columns, stored, lengths, dense = msgspec.msgpack.decode(pack(features))
    assert (same_bags, same_columns, lengths) == (b"\1\1\0", b"\1\0", b"\1\2\1\1\1")
    assert np.frombuffer(stored, "<u8").tolist() == [7, 8, 9, 0, 1, 2]
    assert np.frombuffer(dense, "<f4").tolist() == [0.5, 0.0, 1.0, 2.0]


def test_a_page_of_twenty_takes_a_fraction_of_its_rows_one_by_one() -> None:
    # The default ranker, and a user with a full history who is shown items of three tags by twenty authors.
    config = FeatureConfig()
    reader = FeedbackReader({"like": Action("positive")}, {"like": Objective("like")})
    state = State(StateConfig(config, reader))
    schema = ranker_schema(SlotRegistry(), config, RankerConfig(), 1)
    state.fold(
        [
            Record("item", n, object=f"i{n}", body=Item(author_id=f"a{n % 20}", categories=(f"c{n % 5}",),
                                                        tags=(f"t{n % 7}", f"t{n % 11}", f"t{n % 13}"), duration=n))
            for n in range(220)
        ]
        + [Record("event", 1000 + n, "u", f"i{n}", "like") for n in range(200)]
    )  # fmt: skip
    page = state.read(schema.view, state.user("u"), np.arange(200, 220, dtype=np.int32), 2000, {})
    assert (len(page.ids), len(schema), page.dense.shape[1]) == (20 * 21, 15, 45)
    # Each row for itself: 8 bytes an id, 4 a bag and 4 a dense column, and 8 that hold them together.
    assert 20 * (8 * 21 + 4 * 15 + 4 * 45 + 8) == 8_320
    assert len(pack(page)) == 2_033


@given(st.data())
def test_damaged_bytes_are_refused_or_give_rows_that_hang_together(data: st.DataObject) -> None:
    packed = bytearray(pack(TWO))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    damaged = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    try:
        two = unpack(damaged, 2)
    except InvalidFile:
        return
    assert len(two) == 2
    assert two.offsets[0] == 0
    assert two.offsets[-1] == len(two.ids)
    assert (np.diff(two.offsets) >= 0).all()


@pytest.mark.parametrize(
    "parts",
    [
        (), (1, 2, 3, 4, 5, 6), (1, b"\1", b"", b"1234567", b"\1", b""), (1, b"", b"\1", b"", b"", b"123"),
        (1, b"\1", b"", bytes(16), b"\1", b""), (1, b"\1", b"", bytes(8), b"\1\1", b""), (1, b"", b"", b"", b"\0", b""),
        (1, b"\1", b"\1", bytes(8), b"\1", bytes(8)), (0, b"", b"", b"", b"", b""), (2**63, b"", b"", b"", b"", b""),
        (-1, b"", b"", b"", b"", b""), (2, b"\1", b"", bytes(8), b"\1", b""),
    ],
)  # fmt: skip
def test_bytes_that_are_no_features_of_so_many_rows_are_refused(parts: tuple[object, ...]) -> None:
    with pytest.raises(InvalidFile):
        unpack(msgspec.msgpack.encode(parts), 1)
    with pytest.raises(InvalidFile):
        unpack(b"", 1)


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
