"""Popularity: what everybody takes to, of all time or lately. The floor under every other model.

Counts may be of a window before the last interaction, and may fade in it, so that what is popular now is ahead of what
was (Ji et al., 2020, "A re-visit of the popularity baseline in recommender systems").
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import DAY
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix
from feedmill.learn.models.space import Range


class PopularityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which interactions count, and how much."""

    window_days: float | None = None
    """Only those of so many days before the last one; None: all."""
    half_life_days: float | None = None
    """In which a count fades by half; None: never."""

    def __post_init__(self) -> None:
        for name in ("window_days", "half_life_days"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"popularity.{name}: {value} must be above 0, or nothing")


class Popularity(BatchModel):
    """The same list for everybody, less what each took to."""

    name = "popularity"
    Config = PopularityConfig
    space: ClassVar = {"half_life_days": Range(0.25, 4_000, log=True)}
    learned = ("weights",)

    weights: Float32s
    """float32 [items]"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        ages = (train.times.max() - train.times) / DAY
        weights = np.ones(len(train))
        if self.config.half_life_days is not None:
            weights = np.exp2(-ages / self.config.half_life_days)
        if self.config.window_days is not None:
            weights[ages > self.config.window_days] = 0
        self.weights = np.bincount(train.items, weights, train.n_items).astype(np.float32)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        return np.tile(self.weights, (history.shape[0], 1))

    def _scores_of(self, rows: Matrix, users: Integers | None) -> Float32s:
        return self._scores(rows, users)
