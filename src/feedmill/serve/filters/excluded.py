"""What the request itself rules out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict
from feedmill.stream.catalog.columns import Catalog


class ExcludedFilter(Filter):
    """Removes the items of `request.exclude`."""

    name: ClassVar[str] = "excluded"

    def __init__(self, catalog: Catalog, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._ids = catalog.items.ids

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        excluded = np.fromiter(map(self._ids.find, request.exclude), np.int32, len(request.exclude))
        return Verdict.removing(np.isin(candidates.items, excluded), "the request excludes it")
