"""What a learner holds, as the feed reads it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.records import Scalar
from feedmill.learn.training.learner import Learner
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.stream.state.rows import Int32s


class _RankerFeatures:
    def __init__(self, learner: Learner) -> None:
        self._state = learner.state
        self._view = learner.ranker.schema.view

    def extract(self, user: int, items: Int32s, now: int, context: Mapping[str, Scalar]) -> Features:
        return self._state.read(self._view, user, items, now, context)


class _TowerVectors:
    def __init__(self, learner: Learner) -> None:
        self._state = learner.state
        self._towers = learner.towers

    @property
    def version(self) -> int:
        return self._towers.version

    def user_vector(self, user: int) -> Float32s:
        anything = np.array([-1], dtype=np.int32)
        view = self._towers.user_schema.view
        features = self._state.read(view, user, anything, self._state.watermark, {})
        return self._towers.user_vectors(features).ravel()

    def item_vectors(self, items: Int32s) -> Float32s:
        view = self._towers.item_schema.view
        return self._towers.item_vectors(self._state.read(view, -1, items, self._state.watermark, {}))


def make_feed(learner: Learner, config: FeedConfig) -> Feed:
    """A feed over a learner: it sees what the learner folds and learns, at once.

    The learner must not step while the feed answers.
    """
    models = Models(
        objectives=learner.config.objectives,
        extractor=_RankerFeatures(learner),
        ranker=learner.ranker,
        two_tower=_TowerVectors(learner),
    )
    return Feed(learner.state.catalog, learner.state, models, config)
