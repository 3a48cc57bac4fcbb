"""Whom the user has blocked."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.domain.ids import hash_ids
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict
from feedmill.stream.catalog.columns import Catalog


class BlockedAuthorsFilter(Filter):
    """Removes items of authors whom the user blocks."""

    name: ClassVar[str] = "blocked_authors"
    fails_closed: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, state: StateReader, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._items = catalog.items
        self._state = state

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        blocked = hash_ids(self._state.related(request.user_id, "block"))
        # From the catalog and not from the candidates' column, which a hydrator may have left empty.
        return Verdict.removing(np.isin(self._items.authors[candidates.items], blocked), "you have blocked its author")
