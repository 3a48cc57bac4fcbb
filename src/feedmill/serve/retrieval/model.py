"""Items that a model recommends which `feedmill fit` has fitted: EASE, neighbours, a blend, whatever the configuration
names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.fitted import FittedModel, model_file
from feedmill.learn.models.named import BATCH_MODELS
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig, above
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import Catalog

_OVERSAMPLING = 3
"""Items asked for for each that is named, since some have been seen."""


class ModelConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str = ""
    """Of the model, as `feedmill fit` was told it; empty: none."""
    limit: int = 150
    refresh_seconds: float = 10.0
    """How often to look whether the model has been fitted again."""

    def __post_init__(self) -> None:
        super().__post_init__()
        above("refresh_seconds", self.refresh_seconds, 0)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model, and what its items are in the catalog."""

    fitted: FittedModel
    to_catalog: Int32s
    """int32 [items of the model]: -1 for those that the catalog does not have"""
    from_catalog: Int32s
    """int32 [items of the catalog]: -1 for those that the model does not know"""
    allowed: npt.NDArray[np.bool_]
    """bool [items of the model]: what may be shown."""


class ModelSource(Source):
    """Asks the model by what the user liked last, so that a user counts who came after it was fitted.

    Where there is no file of the model it names nothing; where the file cannot be read it goes on with what it had.
    """

    name: ClassVar[str] = "model"
    in_memory: ClassVar[bool] = True

    def __init__(
        self, catalog: Catalog, state: StateReader, models: Path | None = None, config: ModelConfig | None = None
    ) -> None:
        """`models` is the folder of fitted models; without one there are none.

        Raises ConfigError for a model that there is not.
        """
        self._config = config or ModelConfig()
        if self._config.name and self._config.name not in BATCH_MODELS:
            raise ConfigError(f"feed.model.name: no model {self._config.name!r}; there are {', '.join(BATCH_MODELS)}")
        self._items = catalog.items
        self._state = state
        self._path = None if models is None or not self._config.name else model_file(models, self._config.name)
        self._staleness = Staleness(self._config.refresh_seconds)
        self._file: tuple[int, int] | None = None
        self._loaded: _Loaded | None = None

    @property
    def config(self) -> ModelConfig:
        return self._config

    def enabled(self, request: HydratedRequest) -> bool:
        return self.config.enabled and self._loaded is not None and bool((request.history.weights > 0).any())

    def refresh(self, now: int) -> None:
        """Load the model where it has been fitted again, and look up its items, where that is due."""
        items = self._items
        if self._path is None or not self._staleness.due(now, items.version, len(items)):
            return
        try:
            about = self._path.stat()
        except FileNotFoundError:
            self._loaded, self._file = None, None
            return
        file = about.st_mtime_ns, about.st_ino
        fitted = None if self._loaded is None else self._loaded.fitted
        if fitted is None or file != self._file:
            fitted = FittedModel.load(self._path)
            # What a model makes for its first answer is made here, where no request waits for it.
            if n_items := fitted.model.n_items:
                fitted.model.recommend([0], 1, history=Interactions.of([0], [0], n_users=1, n_items=n_items))
        to_catalog = np.fromiter(map(items.ids.find, fitted.item_ids), np.int32, len(fitted.item_ids))
        n = len(items)
        known = (to_catalog >= 0) & (to_catalog < n)
        from_catalog = np.full(n, -1, dtype=np.int32)
        from_catalog[to_catalog[known]] = np.flatnonzero(known)
        allowed = known.copy()
        allowed[known] = items.servable[to_catalog[known]] & (items.expires_at[to_catalog[known]] > now)
        self._loaded, self._file = _Loaded(fitted, to_catalog, from_catalog, allowed), file

    def fetch(self, request: HydratedRequest) -> Retrieved:
        loaded = self._loaded
        if loaded is None:
            return Retrieved.nothing()
        history = request.history
        liked = history.items[history.weights > 0]
        own = loaded.from_catalog[liked[liked < len(loaded.from_catalog)]]
        own = np.unique(own[own >= 0])
        if not len(own):
            return Retrieved.nothing()
        model = loaded.fitted.model
        told = Interactions.of(np.zeros(len(own), np.int32), own, n_users=1, n_items=model.n_items)
        found, scores = model.recommend([0], _OVERSAMPLING * self.config.limit, history=told, candidates=loaded.allowed)
        named = (found[0] >= 0) & (scores[0] != 0)
        items = loaded.to_catalog[found[0][named]]
        order = unseen_first(self._state, request, items, self.config.limit)
        return Retrieved.of(items[order], scores[0][named][order])

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "goes with what you liked"
