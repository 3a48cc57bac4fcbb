"""Items whose vectors lie in the direction of the user's (Covington et al., RecSys 2016; Yi et al., RecSys 2019)."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import Int32s, StateReader, TwoTower
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig, above
from feedmill.serve.retrieval.index import VectorIndex, VectorIndexConfig
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import Catalog

_OVERSAMPLING = 3
"""Neighbours looked up for each that is named, since some have been seen."""


class TwoTowerConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: int = 150
    refresh_seconds: float = 30.0
    """How old the index may be while the model learns."""
    index: VectorIndexConfig = msgspec.field(default_factory=VectorIndexConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        above("refresh_seconds", self.refresh_seconds, 0)


class TwoTowerSource(Source):
    """The user's vector against an index of the items' vectors. Users whom the model does not know get nothing."""

    name: ClassVar[str] = "two_tower"
    in_memory: ClassVar[bool] = True

    def __init__(
        self, catalog: Catalog, state: StateReader, two_tower: TwoTower, config: TwoTowerConfig | None = None
    ) -> None:
        self._config = config or TwoTowerConfig()
        self._items = catalog.items
        self._state = state
        self._model = two_tower
        self._index = VectorIndex(self._config.index)
        self._staleness = Staleness(self._config.refresh_seconds)
        self._indexed: tuple[int, int] | None = None

    @property
    def config(self) -> TwoTowerConfig:
        return self._config

    def enabled(self, request: HydratedRequest) -> bool:
        return self.config.enabled and request.user >= 0

    def refresh(self, now: int) -> None:
        """Index the vectors of all servable items, where that is due and anything has changed."""
        versions = (self._model.version, self._items.version)
        if self._staleness.due(now, self._items.version, len(self._items)) and versions != self._indexed:
            items = np.flatnonzero(self._items.servable).astype(np.int32)
            self._index.rebuild(items, self._model.item_vectors(items))
            self._indexed = versions

    def fetch(self, request: HydratedRequest) -> Retrieved:
        query = self._model.user_vector(request.user)
        if not query.any():
            return Retrieved.nothing()
        items, products = self._index.search(query, _OVERSAMPLING * self.config.limit)
        order = unseen_first(self._state, request, items, self.config.limit)
        return Retrieved.of(items[order], products[order])

    def near(self, item: int, count: int) -> tuple[Int32s, Float32s]:
        """int32 [k], float32 [k]: the items whose vectors lie in the direction of this one's, and their cosines.

        Nothing for an item that the model does not know.
        """
        query = self._model.item_vectors(np.array([item], np.int32))[0]
        if not query.any():
            return np.empty(0, np.int32), np.empty(0, np.float32)
        # The index goes by inner products, which favour long vectors: what many like, more than what is alike.
        items, products = self._index.search(query, _OVERSAMPLING * count)
        cosines = products / (np.linalg.norm(query) * np.linalg.norm(self._model.item_vectors(items), axis=1))
        order = np.argsort(-cosines, kind="stable")[:count]
        return items[order], cosines[order]

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "close to what you have been watching"
