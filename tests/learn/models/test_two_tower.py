"""The towers' slots."""

from __future__ import annotations

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.config import TwoTowerConfig
from feedmill.learn.models.two_tower import tower_schemas
from feedmill.stream.features.config import FeatureConfig


def test_each_tower_has_its_slots_of_one_dimension() -> None:
    config = TwoTowerConfig(dimension=5, user_slots=("user", "history"), item_slots=("item", "tags"))
    users, items = tower_schemas(SlotRegistry(), FeatureConfig(), config)
    assert [(slot.name, slot.dimension) for slot in users.slots] == [("two_tower/user", 5), ("two_tower/history", 5)]
    assert [(slot.name, slot.dimension) for slot in items.slots] == [("two_tower/item", 5), ("two_tower/tags", 5)]


def test_a_slot_of_both_towers_is_one_slot() -> None:
    config = TwoTowerConfig(user_slots=("user", "hour"), item_slots=("item", "hour"))
    users, items = tower_schemas(SlotRegistry(), FeatureConfig(), config)
    assert users.slots[1] == items.slots[1]


def test_a_slot_that_is_no_feature_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'colour' is no feature"):
        tower_schemas(SlotRegistry(), FeatureConfig(), TwoTowerConfig(item_slots=("colour",)))
