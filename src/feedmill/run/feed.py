"""State and parameters, as the feed reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.records import Scalar
from feedmill.learn.models.fitted import FittedRanker, model_file
from feedmill.learn.models.named import CLICK_MODELS
from feedmill.learn.parameters import Parameters
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.readers import Ranker
from feedmill.stream.state.rows import Int32s
from feedmill.stream.state.state import State

Current = Callable[[], Parameters]
"""Gives the parameters to go by now. All that it ever gives are of one configuration and one slot registry."""


class _Extractor:
    def __init__(self, state: State, parameters: Current) -> None:
        self._state = state
        self._parameters = parameters

    def extract(self, user: int, items: Int32s, now: int, context: Mapping[str, Scalar]) -> Features:
        return self._state.read(self._parameters().ranker_schema.view, user, items, now, context)


class _Ranker:
    def __init__(self, parameters: Current) -> None:
        self._parameters = parameters

    def predict(self, features: Features) -> Float32s:
        return self._parameters().predict(features)


class _FittedRanker:
    """A model that `feedmill fit` has fitted, loaded again when it is fitted again; while there is none, the other."""

    def __init__(self, own: _Ranker, parameters: Current, path: Path) -> None:
        self._own = own
        self._parameters = parameters
        self._path = path
        self._loaded: tuple[tuple[int, int], FittedRanker] | None = None

    def predict(self, features: Features) -> Float32s:
        try:
            about = self._path.stat()
        except FileNotFoundError:
            return self._own.predict(features)
        file = about.st_mtime_ns, about.st_ino
        if self._loaded is None or self._loaded[0] != file:
            self._loaded = file, self._checked(FittedRanker.load(self._path))
        return self._loaded[1].model.predict(features)

    def _checked(self, fitted: FittedRanker) -> FittedRanker:
        parameters = self._parameters()
        slots = tuple(slot.name for slot in parameters.ranker_schema.slots)
        if (fitted.objectives, fitted.slots) != (tuple(parameters.config.objectives), slots):
            raise InvalidArgument(
                f"{self._path}: fitted for other objectives or features than are configured; fit it again"
            )
        return fitted


class _TwoTower:
    def __init__(self, state: State, parameters: Current) -> None:
        self._state = state
        self._parameters = parameters

    @property
    def version(self) -> int:
        return self._parameters().version

    def user_vector(self, user: int) -> Float32s:
        parameters = self._parameters()
        anything = np.array([-1], dtype=np.int32)
        features = self._state.read(parameters.user_schema.view, user, anything, self._state.watermark, {})
        return parameters.user_vectors(features).ravel()

    def item_vectors(self, items: Int32s) -> Float32s:
        parameters = self._parameters()
        features = self._state.read(parameters.item_schema.view, -1, items, self._state.watermark, {})
        return parameters.item_vectors(features)


def make_feed(
    state: State,
    parameters: Current,
    config: FeedConfig,
    timer: Callable[[], float] = time.perf_counter,
    *,
    fitted: Path | None = None,
) -> Feed:
    """A feed that sees what the state folds, at once, and goes by the parameters that there are at each call.

    `parameters` may give another object at any time. The state must not fold while the feed answers. `timer` gives
    seconds; `fitted` is the folder of models that `feedmill fit` has fitted.

    Raises ConfigError for a model that there is not.
    """
    ranker: Ranker = _Ranker(parameters)
    if config.ranker.model and config.ranker.model not in CLICK_MODELS:
        raise ConfigError(f"feed.ranker.model: no model {config.ranker.model!r}; there are {', '.join(CLICK_MODELS)}")
    if fitted is not None and config.ranker.model:
        ranker = _FittedRanker(_Ranker(parameters), parameters, model_file(fitted, config.ranker.model))
    models = Models(
        objectives=parameters().config.objectives,
        extractor=_Extractor(state, parameters),
        ranker=ranker,
        two_tower=_TwoTower(state, parameters),
        fitted=fitted,
    )
    return Feed(state.catalog, state, models, config, timer)
