"""What the ranker predicts the user will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.objectives import Objective
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import Extractor, Ranker
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Scorer, StageConfig


class RankerStageConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model predicts."""

    model: str = ""
    """The name of a model of click-through that `feedmill fit` has fitted; empty: the ranker that learns online. While
    there is no file of it that one predicts, too."""


class RankerScorer(Scorer):
    """Extracts features and predicts every objective; keeps the features, which are logged with the impression."""

    name: ClassVar[str] = "ranker"

    def __init__(
        self,
        extractor: Extractor,
        ranker: Ranker,
        objectives: Mapping[str, Objective],
        config: RankerStageConfig | None = None,
    ) -> None:
        """`objectives` are in the order of the ranker's columns."""
        self._config = config or RankerStageConfig()
        self._extractor = extractor
        self._ranker = ranker
        self._objectives = tuple(objectives)

    @property
    def config(self) -> RankerStageConfig:
        return self._config

    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        if not len(candidates):
            return candidates
        features = self._extractor.extract(request.user, candidates.items, request.now, dict(request.context))
        predictions = self._ranker.predict(features)
        if predictions.shape != (len(candidates), len(self._objectives)):
            raise InvalidArgument(
                f"ranker: predictions of shape {predictions.shape} for {len(candidates)} candidates and "
                f"{len(self._objectives)} objectives"
            )
        return replace(
            candidates,
            objectives=self._objectives,
            predictions=predictions,
            features=features,
            feature_rows=np.arange(len(candidates)),
        )
