"""Shapes that models cannot have are refused, by key."""

from __future__ import annotations

from typing import Any

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.learn.models.config import RankerConfig, TwoTowerConfig


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"dimension": 0}, "ranker.dimension"),
        ({"hidden": (8, 0)}, "ranker.hidden"),
        ({"linear_learning_rate": 0.0}, "ranker.linear_learning_rate"),
        ({"vector_learning_rate": -1.0}, "ranker.vector_learning_rate"),
        ({"first_dense_learning_rate": 0.0}, "ranker.first_dense_learning_rate"),
        ({"dense_learning_rate": float("nan")}, "ranker.dense_learning_rate"),
    ],
)
def test_a_ranker_that_cannot_be_is_refused_by_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        RankerConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"dimension": 0}, "retrieval.dimension"),
        ({"learning_rate": 0.0}, "retrieval.learning_rate"),
        ({"learning_rate": float("nan")}, "retrieval.learning_rate"),
        ({"user_slots": ()}, "retrieval.user_slots"),
        ({"item_slots": ()}, "retrieval.item_slots"),
    ],
)
def test_towers_that_cannot_be_are_refused_by_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        TwoTowerConfig(**changes)
