"""Feedmill as a policy of the simulated world: the whole engine, on the world's clock instead of the machine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.run.config import Config
from feedmill.run.feed import make_feed
from feedmill.run.world_config import world_config
from feedmill.serve.page import Page
from feedmill.serve.pipeline.request import Request
from feedmill.simulation import Slate, WorldConfig

Told = Callable[[str, Page, int], None]
"""Called with the user's id, the page and the time in the world, UTC milliseconds."""


class FeedmillPolicy:
    """Learns from every step of the world before it fills the next feeds."""

    def __init__(
        self,
        config: Config | None = None,
        told: Told | None = None,
        *,
        name: str = "feedmill",
        frozen_from: int | None = None,
    ) -> None:
        """`told` hears of every page that is served. From the first records of `frozen_from` on, UTC milliseconds,
        parameters stay as they are, while histories and counters go on.

        Raises ConfigError for a configuration that cannot be used.
        """
        config = config or world_config()
        self.name = name
        self.learner = Learner(config.learning(), SlotRegistry())
        self.feed = make_feed(self.learner.state, lambda: self.learner.parameters, config.feed)
        self._told = told
        self._frozen_from = frozen_from

    def observe(self, records: Sequence[Record]) -> None:
        """One step of the learner for each batch of records."""
        size = self.learner.config.training.batch
        for start in range(0, len(records), size):
            batch = records[start : start + size]
            self.learner.frozen = self._frozen_from is not None and batch[-1].timestamp >= self._frozen_from
            self.learner.step(batch)

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        """A page of `k` items for each user; `now` is in UTC milliseconds."""
        return [self._slate(user_id, now, k) for user_id in user_ids]

    def _slate(self, user_id: str, now: int, k: int) -> Slate:
        request_id = f"{user_id}@{now}"
        page = self.feed.recommend(Request(user_id=user_id, now=now, limit=k, request_id=request_id))
        if self._told is not None:
            self._told(user_id, page, now)
        return Slate([item.item_id for item in page.items], request_id)


def frozen_policy(world: WorldConfig, config: Config | None = None) -> FeedmillPolicy:
    """The same engine whose model learned in the first quarter of the world's days and was then left as it was."""
    return FeedmillPolicy(config, name="frozen", frozen_from=world.start + (world.end - world.start) // 4)
