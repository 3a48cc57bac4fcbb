"""What everybody likes at the moment. It needs to know nothing of the user."""

from __future__ import annotations

from typing import ClassVar

from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.unseen import unseen_first

_OVERSAMPLING = 8
"""Popular items looked at for each that is named: an active user has seen many of them."""


class TrendingSource(Source):
    """The most popular items, by engagement that decays."""

    name: ClassVar[str] = "trending"
    in_memory: ClassVar[bool] = True

    def __init__(self, state: StateReader, popularity: Popularity, config: SourceConfig | None = None) -> None:
        self._config = config or SourceConfig()
        self._state = state
        self._popularity = popularity

    @property
    def config(self) -> SourceConfig:
        return self._config

    def refresh(self, now: int) -> None:
        self._popularity.refresh(now)

    def fetch(self, request: HydratedRequest) -> Retrieved:
        popular = self._popularity.best(_OVERSAMPLING * self.config.limit)
        items = popular[unseen_first(self._state, request, popular, self.config.limit)]
        scores = self._popularity.of(items)
        # The rest of a young catalogue has the others: what nobody has liked is no trend.
        return Retrieved.of(items[scores > 0], scores[scores > 0])

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "trending today"
