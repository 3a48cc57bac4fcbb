"""Feedmill as a policy of the simulated world: the whole engine, on the world's clock instead of the machine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.config import TrainingConfig
from feedmill.learn.training.learner import Learner
from feedmill.run.config import Config
from feedmill.run.feed import make_feed
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.page import Page
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import Request
from feedmill.serve.rerankers.spread import SpreadConfig
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig
from feedmill.simulation.policies import Slate
from feedmill.stream.features.config import FeatureConfig

Told = Callable[[str, Page, int], None]
"""Called with the user's id, the page and the time in the world, UTC milliseconds."""


def world_config(seed: int = 0) -> Config:
    """The configuration for the simulated world, chosen on worlds of other seeds than those that results are shown of.

    What it is told of the world is what an application knows of itself: which actions there are and what they mean;
    that interest changes within days and topics tire within hours, so counters forget at both paces; that pages are
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
        ),
        training=TrainingConfig(seed=seed),
        feed=FeedConfig(
            spread=SpreadConfig(categories=1, category_penalty=0.08),
            fresh_positions=FreshPositionsConfig(temperature=0.2),
            fan_out=FanOutConfig(parallel=False),
        ),
    )


class FeedmillPolicy:
    """Learns from every step of the world before it fills the next feeds."""

    name = "feedmill"

    def __init__(self, config: Config | None = None, told: Told | None = None) -> None:
        """`told` hears of every page that is served. Raises ConfigError for a configuration that cannot be used."""
        config = config or world_config()
        self.learner = Learner(config.learning(), SlotRegistry())
        self.feed = make_feed(self.learner.state, lambda: self.learner.parameters, config.feed)
        self._told = told

    def observe(self, records: Sequence[Record]) -> None:
        """One step of the learner for each batch of records."""
        size = self.learner.config.training.batch
        for start in range(0, len(records), size):
            self.learner.step(records[start : start + size])

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        """A page of `k` items for each user; `now` is in UTC milliseconds."""
        return [self._slate(user_id, now, k) for user_id in user_ids]

    def _slate(self, user_id: str, now: int, k: int) -> Slate:
        request_id = f"{user_id}@{now}"
        page = self.feed.recommend(Request(user_id=user_id, now=now, limit=k, request_id=request_id))
        if self._told is not None:
            self._told(user_id, page, now)
        return Slate([item.item_id for item in page.items], request_id)
