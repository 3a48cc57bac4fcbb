"""What the request itself rules out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict
from feedmill.stream.catalog.columns import Catalog

_REASONS = ("the request excludes it", "it stands on a page before this one")


class ExcludedFilter(Filter):
    """Removes the items of `request.exclude`, and those of the pages before in the session, `request.shown`."""

    name: ClassVar[str] = "excluded"

    def __init__(self, catalog: Catalog, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._ids = catalog.items.ids

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        if not request.exclude and not request.shown:
            return Verdict.keeping(len(candidates))
        items = candidates.items
        excluded, shown = (np.isin(items, self._ordinals(ids)) for ids in (request.exclude, request.shown))
        return Verdict(~(excluded | shown), np.where(excluded, 0, 1).astype(np.uint8), _REASONS)

    def _ordinals(self, item_ids: frozenset[str]) -> Int32s:
        return np.fromiter(map(self._ids.find, item_ids), np.int32, len(item_ids))
