"""The For You feed: which stages there are, in which order, and how its answers are put into words.

user, history -> co_visitation, liked, two_tower, model, trending, fresh -> item
     -> excluded, visibility, expired, blocked_authors, hidden, negative_feedback, seen
     -> ranker, weighted, interests -> spread -> fresh_positions
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from feedmill.domain.clock import MINUTE
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.objectives import Objective
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.filters.blocked_authors import BlockedAuthorsFilter
from feedmill.serve.filters.excluded import ExcludedFilter
from feedmill.serve.filters.expired import ExpiredFilter
from feedmill.serve.filters.hidden import HiddenFilter
from feedmill.serve.filters.negative_feedback import NegativeFeedbackFilter
from feedmill.serve.filters.seen import SeenFilter
from feedmill.serve.filters.visibility import VisibilityFilter
from feedmill.serve.hydrators.history import HistoryHydrator
from feedmill.serve.hydrators.item import ItemHydrator
from feedmill.serve.hydrators.user import UserHydrator
from feedmill.serve.page import Explanation, Page
from feedmill.serve.pipeline.meter import StageCounts
from feedmill.serve.pipeline.readers import Extractor, Ranker, StateReader, TwoTower
from feedmill.serve.pipeline.request import MAX_LIMIT, Request
from feedmill.serve.pipeline.runner import Pipeline, Stages
from feedmill.serve.pipeline.stages import Explained, Scorer, Source
from feedmill.serve.pipeline.trace import Trace
from feedmill.serve.presenter import Presenter
from feedmill.serve.ranked import ASKED, Asked, LeftOut, Ranked
from feedmill.serve.rerankers.spread import SpreadReranker
from feedmill.serve.retrieval.catalogue import CatalogueBackfill
from feedmill.serve.retrieval.co_visitation import CoVisitationSource
from feedmill.serve.retrieval.fresh import FreshSource
from feedmill.serve.retrieval.liked import LikedSource
from feedmill.serve.retrieval.model import ModelSource
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.trending import TrendingSource
from feedmill.serve.retrieval.two_tower import TwoTowerSource
from feedmill.serve.scorers.interests import InterestsScorer
from feedmill.serve.scorers.ranker import RankerScorer
from feedmill.serve.scorers.weighted import WeightedScorer
from feedmill.serve.selectors.fresh_positions import FreshPositionsSelector
from feedmill.serve.similar import Similar, SimilarItem
from feedmill.stream.catalog.columns import Catalog

_FEW_ITEMS = 2_000
"""Up to so many, what is kept between requests is made again within some milliseconds, so that what an application has
just put is there in the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What has been learned, as far as there is any: a feed without models goes by its other sources."""

    objectives: Mapping[str, Objective]
    """In the order of the ranker's columns."""
    extractor: Extractor | None = None
    ranker: Ranker | None = None
    """Used together with the extractor."""
    two_tower: TwoTower | None = None
    fitted: Path | None = None
    """The folder of models that `feedmill fit` has fitted."""


class Feed:
    """Recommends to every user, known or not, from what the catalog, the state and the models hold at that moment."""

    def __init__(
        self,
        catalog: Catalog,
        state: StateReader,
        models: Models,
        config: FeedConfig | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`timer` gives seconds; deadlines and timings go by it.

        Raises ConfigError for a weight of an objective that does not exist.
        """
        self.config = config or FeedConfig()
        self._catalog = catalog
        popularity = Popularity(catalog, state)
        stages = _stages(catalog, state, popularity, models, self.config)
        self._pipeline = Pipeline(stages, catalog.items, self.config.fan_out, timer)
        sources: dict[str, Explained] = {source.name: source for source in stages.sources}
        if stages.backfill is not None:
            sources[stages.backfill.name] = stages.backfill
        sources[ASKED] = Asked()
        self._presenter = Presenter(catalog, sources, explored=self.config.fresh_positions.source)
        self._similar = _similar(catalog, state, popularity, self._pipeline, self.config)
        # The postings are those of the source of liked tags, which keeps them up to date where it is enabled.
        self._kept_besides = () if self.config.liked.enabled else (self._similar,)
        self._refreshing = threading.Lock()
        self._refreshed = False
        self._kept_fresh_at: int | None = None

    def recommend(self, request: Request) -> Page:
        """The page for a request: as many different items as asked for, while the catalogue has them.

        What sources keep between requests is brought up to date first where that is due: see `refresh`.
        """
        self._freshen(request.now)
        return self._presenter.page(self._pipeline.run(request))

    def rank(self, request: Request, item_ids: Sequence[str]) -> Ranked:
        """The application's own candidates, all that the user may be shown, best first.

        Visibility, expiry, blocked authors and what the user has hidden hold as in a feed; what the user has seen or
        keeps rejecting does not, nor do `limit` and `exclude`. Nothing is reranked or explored. Without a ranker the
        order stays as it is given. Raises InvalidArgument unless there are 1 to 1,000 ids, each once.
        """
        if not 1 <= len(item_ids) <= MAX_LIMIT:
            raise InvalidArgument(f"item_ids: must be from 1 to {MAX_LIMIT:,} ids, not {len(item_ids):,}")
        twice = next((item_id for item_id, count in Counter(item_ids).items() if count > 1), None)
        if twice is not None:
            raise InvalidArgument(f"item_ids: {twice!r} stands there twice; name each item once")
        ordinals = np.fromiter(map(self._catalog.items.ids.find, item_ids), np.int32, len(item_ids))
        trace = self._pipeline.rank(replace(request, limit=len(item_ids)), ordinals[ordinals >= 0], ASKED)
        left_out: list[LeftOut] = []
        removed = iter(trace.removed.tolist())
        for item_id, ordinal in zip(item_ids, ordinals.tolist(), strict=True):
            if ordinal < 0:
                left_out.append(LeftOut(item_id, "there is no item with this id"))
            elif (by := next(removed)) >= 0:
                left_out.append(LeftOut(item_id, trace.removals[by].reason))
        return Ranked(replace(self._presenter.page(trace), note=""), tuple(left_out))

    def similar(self, item_id: str, limit: int, now: int) -> list[SimilarItem]:
        """Items like an item, for anyone: see `Similar.find`.

        Raises NotFound where there is no such item, InvalidArgument for a limit outside 1 to 1,000.
        """
        self._freshen(now)
        return self._similar.find(item_id, limit, now)

    def explain(self, asked: Request | Trace, item_id: str) -> Explanation:
        """Why the item is on the page, or is not; a request is run for the purpose."""
        item = self._catalog.items.ids.find(item_id)
        if item < 0:
            return Explanation(item_id, item_id, "no_such_item", "there is no item with this id")
        trace = asked if isinstance(asked, Trace) else self.recommend(asked).trace
        would_remove = None
        if trace.fate(item).outcome == "not_a_candidate":
            would_remove = self._pipeline.judge(trace.request, item)
        return self._presenter.explanation(trace, item, would_remove)

    def refresh(self, now: int) -> None:
        """Bring up to date what sources keep between requests (trends, the vector index, lists of new items).

        Does nothing for what is not due; else O(items). A server calls it between requests, every second or so: for a
        minute after each call no request does it, unless there are so few items that nobody would notice.
        """
        with self._refreshing:
            self._refresh(now)
            self._kept_fresh_at = now

    def counts(self) -> dict[str, StageCounts]:
        """What every stage has done so far, by "kind/stage"."""
        return self._pipeline.counts()

    def close(self) -> None:
        """Let the threads of the sources end."""
        self._pipeline.close()

    def _freshen(self, now: int) -> None:
        kept_fresh = self._kept_fresh_at is not None and 0 <= now - self._kept_fresh_at < MINUTE
        if kept_fresh and len(self._catalog.items) > _FEW_ITEMS:
            return
        # Whoever comes while another request refreshes goes on with what there is, unless there is nothing yet.
        if self._refreshing.acquire(blocking=not self._refreshed):
            try:
                self._refresh(now)
            finally:
                self._refreshing.release()

    def _refresh(self, now: int) -> None:
        self._pipeline.refresh(now, self._kept_besides)
        self._refreshed = True


def _stages(catalog: Catalog, state: StateReader, popularity: Popularity, models: Models, config: FeedConfig) -> Stages:
    # In this order, too, their reasons are preferred where several named an item.
    sources: list[Source] = [
        CoVisitationSource(catalog, state, config.co_visitation),
        LikedSource(catalog, state, popularity, config.liked),
    ]
    if models.two_tower is not None:
        sources.append(TwoTowerSource(catalog, state, models.two_tower, config.two_tower))
    if models.fitted is not None and config.model.name:
        sources.append(ModelSource(catalog, state, models.fitted, config.model))
    sources += [TrendingSource(state, popularity, config.trending), FreshSource(catalog, state, config.fresh)]
    scorers: list[Scorer] = []
    if models.extractor is not None and models.ranker is not None:
        scorers.append(RankerScorer(models.extractor, models.ranker, models.objectives, config.ranker))
    scorers += [WeightedScorer(models.objectives, config.weighted), InterestsScorer(catalog, config.interests)]
    return Stages(
        request_hydrators=(UserHydrator(catalog), HistoryHydrator(state)),
        sources=tuple(sources),
        backfill=CatalogueBackfill(catalog, state, popularity, config.catalogue),
        candidate_hydrators=(ItemHydrator(catalog),),
        filters=(
            ExcludedFilter(catalog, config.excluded),
            VisibilityFilter(catalog, state, config.visibility),
            ExpiredFilter(catalog, config.expired),
            BlockedAuthorsFilter(catalog, state, config.blocked_authors),
            HiddenFilter(state, config.hidden),
            NegativeFeedbackFilter(catalog, config.negative_feedback),
            SeenFilter(state, config.seen),
        ),
        repeatable=SeenFilter.name if config.repeat_seen_when_short else None,
        scorers=tuple(scorers),
        rerankers=(SpreadReranker(config.spread),),
        selector=FreshPositionsSelector(config.fresh_positions),
    )


def _similar(
    catalog: Catalog, state: StateReader, popularity: Popularity, pipeline: Pipeline, config: FeedConfig
) -> Similar:
    """Shares with the sources what they keep between requests."""
    stages = pipeline.stages
    liked = next(source for source in stages.sources if isinstance(source, LikedSource))
    two_tower = next(
        (source for source in stages.sources if isinstance(source, TwoTowerSource) and source.config.enabled), None
    )
    return Similar(catalog, state, popularity, liked.postings, pipeline.attempt, two_tower, config.similar)
