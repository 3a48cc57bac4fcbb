"""Logistic regression by FTRL-proximal over the slots, on the embedding table (McMahan et al., 2013, section 3).

A weight for each id, each dense column and a constant; weights that the data do not speak for are exactly 0. The
regressed objectives have the squared loss in place of the logistic one.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.optimizers import Ftrl
from feedmill.domain.slots import Segment
from feedmill.learn.models.on_table import TableClickModel
from feedmill.learn.models.space import Range


class LogisticRegressionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the weights are learned: the names are the paper's."""

    alpha: float = 0.1
    beta: float = 1.0
    l1: float = 0.1
    l2: float = 0.1
    epochs: int = 1
    """How often `fit` goes over the examples; `learn` goes once."""
    batch: int = 256
    """Examples a step of `fit`."""
    seed: int = 0
    """Of nothing that is drawn: weights start at 0. It stands in the file of the table."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"logistic-regression.{name}: {getattr(self, name)} must be at least 1")
        for name in ("beta", "l1", "l2"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"logistic-regression.{name}: {getattr(self, name)} must be at least 0")
        if not 0 < self.alpha <= 10:
            raise ConfigError(f"logistic-regression.alpha: {self.alpha} must be above 0 and at most 10")


class LogisticRegression(TableClickModel):
    """A weight an objective in each row."""

    name = "logistic-regression"
    Config = LogisticRegressionConfig
    space: ClassVar = {
        "alpha": Range(0.01, 1.0, log=True),
        "l1": Range(0.001, 10.0, log=True),
        "l2": Range(0.001, 10.0, log=True),
        "epochs": Range(1, 5, whole=True),
    }

    def _segments(self, objectives: int) -> tuple[Segment, ...]:
        config: LogisticRegressionConfig = self.config
        return (Segment(objectives, Ftrl(config.alpha, config.beta, config.l1), l2=config.l2),)

    def _logits(self, fields: Float32s, objectives: int) -> Float32s:
        logits: Float32s = fields.sum(axis=1)
        return logits

    def _gradients(self, fields: Float32s, errors: Float32s) -> Float32s:
        return np.broadcast_to(errors[:, None, :], fields.shape)
