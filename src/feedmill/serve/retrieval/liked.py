"""More of the authors and tags that the user liked, follows, or named as interests."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.ids import hash_id
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig, above, at_least
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.postings import Postings
from feedmill.serve.retrieval.tally import tally
from feedmill.serve.retrieval.unseen import unseen_first
from feedmill.stream.catalog.columns import Catalog

_OVERSAMPLING = 4
_NEW = 7 * DAY


class LikedConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tastes: int = 16
    """How many authors and tags are looked up."""
    decay: float = 0.95
    """What an action weighs against the one that followed it."""
    follow_weight: float = 2.0
    """What a followed author weighs against the author of the item liked last."""
    interest_weight: float = 1.0
    """What a declared interest weighs against the same."""
    refresh_seconds: float = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("tastes", self.tastes, 1)
        above("decay", self.decay, 0)
        at_least("follow_weight", self.follow_weight, 0)
        at_least("interest_weight", self.interest_weight, 0)
        above("refresh_seconds", self.refresh_seconds, 0)


class LikedSource(Source):
    """Shares its places out among the user's tastes; the evidence is the key of the author or tag.

    A taste weighs what the user did lately to its items; an item's tags share what its author gets whole. The r-th best
    item of a taste scores (share of the taste) / r, so that places are given in proportion (D'Hondt's quotients), and
    an item that meets several tastes adds them up.
    """

    name: ClassVar[str] = "liked"
    in_memory: ClassVar[bool] = True

    def __init__(
        self, catalog: Catalog, state: StateReader, popularity: Popularity, config: LikedConfig | None = None
    ) -> None:
        self._config = config or LikedConfig()
        self._items = catalog.items
        self._state = state
        self.postings = Postings(catalog, popularity, self._config.refresh_seconds)

    @property
    def config(self) -> LikedConfig:
        return self._config

    def refresh(self, now: int) -> None:
        self.postings.refresh(now)

    def fetch(self, request: HydratedRequest) -> Retrieved:
        limit = self.config.limit
        named, quotients = [np.empty(0, np.int32)], [np.empty(0)]
        tastes = self._tastes(request)
        ranks = np.arange(1, limit + 1)
        for key, share in tastes:
            found = self.postings.find(key, _OVERSAMPLING * limit)
            found = found[unseen_first(self._state, request, found, limit)]
            named.append(found)
            quotients.append(share / ranks[: len(found)])
        keys = np.repeat(np.array([0, *(key for key, _ in tastes)], np.uint64), [len(found) for found in named])
        items, scores, evidence = tally(np.concatenate(named), np.concatenate(quotients), keys)
        order = unseen_first(self._state, request, items, limit)
        return Retrieved.of(items[order], scores[order], evidence[order])

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        body = self._items.body(item)
        if evidence == int(self._items.authors[item]):
            if evidence not in {hash_id(name) for name in self._state.related(request.user_id, "follow")}:
                return "more from an author you liked"
            new = 0 <= request.now - int(self._items.created_at[item]) < _NEW
            return "new from an author you follow" if new else "from an author you follow"
        names = () if body is None else (*body.categories, *body.tags)
        name = next((name for name in names if hash_id(name) == evidence), "something")
        if request.profile is not None and name in request.profile.interests:
            return f"matches {name}, one of your interests"
        return f"matches {name}, which you liked"

    def _tastes(self, request: HydratedRequest) -> list[tuple[int, float]]:
        """The user's strongest tastes, as keys and shares that add up to 1, strongest first."""
        weights: defaultdict[int, float] = defaultdict(float)
        history = request.history
        age = self.config.decay ** np.arange(len(history.items))
        authors = self._items.authors[history.items].tolist()
        for item, author, weight in zip(history.items.tolist(), authors, (history.weights * age).tolist(), strict=True):
            weights[author] += weight
            tags = self._items.tags(item)
            for tag in tags:
                weights[tag] += weight / len(tags)
        for followed in self._state.related(request.user_id, "follow"):
            weights[hash_id(followed)] += self.config.follow_weight
        for interest in request.profile.interests if request.profile is not None else ():
            weights[hash_id(interest)] += self.config.interest_weight
        weights.pop(0, None)
        liked = sorted(((key, weight) for key, weight in weights.items() if weight > 0), key=lambda it: (-it[1], it[0]))
        strongest = liked[: self.config.tastes]
        total = sum(weight for _, weight in strongest)
        return [(key, weight / total) for key, weight in strongest]
