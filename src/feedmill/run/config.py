"""The configuration of a home: defaults, `feedmill.toml`, the environment and arguments, in this order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import xxhash

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Action, Objective
from feedmill.learn.guards.config import GuardConfig
from feedmill.learn.models.config import RankerConfig, TwoTowerConfig
from feedmill.learn.sync.config import SyncConfig
from feedmill.learn.training.config import LearningConfig, TrainingConfig
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.measure.monitoring.engagement import EngagementConfig
from feedmill.run.api.config import ApiConfig
from feedmill.run.config_layers import REPLACED_BY_FILE, load_layers, suggest
from feedmill.run.local.config import ServingConfig
from feedmill.serve.feed_config import FeedConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.joining.config import LONGEST_MINUTES, JoinConfig

_POSITIVE = Action(meaning="positive", example_without_impression=True)
_NEGATIVE = Action(meaning="negative", hides=True, example_without_impression=True)

DEFAULT_ACTIONS = {
    "view": Action(repeats="sum"),
    "long_view": Action(meaning="positive"),
    "click": Action(meaning="positive"),
    "like": _POSITIVE,
    "favorite": _POSITIVE,
    "save": _POSITIVE,
    "share": _POSITIVE,
    "forward": _POSITIVE,
    "comment": _POSITIVE,
    "follow": _POSITIVE,
    "profile_enter": Action(meaning="positive"),
    "add_to_cart": _POSITIVE,
    "purchase": Action(meaning="positive", repeats="sum", example_without_impression=True),
    "rating": Action(meaning="positive", repeats="last", threshold=3.5, example_without_impression=True),
    "skip": Action(meaning="negative"),
    "dislike": _NEGATIVE,
    "hide": _NEGATIVE,
    "hate": _NEGATIVE,
    "report": _NEGATIVE,
}

DEFAULT_OBJECTIVES = {
    "click": Objective(action="click", weight=0.5),
    "long_view": Objective(action="long_view", weight=1.0),
    "like": Objective(action="like", weight=2.0),
}


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that can be configured. Each section is the config object of the component that it is named for."""

    actions: dict[str, Action] = msgspec.field(default_factory=DEFAULT_ACTIONS.copy)
    """What the application's actions mean."""
    objectives: Annotated[dict[str, Objective], REPLACED_BY_FILE] = msgspec.field(
        default_factory=DEFAULT_OBJECTIVES.copy
    )
    """What the ranker predicts, in the order of its heads."""
    features: FeatureConfig = FeatureConfig()
    join: JoinConfig = JoinConfig()
    ranker: RankerConfig = RankerConfig()
    retrieval: TwoTowerConfig = TwoTowerConfig()
    training: TrainingConfig = TrainingConfig()
    feed: FeedConfig = FeedConfig()
    holdout: HoldoutConfig = HoldoutConfig()
    """Who gets the popularity feed, so that the rest has something to be measured against."""
    engagement: EngagementConfig = EngagementConfig()
    """How that is measured."""
    serving: ServingConfig = ServingConfig()
    api: ApiConfig = ApiConfig()
    sync: SyncConfig = SyncConfig()
    """How parameters go from the trainer to the server."""
    guard: GuardConfig = GuardConfig()
    """When they do not."""

    def __post_init__(self) -> None:
        if not self.objectives:
            raise ConfigError("objectives: none is configured; the ranker needs at least one")
        for name, objective in self.objectives.items():
            if objective.action not in self.actions:
                known = suggest(objective.action, self.actions)
                raise ConfigError(f"objectives.{name}.action: no action is called {objective.action!r}{known}")
            if not objective.scale > 0:
                raise ConfigError(f"objectives.{name}.scale: must be above 0, not {objective.scale}")
            for field in ("weight", "threshold", "scale"):
                if not math.isfinite(getattr(objective, field)):
                    raise ConfigError(f"objectives.{name}.{field}: must be a finite number")
            if objective.window_minutes is not None and not 0 <= objective.window_minutes <= LONGEST_MINUTES:
                raise ConfigError(
                    f"objectives.{name}.window_minutes: {objective.window_minutes} must lie between 0 and 1,000,000"
                )

    def policy_version(self) -> str:
        """16 hexadecimal digits that change with whatever decides, beside the parameters, what a feed shows."""
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode((self.feed, list(self.objectives.items()), self.holdout)))

    def learning(self) -> LearningConfig:
        """The part that parameters depend on."""
        return LearningConfig(
            self.actions, self.objectives, self.features, self.join, self.ranker, self.retrieval, self.training
        )


def load_config(
    path: Path | None = None, *, environment: Mapping[str, str] = {}, arguments: Sequence[str] = ()
) -> Config:
    """The configuration in force: defaults, then the file (which need not exist), the environment and arguments.

    Raises ConfigError, naming the key and where it stands, for a key that does not exist and for a value of the wrong
    type.
    """
    return load_layers(Config, path, environment=environment, arguments=arguments)
