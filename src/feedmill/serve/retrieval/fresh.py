"""New items that few have been shown: nobody can like what nobody sees."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig, above
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import LONG_AGO, Catalog

_POOL = 1_000


class FreshConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: int = 40
    weight: float = 0.0
    """That an item is new does not make it good: without a ranker it stands where positions are set aside for it."""
    impressions: float = 100.0
    """An item has had its first audience when it has been shown this often."""
    max_age_days: float = 30.0
    """Older items are not new, however few have seen them. Items of unknown age come behind all others."""
    refresh_seconds: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        above("impressions", self.impressions, 0)
        above("max_age_days", self.max_age_days, 0)
        above("refresh_seconds", self.refresh_seconds, 0)


class FreshSource(Source):
    """The newest items that have not had their first audience."""

    name: ClassVar[str] = "fresh"
    in_memory: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, state: StateReader, config: FreshConfig | None = None) -> None:
        self._config = config or FreshConfig()
        self._items = catalog.items
        self._state = state
        self._staleness = Staleness(self._config.refresh_seconds)
        self._pool: Int32s = np.empty(0, np.int32)

    @property
    def config(self) -> FreshConfig:
        return self._config

    def refresh(self, now: int) -> None:
        """Find the newest items that qualify, where that is due: O(items)."""
        items = self._items
        n = len(items)
        if not self._staleness.due(now, items.version, n):
            return
        # Each column may have grown since the one before was read.
        created_at, expires_at, servable = items.created_at[:n], items.expires_at[:n], items.servable[:n]
        young = (created_at <= now) & (created_at >= now - self.config.max_age_days * DAY)
        eligible = servable & (expires_at > now) & (young | (created_at == LONG_AGO))
        pool = np.flatnonzero(eligible).astype(np.int32)
        pool = pool[self._state.impressions(pool) < self.config.impressions]
        # An ordinal says in which order items became known, which is the best guess where none has a date.
        self._pool = pool[np.lexsort((pool, created_at[pool]))[::-1][:_POOL]]

    def fetch(self, request: HydratedRequest) -> Retrieved:
        pool = self._pool
        shown = self._state.impressions(pool)
        waiting = pool[shown < self.config.impressions]
        items = waiting[unseen_first(self._state, request, waiting, self.config.limit)]
        return Retrieved.of(items, self.config.impressions - self._state.impressions(items))

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        if self._items.created_at[item] == LONG_AGO:
            return "few people have seen this yet"
        return "new here"
