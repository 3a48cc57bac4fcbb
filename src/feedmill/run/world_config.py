"""How Feedmill is configured in the simulated world. Apart from the policy, so that it is had without loading torch."""

from __future__ import annotations

from feedmill.domain.objectives import Action, Objective
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.training.config import TrainingConfig
from feedmill.run.config import Config
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.rerankers.spread import SpreadConfig
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig
from feedmill.stream.features.config import FeatureConfig


def world_config(seed: int = 0) -> Config:
    """The configuration for the simulated world, chosen on worlds of other seeds than those that results are shown of.

    What it is told of the world is what an application knows of itself: which actions there are and what they mean;
    that interest changes within days and topics tire within hours, so counters forget at these paces; that pages are
    short. `seed` is of the initial parameters.
    """
    return Config(
        actions={
            "watched": Action("positive", threshold=0.6),
            "like": Action("positive"),
            "share": Action("positive"),
            "hide": Action("negative", hides=True),
        },
        objectives={
            "watched": Objective("watched", kind="regression"),
            "like": Objective("like", weight=0.1),
        },
        features=FeatureConfig(
            context=(),
            groups=(
                ("user",),
                ("item",),
                ("author",),
                ("category",),
                ("duration",),
                ("user", "category"),
                ("user", "author"),
            ),
            crosses=(),
            half_lives=(0.0, 48.0, 6.0),
            smoothing=1.0,
        ),
        ranker=RankerConfig(rate_weight=0.15),
        training=TrainingConfig(seed=seed),
        feed=FeedConfig(
            spread=SpreadConfig(categories=1, category_penalty=0.08),
            fresh_positions=FreshPositionsConfig(temperature=0.2),
            fan_out=FanOutConfig(parallel=False),
        ),
    )
