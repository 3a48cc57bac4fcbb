"""The rest of the catalogue, for a page that would be short."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Backfill, StageConfig
from feedmill.serve.retrieval.popularity import Popularity, best
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import Catalog


class CatalogueBackfill(Backfill):
    """Every servable item, unseen ones first, the most popular first among those. O(items)."""

    name: ClassVar[str] = "catalogue"

    def __init__(
        self, catalog: Catalog, state: StateReader, popularity: Popularity, config: StageConfig | None = None
    ) -> None:
        self._config = config or StageConfig()
        self._items = catalog.items
        self._state = state
        self._popularity = popularity

    @property
    def config(self) -> StageConfig:
        return self._config

    def fill(self, request: HydratedRequest, known: Int32s, count: int) -> Retrieved:
        wanted = self._items.servable.copy()
        wanted[known[known < len(wanted)]] = False
        items = np.flatnonzero(wanted).astype(np.int32)
        if request.user >= 0:
            unseen = self._state.views(request.user, items) == 0
            items = items[unseen] if np.count_nonzero(unseen) >= count else items
        ordered = best(items, self._popularity.of(items), self._items.created_at[items], len(items))
        named = ordered[unseen_first(self._state, request, ordered, count)]
        return Retrieved.of(named, self._popularity.of(named))

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return (
            "popular here"
            if self._popularity.of(np.array([item], np.int32))[0] > 0
            else "from the rest of the catalogue"
        )
