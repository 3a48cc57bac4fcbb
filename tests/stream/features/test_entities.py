"""Users, items and contexts become keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Item, Scalar, User
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.context import ContextColumns
from feedmill.stream.features.entities import (
    Bags,
    attribute_keys,
    duration_key,
    half_power,
    item_bag_names,
    item_bags,
    user_bag_names,
    user_bags,
)

CONFIG = FeatureConfig(context=("surface", "device"), user_attributes=("country",), item_attributes=("format", "size"))


def split(bags: Bags) -> list[list[int]]:
    ids, ends = bags
    assert ids.dtype == np.uint64
    assert ends.dtype == np.uint32
    return [ids[begin:end].tolist() for begin, end in zip([0, *ends], ends, strict=False)]


def test_a_user_has_bags_of_interests_and_attributes() -> None:
    user = User(interests=("sport", "news"), attributes={"country": "de", "age": 40, "empty": None, "blank": ""})
    assert split(user_bags(CONFIG, user)) == [
        [hash_id("sport"), hash_id("news")],
        # 40 lies in the half power of two floor(2 * log2(41)) = 10.
        [hash_id("age=40"), hash_id("age~10")],
        [hash_id("country=de")],
    ]
    assert user_bag_names(CONFIG) == ("interests", "user_attributes", "user.country")
    assert len(split(user_bags(CONFIG, User()))) == 3


def test_an_item_has_bags_of_tags_and_attributes() -> None:
    item = Item(attributes={"size": -3.0, "colour": "red", "flag": True})
    assert split(item_bags(CONFIG, item, (11, 12))) == [
        [11, 12], [hash_id("colour=red"), hash_id("flag=True")], [], [hash_id("size=-3.0"), hash_id("size~-4")],
    ]  # fmt: skip
    assert item_bag_names(CONFIG) == ("tags", "item_attributes", "item.format", "item.size")


def test_who_or_what_nothing_is_known_of_has_no_bags() -> None:
    assert split(user_bags(CONFIG, None)) == split(item_bags(CONFIG, None, ())) == []


def test_equal_attributes_of_another_type_have_keys_of_their_own() -> None:
    assert attribute_keys("n", 1) != attribute_keys("n", True)
    assert attribute_keys("n", 1)[1] == attribute_keys("n", 1.0)[1]


@pytest.mark.parametrize(("seconds", "name"), [(1.0, "0"), (1.5, "1"), (60.0, "11"), (0.3, "-4")])
def test_a_duration_lies_in_a_half_power_of_two(seconds: float, name: str) -> None:
    assert duration_key(seconds) == hash_id(name)


@pytest.mark.parametrize("seconds", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_has_no_key(seconds: float | None) -> None:
    assert duration_key(seconds) == 0


@given(st.floats() | st.integers(-(2**63), 2**63))
def test_every_number_lies_in_some_half_power(value: float) -> None:
    assert abs(half_power(value)) <= 2 * 1024
    if 0 <= value < 1e300:
        assert 2 ** (half_power(value) / 2) * (1 - 1e-9) <= 1 + value < 2 ** ((half_power(value) + 1) / 2) * (1 + 1e-9)


def test_the_context_of_rows_becomes_columns() -> None:
    context = ContextColumns(CONFIG)
    rows: list[dict[str, Scalar]] = [{"surface": "home", "other": "x"}, {"device": 7}, {"surface": "", "device": None}]
    # A Thursday at midnight, the Monday after it at 13:00, and a Sunday, each in UTC.
    times = np.array([0, 4 * DAY + 13 * HOUR, 3 * DAY - 1], dtype=np.int64)
    columns = context.columns([context.keys(row) for row in rows], times)
    assert columns.tolist() == [
        [hash_id("home"), 0, hash_id("hour 0"), hash_id("weekday 3")],
        [0, hash_id("7"), hash_id("hour 13"), hash_id("weekday 0")],
        [0, 0, hash_id("hour 23"), hash_id("weekday 5")],
    ]
    assert context.columns([], np.empty(0, dtype=np.int64)).shape == (0, 4)


def test_a_context_of_the_clock_alone_has_two_columns() -> None:
    context = ContextColumns(FeatureConfig(context=(), groups=(), crosses=()))
    assert context.columns([context.keys({"surface": "home"})], np.zeros(1, dtype=np.int64)).shape == (1, 2)


def test_more_values_of_a_context_than_are_remembered_keep_their_keys() -> None:
    context = ContextColumns(CONFIG)
    context.REMEMBERED = 3  # type: ignore[misc]
    for _ in range(2):
        assert [context.keys({"surface": f"s{n}"})[0] for n in range(10)] == [hash_id(f"s{n}") for n in range(10)]
