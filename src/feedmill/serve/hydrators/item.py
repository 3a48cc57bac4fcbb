"""What candidates are: their authors and categories."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import CandidateHydrator, StageConfig
from feedmill.stream.catalog.columns import Catalog


class ItemHydrator(CandidateHydrator):
    """Adds authors and categories from the catalog."""

    name: ClassVar[str] = "item"

    def __init__(self, catalog: Catalog, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._items = catalog.items

    @property
    def config(self) -> StageConfig:
        return self._config

    def hydrate(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        rows = candidates.items
        return replace(candidates, authors=self._items.authors[rows], categories=self._items.categories[rows])
