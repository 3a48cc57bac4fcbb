"""Items liked by those who liked what the user liked lately (Linden, Smith and York, 2003)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig, above, at_least
from feedmill.serve.retrieval.tally import tally
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import Catalog


class CoVisitationConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: int = 150
    anchors: int = 15
    """How many of the user's latest liked items are looked up."""
    neighbours: int = 60
    """How many neighbours of each."""
    decay: float = 0.9
    """What an item's neighbours weigh against those of the next one liked after it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("anchors", self.anchors, 1)
        at_least("neighbours", self.neighbours, 1)
        above("decay", self.decay, 0)


class CoVisitationSource(Source):
    """The neighbours of the user's latest liked items; the evidence is the liked item that contributed most."""

    name: ClassVar[str] = "co_visitation"
    in_memory: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, state: StateReader, config: CoVisitationConfig | None = None) -> None:
        self._config = config or CoVisitationConfig()
        self._items = catalog.items
        self._state = state

    @property
    def config(self) -> CoVisitationConfig:
        return self._config

    def enabled(self, request: HydratedRequest) -> bool:
        return self.config.enabled and bool((request.history.weights > 0).any())

    def fetch(self, request: HydratedRequest) -> Retrieved:
        history = request.history
        liked = np.flatnonzero(history.weights > 0)[: self.config.anchors]
        if not len(liked):
            return Retrieved.nothing()
        named, strengths, anchors = [], [], []
        for rank, row in enumerate(liked):
            anchor = int(history.items[row])
            items, similarities = self._state.neighbours(anchor, self.config.neighbours)
            named.append(items)
            strengths.append(similarities * (float(history.weights[row]) * self.config.decay**rank))
            anchors.append(np.full(len(items), anchor, np.uint64))
        found, scores, evidence = tally(np.concatenate(named), np.concatenate(strengths), np.concatenate(anchors))
        order = unseen_first(self._state, request, found, self.config.limit)
        return Retrieved.of(found[order], scores[order], evidence[order])

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        body = self._items.body(evidence)
        title = body.title if body is not None and body.title else self._items.ids.names[evidence]
        return f"people who liked {title} watched this"
