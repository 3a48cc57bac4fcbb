"""A configuration of features that cannot work is refused, with the key that is at fault."""

from __future__ import annotations

from typing import Any

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Objective
from feedmill.domain.slots import Segment, SlotRegistry
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.schema import make_schema, sources
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"groups": (("user", "colour"),)}, "features.groups: 'colour'"),
        ({"groups": ((),)}, "features.groups: an empty combination"),
        ({"crosses": (("colour",),)}, "features.crosses: 'colour'"),
        ({"half_lives": ()}, "features.half_lives"),
        ({"half_lives": (-1.0,)}, "features.half_lives"),
        ({"half_lives": (float("nan"),)}, "features.half_lives"),
        ({"half_lives": (float("inf"),)}, "features.half_lives"),
        ({"smoothing": 0.0}, "features.smoothing"),
        ({"smoothing": float("inf")}, "features.smoothing"),
        ({"history_length": 0, "history_features": 0}, "features.history_length"),
        ({"history_length": 3, "history_features": 4}, "features.history_length"),
        ({"history_length": 2**40}, "features.history_length"),
        ({"affinity": -1}, "features.affinity"),
        ({"affinity": 51}, "features.affinity"),
        ({"popularity_half_life": -1.0}, "features.popularity_half_life"),
        ({"context": ("surface", "item")}, "features.context: 'item'"),
        ({"context": ("surface", "surface")}, "features.context: 'surface'"),
        ({"context": ("surface", "history")}, "features.context: 'history'"),
        ({"context": ("surface", *(f"k{n}" for n in range(57)))}, "features.context: 58 keys are too many"),
    ],
)
def test_what_cannot_work_is_refused_by_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        FeatureConfig(**changes)


def test_as_many_keys_of_the_context_as_can_be_are_taken() -> None:
    config = FeatureConfig(context=("surface", *(f"k{n}" for n in range(56))))
    State(StateConfig(config, FeedbackReader({}, {"click": Objective("click")})))


def test_too_many_objectives_for_so_many_half_lives_are_refused() -> None:
    reader = FeedbackReader({}, {f"o{n}": Objective("click") for n in range(200)})
    with pytest.raises(ConfigError, match="at most 256"):
        State(StateConfig(FeatureConfig(), reader))


def test_components_have_their_places_and_every_feature_a_source() -> None:
    config = FeatureConfig(context=("surface", "device"), user_attributes=("country",), item_attributes=("format",))
    assert config.components() == (
        "user", "item", "author", "category", "duration", "surface", "device", "hour", "weekday",
    )  # fmt: skip
    assert config.indexes(("device", "user")) == [6, 0]
    assert sources(config) == {
        "user": ("components", [0]), "item": ("components", [1]), "author": ("components", [2]),
        "category": ("components", [3]), "duration": ("components", [4]), "surface": ("components", [5]),
        "device": ("components", [6]), "hour": ("components", [7]), "weekday": ("components", [8]),
        "durationxsurface": ("components", [4, 5]),
        "interests": ("user_bag", [0]), "user_attributes": ("user_bag", [1]), "user.country": ("user_bag", [2]),
        "tags": ("item_bag", [0]), "item_attributes": ("item_bag", [1]), "item.format": ("item_bag", [2]),
        "age": ("age", []), "history": ("history", []),
    }  # fmt: skip


def test_a_schema_of_a_feature_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="two_tower: 'colour' is no feature"):
        make_schema(SlotRegistry(), FeatureConfig(), "two_tower", ("user", "colour"), (Segment(4),), dense=False)


def test_a_schema_registers_its_slots_under_its_model() -> None:
    registry = SlotRegistry()
    schema = make_schema(
        registry, FeatureConfig(), "m", ("user", "tags"), (Segment(4),), dense=True, admission=3, time_to_live=9
    )
    assert [(slot.name, slot.number, slot.admission, slot.time_to_live) for slot in schema.slots] == [
        ("m/user", 1, 3, 9), ("m/tags", 2, 3, 9),
    ]  # fmt: skip
    assert len(schema) == 2
    assert registry["m/tags"].dimension == 4
