"""One score from several objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Objective
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Scorer, StageConfig, at_least


class WeightedConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    """By objective, in place of the objective's own weight; negative ones count against an item."""
    sources: float = 0.0
    """What the verdict of the sources counts beside the predictions: it multiplies the reciprocal rank fusion, of which
    each source gives at most 1/61. For logs without impressions, where the ranker has seen no item passed over."""

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not math.isfinite(weight):
                raise ConfigError(f"weights.{name}: must be a finite number, not {weight}")
        at_least("sources", self.sources, 0)


class WeightedScorer(Scorer):
    """The final score: the sum of weight times prediction over the objectives, and what the sources' verdict counts.

    Where there are no predictions, because the ranker is off or has failed, scores stay as the sources made them.
    """

    name: ClassVar[str] = "weighted"

    def __init__(self, objectives: Mapping[str, Objective], config: WeightedConfig | None = None) -> None:
        """Raises ConfigError for a weight of an objective that does not exist."""
        self._config = config or WeightedConfig()
        for name in self._config.weights:
            if name not in objectives:
                raise ConfigError(f"weights.{name}: no such objective; there are {', '.join(objectives)}")
        self._weights = {name: objective.weight for name, objective in objectives.items()} | self._config.weights

    @property
    def config(self) -> WeightedConfig:
        return self._config

    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        if not candidates.objectives:
            return candidates
        weights = np.array([self._weights[name] for name in candidates.objectives], np.float32)
        scores = candidates.predictions @ weights + np.float32(self.config.sources) * candidates.retrieval_scores
        return replace(candidates, scores=scores)
