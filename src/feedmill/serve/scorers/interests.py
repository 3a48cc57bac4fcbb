"""What a user has declared, for as long as little is known of what he or she does."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from feedmill.domain.ids import hash_id
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Scorer, StageConfig, above, at_least
from feedmill.stream.catalog.columns import Catalog


class InterestsConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    weight: float = 1.0
    """What an item that meets a declared interest gains for a user who has done nothing yet, in standard deviations of
    the candidates' scores."""
    actions: float = 5.0
    """After how many of the user's actions it gains half as much."""

    def __post_init__(self) -> None:
        at_least("weight", self.weight, 0)
        above("actions", self.actions, 0)


class InterestsScorer(Scorer):
    """Raises items whose categories or tags are among the user's declared interests, less with each action.

    The ranker has an embedding of each interest, but which items a new user's interests go with it learns only from the
    few others who have declared the same. Where the ranker made no predictions, scores stay as they are: the sources
    have looked at interests themselves. O(candidates).
    """

    name: ClassVar[str] = "interests"

    def __init__(self, catalog: Catalog, config: InterestsConfig | None = None) -> None:
        self._config = config or InterestsConfig()
        self._items = catalog.items

    @property
    def config(self) -> InterestsConfig:
        return self._config

    def enabled(self, request: HydratedRequest) -> bool:
        return self.config.enabled and request.profile is not None and bool(request.profile.interests)

    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        if not candidates.objectives or request.profile is None:
            return candidates
        wanted = frozenset(map(hash_id, request.profile.interests))
        tags = map(self._items.tags, candidates.items.tolist())
        meets = np.fromiter((not wanted.isdisjoint(own) for own in tags), np.bool_, len(candidates))
        known = len(request.history.items) / self.config.actions
        gain = np.float32(self.config.weight / (1 + known)) * candidates.scores.std()
        return replace(candidates, scores=candidates.scores + gain * meets)
