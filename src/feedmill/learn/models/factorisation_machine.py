"""Factorisation machine of second order, on the embedding table (Rendle, 2010, equations 1 and 5).

Beside a weight, each id, dense column and the constant has a vector for each objective, and two fields interact as
their vectors' inner product. Ids of one slot share its field: they do not interact with each other.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment
from feedmill.learn.models.on_table import TableClickModel
from feedmill.learn.models.space import Range


class FactorisationMachineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the vectors and how they are learned."""

    factors: int = 8
    """Of each objective."""
    learning_rate: float = 0.02
    """Of Adagrad."""
    regularization: float = 0.001
    """Added to the gradient of a row, as a share of its values."""
    initial_scale: float = 0.05
    """Vectors start uniform within this; weights start at 0."""
    epochs: int = 3
    """How often `fit` goes over the examples; `learn` goes once."""
    batch: int = 256
    """Examples a step of `fit`."""
    seed: int = 0
    """Of the initial vectors."""

    def __post_init__(self) -> None:
        for name in ("factors", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"factorisation-machine.{name}: {getattr(self, name)} must be at least 1")
        for name in ("regularization", "initial_scale"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"factorisation-machine.{name}: {getattr(self, name)} must be at least 0")
        if not 0 < self.learning_rate <= 10:
            raise ConfigError(f"factorisation-machine.learning_rate: {self.learning_rate} must be above 0, at most 10")


class FactorisationMachine(TableClickModel):
    """A weight and a vector an objective in each row."""

    name = "factorisation-machine"
    Config = FactorisationMachineConfig
    space: ClassVar = {
        "factors": Range(2, 32, log=True, whole=True),
        "learning_rate": Range(0.002, 0.2, log=True),
        "regularization": Range(0.0001, 0.1, log=True),
        "epochs": Range(1, 10, whole=True),
    }

    def _segments(self, objectives: int) -> tuple[Segment, ...]:
        config: FactorisationMachineConfig = self.config
        adagrad = Adagrad(config.learning_rate)
        return (
            Segment(objectives, adagrad, l2=config.regularization),
            Segment(objectives * config.factors, adagrad, config.initial_scale, config.regularization),
        )

    def _logits(self, fields: Float32s, objectives: int) -> Float32s:
        vectors = self._vectors(fields, objectives)
        total = vectors.sum(axis=1)
        pairs = (np.square(total) - np.square(vectors).sum(axis=1)).sum(axis=2) / 2
        logits: Float32s = fields[:, :, :objectives].sum(axis=1) + pairs
        return logits

    def _gradients(self, fields: Float32s, errors: Float32s) -> Float32s:
        objectives = errors.shape[1]
        vectors = self._vectors(fields, objectives)
        others = vectors.sum(axis=1, keepdims=True) - vectors
        gradients = np.empty_like(fields)
        gradients[:, :, :objectives] = errors[:, None, :]
        gradients[:, :, objectives:] = (errors[:, None, :, None] * others).reshape(*fields.shape[:2], -1)
        return gradients

    def _vectors(self, fields: Float32s, objectives: int) -> Float32s:
        """float32 [n, fields, O, factors]"""
        return fields[:, :, objectives:].reshape(*fields.shape[:2], objectives, self.config.factors)
