"""What the digest of a configuration tells apart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Action, Objective
from feedmill.learn.models.config import RankerConfig, TwoTowerConfig
from feedmill.learn.training.config import TrainingConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.joining.config import JoinConfig
from feedmill.testing.small_log import ACTIONS, OBJECTIVES, SMALL


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": ACTIONS | {"wave": Action("positive")}},
        {"actions": ACTIONS | {"view": Action(repeats="max")}},
        {"objectives": dict(reversed(OBJECTIVES.items()))},
        {"objectives": OBJECTIVES | {"view": Objective("view", kind="regression", scale=11.0)}},
        {"objectives": OBJECTIVES | {"click": Objective("click", window_minutes=5.0)}},
        {"features": FeatureConfig()},
        {"join": JoinConfig()},
        {"ranker": RankerConfig()},
        {"retrieval": TwoTowerConfig()},
        {"training": TrainingConfig(batch=32, seed=1)},
        {"training": TrainingConfig(batch=33)},
    ],
)
def test_what_parameters_depend_on_changes_the_digest(changes: dict[str, Any]) -> None:
    assert msgspec.structs.replace(SMALL, **changes).digest() != SMALL.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": dict(reversed(ACTIONS.items()))},
        {"objectives": OBJECTIVES | {"click": Objective("click", weight=9.0)}},
        {"training": TrainingConfig(batch=32, snapshot_steps=5, keep_snapshots=7, device="auto")},
    ],
)
def test_what_parameters_do_not_depend_on_does_not_change_the_digest(changes: dict[str, Any]) -> None:
    assert msgspec.structs.replace(SMALL, **changes).digest() == SMALL.digest()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": -1}, "training.seed"), ({"seed": 2**63}, "training.seed"), ({"batch": 0}, "training.batch"),
        ({"snapshot_steps": 0}, "training.snapshot_steps"), ({"keep_snapshots": 0}, "training.keep_snapshots"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_key(changes: dict[str, int], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        TrainingConfig(**changes)
