"""What is over."""

from __future__ import annotations

from typing import ClassVar

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict
from feedmill.stream.catalog.columns import Catalog


class ExpiredFilter(Filter):
    """Removes items from their `expires_at` on."""

    name: ClassVar[str] = "expired"
    fails_closed: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._items = catalog.items

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        return Verdict.removing(self._items.expires_at[candidates.items] <= request.now, "it has expired")
