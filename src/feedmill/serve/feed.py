"""The For You feed: which stages there are, in which order, and how its answers are put into words.

user, history -> co_visitation, liked, two_tower, trending, fresh -> item
     -> excluded, visibility, expired, blocked_authors, hidden, negative_feedback, seen
     -> ranker, weighted -> spread -> fresh_positions
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
from feedmill.serve.pipeline.request import Request
from feedmill.serve.pipeline.runner import Pipeline, Stages
from feedmill.serve.pipeline.stages import Explained, Scorer, Source
from feedmill.serve.pipeline.trace import Trace
from feedmill.serve.presenter import Presenter
from feedmill.serve.rerankers.spread import SpreadReranker
from feedmill.serve.retrieval.catalogue import CatalogueBackfill
from feedmill.serve.retrieval.co_visitation import CoVisitationSource
from feedmill.serve.retrieval.fresh import FreshSource
from feedmill.serve.retrieval.liked import LikedSource
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.trending import TrendingSource
from feedmill.serve.retrieval.two_tower import TwoTowerSource
from feedmill.serve.scorers.ranker import RankerScorer
from feedmill.serve.scorers.weighted import WeightedScorer
from feedmill.serve.selectors.fresh_positions import FreshPositionsSelector
from feedmill.stream.catalog.columns import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What has been learned, as far as there is any: a feed without models goes by its other sources."""

    objectives: Mapping[str, Objective]
    """In the order of the ranker's columns."""
    extractor: Extractor | None = None
    ranker: Ranker | None = None
    """Used together with the extractor."""
    two_tower: TwoTower | None = None


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
        stages = _stages(catalog, state, models, self.config)
        self._pipeline = Pipeline(stages, catalog.items, self.config.fan_out, timer)
        sources: dict[str, Explained] = {source.name: source for source in stages.sources}
        if stages.backfill is not None:
            sources[stages.backfill.name] = stages.backfill
        self._presenter = Presenter(catalog, sources, explored=self.config.fresh_positions.source)
        self._refreshing = threading.Lock()
        self._refreshed = False

    def recommend(self, request: Request) -> Page:
        """The page for a request: as many different items as asked for, while the catalogue has them.

        What sources keep between requests is brought up to date first where that is due: see `refresh`.
        """
        # Whoever comes while another request refreshes goes on with what there is, unless there is nothing yet.
        if self._refreshing.acquire(blocking=not self._refreshed):
            try:
                self.refresh(request.now)
                self._refreshed = True
            finally:
                self._refreshing.release()
        return self._presenter.page(self._pipeline.run(request))

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

        Does nothing for what is not due. A server calls it between requests, so that none waits for it: O(items).
        """
        self._pipeline.refresh(now)

    def counts(self) -> dict[str, StageCounts]:
        """What every stage has done so far, by "kind/stage"."""
        return self._pipeline.counts()

    def close(self) -> None:
        """Let the threads of the sources end."""
        self._pipeline.close()


def _stages(catalog: Catalog, state: StateReader, models: Models, config: FeedConfig) -> Stages:
    popularity = Popularity(catalog, state)
    # In this order, too, their reasons are preferred where several named an item.
    sources: list[Source] = [
        CoVisitationSource(catalog, state, config.co_visitation),
        LikedSource(catalog, state, popularity, config.liked),
    ]
    if models.two_tower is not None:
        sources.append(TwoTowerSource(catalog, state, models.two_tower, config.two_tower))
    sources += [TrendingSource(state, popularity, config.trending), FreshSource(catalog, state, config.fresh)]
    scorers: list[Scorer] = []
    if models.extractor is not None and models.ranker is not None:
        scorers.append(RankerScorer(models.extractor, models.ranker, models.objectives, config.ranker))
    scorers.append(WeightedScorer(models.objectives, config.weighted))
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
