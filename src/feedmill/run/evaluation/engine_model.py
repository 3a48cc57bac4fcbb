"""Feedmill itself under a protocol: the whole engine, which learns the training part record by record."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.run.config import Config
from feedmill.run.evaluation.logged import Logged, Progress, is_of_an_item
from feedmill.run.feed import make_feed
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import MAX_LIMIT, Request
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig
from feedmill.stream.log.protocol import Log

NAME = "feedmill"
_AT_ONCE = 2_000
"""Records that are read at a time."""
_MORE = 5
"""A page is so many times as long as the list, since it may name items that nobody in the training part has met."""


class EngineModel:
    """Learns what the log holds of the training part, in the order of the log, and answers with its feed.

    A pair of user and item of any other part is left out whatever the log says of it. What says nothing of interest
    (impressions, dislikes) goes in up to the last moment of the training part, as in a deployment. Of an item
    that may be recommended and was not described by then it is told the first description.
    """

    def __init__(
        self,
        log: Log,
        logged: Logged,
        config: Config,
        progress: Progress = lambda phase, done, total: None,
    ) -> None:
        """`progress` is told while the log is gone through; what it raises ends that."""
        self._log = log
        self._progress = progress
        self._user_of = {name: i for i, name in enumerate(logged.user_ids)}
        self._item_of = {name: i for i, name in enumerate(logged.item_ids)}
        self._logged = logged
        self._config = config
        everything = logged.interactions
        self._elsewhere = frozenset(everything.pairs().tolist())
        self._learner: Learner | None = None
        self._known = np.zeros(everything.n_items, dtype=np.bool_)

    def fit(self, train: Interactions) -> None:
        self._learner = learner = Learner(self._config.learning(), SlotRegistry())
        self._known = np.bincount(train.items, minlength=train.n_items) > 0
        learned = frozenset(train.pairs().tolist())
        for batch in self._batches(learned, int(train.times.max(initial=0))):
            learner.step(batch)

    def recommend(
        self,
        users: npt.NDArray[np.integer],
        k: int,
        *,
        history: Interactions | None = None,
        candidates: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Int32s, Float32s]:
        learner = self._learner
        assert learner is not None, "fit comes first"
        if history is not None:
            # What is given of a user is state; parameters stay those of the training part.
            learner.frozen = True
            own = frozenset(history.pairs().tolist())
            for batch in self._batches(own, int(history.times.max(initial=0)), only=own):
                learner.step(batch)
        allowed = self._known if candidates is None else candidates
        learner.step(self._described_later(allowed))
        config = msgspec.structs.replace(
            self._config.feed,
            fan_out=FanOutConfig(parallel=False),
            fresh_positions=FreshPositionsConfig(enabled=False),
            repeat_seen_when_short=False,
        )
        feed = make_feed(learner.state, lambda: learner.parameters, config)
        limit = min(MAX_LIMIT, _MORE * k if candidates is None else MAX_LIMIT)
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.zeros((len(users), k), dtype=np.float32)
        now = learner.state.watermark
        for row, user in enumerate(users.tolist()):
            page = feed.recommend(Request(user_id=self._logged.user_ids[user], now=now, limit=limit))
            found = [(self._item_of.get(item.item_id, -1), item.score) for item in page.items]
            kept = [(item, score) for item, score in found if item >= 0 and allowed[item]][:k]
            for place, (item, score) in enumerate(kept):
                items[row, place], scores[row, place] = item, score
        feed.close()
        return items, scores

    def _batches(
        self, wanted: frozenset[int], until: int, *, only: frozenset[int] | None = None
    ) -> Iterable[list[Record]]:
        """Steps of the records that may be learned from; `only` some pairs, and no catalog."""
        size = self._config.training.batch
        waiting: list[Record] = []
        position, end = 0, self._log.end()
        while position < end:
            records, position = self._log.read(position, _AT_ONCE)
            for record in records:
                if not self._passes(record, wanted, until, only):
                    continue
                waiting.append(record)
                if len(waiting) == size:
                    yield waiting
                    waiting = []
            self._progress("feedmill goes through the log", position, end)
        if waiting:
            yield waiting

    def _described_later(self, allowed: npt.NDArray[np.bool_]) -> list[Record]:
        """The first descriptions of items that may be recommended, where the engine knows none."""
        assert self._learner is not None
        catalog = self._learner.state.catalog.items
        records = []
        for item in np.flatnonzero(allowed).tolist():
            name, said = self._logged.item_ids[item], self._logged.descriptions.get(item)
            ordinal = catalog.ids.find(name)
            if said and (ordinal < 0 or not catalog.servable[ordinal]):
                records.append(Record("item", said[0][0], object=name, body=said[0][1]))
        return records

    def _passes(self, record: Record, wanted: frozenset[int], until: int, only: frozenset[int] | None) -> bool:
        if not is_of_an_item(record):
            return only is None and record.timestamp <= until
        pair = self._user_of[record.subject] * len(self._item_of) + self._item_of[record.object]
        if record.timestamp > until or (only is not None and pair not in only):
            return False
        return pair in wanted or pair not in self._elsewhere
