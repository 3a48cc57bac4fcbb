"""What learning is configured by."""

from __future__ import annotations

from typing import Literal

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Action, Objective
from feedmill.learn.models.config import RankerConfig, TwoTowerConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.joining.config import JoinConfig


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the trainer goes over the log."""

    seed: int = 0
    """Of the initial parameters, of the items that are drawn as negatives, and of the negatives that are learned."""
    batch: int = 256
    """A step takes at most this many records."""
    batch_ms: int = 50
    """A trainer that follows the log waits this long, at most, for a step to fill."""
    snapshot_steps: int = 1000
    """A snapshot is taken after this many steps, and at the end."""
    keep_snapshots: int = 2
    """So many are kept: versions that `feedmill rollback` can go back to."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the dense part of the ranker learns; `auto` takes a GPU where there is one. Snapshots fit all of them."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"training.seed: {self.seed} must be 0 or more, and less than 2^63")
        for name in ("batch", "batch_ms", "snapshot_steps", "keep_snapshots"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name}: {getattr(self, name)} must be at least 1")


class LearningConfig(msgspec.Struct, frozen=True):
    """Everything that parameters depend on, besides the log."""

    actions: dict[str, Action]
    objectives: dict[str, Objective]
    features: FeatureConfig = FeatureConfig()
    join: JoinConfig = JoinConfig()
    ranker: RankerConfig = RankerConfig()
    retrieval: TwoTowerConfig = TwoTowerConfig()
    training: TrainingConfig = TrainingConfig()

    def digest(self) -> bytes:
        """The same for two configurations exactly when they make the same parameters of the same log.

        But for the last bits, in which devices differ.
        """
        parts = msgspec.to_builtins(self)
        # The order of objectives is that of the model's heads; actions have none.
        parts["actions"] = sorted(parts["actions"].items())
        for irrelevant in ("batch_ms", "snapshot_steps", "keep_snapshots", "device"):
            del parts["training"][irrelevant]
        for objective in parts["objectives"].values():
            del objective["weight"]
        return msgspec.json.encode(parts)
