"""The configuration of the For You feed: a section for each of its stages."""

from __future__ import annotations

import msgspec

from feedmill.serve.filters.negative_feedback import NegativeFeedbackConfig
from feedmill.serve.filters.seen import SeenConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.stages import SourceConfig, StageConfig
from feedmill.serve.rerankers.spread import SpreadConfig
from feedmill.serve.retrieval.co_visitation import CoVisitationConfig
from feedmill.serve.retrieval.fresh import FreshConfig
from feedmill.serve.retrieval.liked import LikedConfig
from feedmill.serve.retrieval.model import ModelConfig
from feedmill.serve.retrieval.two_tower import TwoTowerConfig
from feedmill.serve.scorers.interests import InterestsConfig
from feedmill.serve.scorers.ranker import RankerStageConfig
from feedmill.serve.scorers.weighted import WeightedConfig
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig
from feedmill.serve.similar import SimilarConfig


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sources name up to about 500 candidates together, with these defaults."""

    co_visitation: CoVisitationConfig = CoVisitationConfig()
    liked: LikedConfig = LikedConfig()
    two_tower: TwoTowerConfig = TwoTowerConfig()
    model: ModelConfig = ModelConfig()
    trending: SourceConfig = SourceConfig()
    fresh: FreshConfig = FreshConfig()
    catalogue: StageConfig = StageConfig()
    """Fills pages that would be short."""
    excluded: StageConfig = StageConfig()
    visibility: StageConfig = StageConfig()
    expired: StageConfig = StageConfig()
    blocked_authors: StageConfig = StageConfig()
    hidden: StageConfig = StageConfig()
    negative_feedback: NegativeFeedbackConfig = NegativeFeedbackConfig()
    seen: SeenConfig = SeenConfig()
    ranker: RankerStageConfig = RankerStageConfig()
    weighted: WeightedConfig = WeightedConfig()
    interests: InterestsConfig = InterestsConfig()
    spread: SpreadConfig = SpreadConfig()
    fresh_positions: FreshPositionsConfig = FreshPositionsConfig()
    similar: SimilarConfig = SimilarConfig()
    """Items like an item, which are no stage of the feed."""
    fan_out: FanOutConfig = FanOutConfig()
    """How sources are called."""
    repeat_seen_when_short: bool = True
    """Whether what the user has seen comes back, last, when there is nothing else to fill a page with."""


def popularity_config(config: FeedConfig) -> FeedConfig:
    """The feed of a holdout: the same filters, and everything that passes them in the order of popularity.

    Nothing about it is personal but what the filters remove: no ranker, no exploration, no other source. Its order is
    that of trending, and of the catalogue behind it.
    """
    replace = msgspec.structs.replace
    return replace(
        config,
        co_visitation=replace(config.co_visitation, enabled=False),
        liked=replace(config.liked, enabled=False),
        two_tower=replace(config.two_tower, enabled=False),
        model=replace(config.model, enabled=False),
        fresh=replace(config.fresh, enabled=False),
        # Whatever the personal feed makes of it: its places and its weight are what puts it above the catalogue.
        trending=SourceConfig(deadline_ms=config.trending.deadline_ms),
        catalogue=StageConfig(),
        ranker=replace(config.ranker, enabled=False),
        weighted=replace(config.weighted, enabled=False),
        interests=replace(config.interests, enabled=False),
        spread=replace(config.spread, enabled=False),
        fresh_positions=replace(config.fresh_positions, enabled=False),
        similar=replace(config.similar, enabled=False),
    )
