"""User-based collaborative filtering: what users of the same taste took to (Herlocker et al., 1999).

Two users are as alike as the cosine of what they took to, shrunk where they share little. An item's score is the sum of
the likeness of the nearest users who took to it.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.likeness import likeness
from feedmill.learn.models.space import Range


class UserNeighboursConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many neighbours, and how sure their likeness has to be."""

    neighbours: int = 100
    """Users whose taste decides."""
    shrinkage: float = 10.0
    """A likeness that n items speak for is multiplied by n / (n + shrinkage)."""

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"user-neighbours.neighbours: {self.neighbours} must be at least 1")
        if not self.shrinkage >= 0:
            raise ConfigError(f"user-neighbours.shrinkage: {self.shrinkage} must be at least 0")


class UserNeighbours(BatchModel):
    """Learns nothing ahead: neighbours are found when a user asks."""

    name = "user-neighbours"
    Config = UserNeighboursConfig
    space: ClassVar = {"neighbours": Range(10, 1_000, log=True, whole=True), "shrinkage": Range(0, 100)}

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        """The matrix itself is the model."""

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        everybody = as_binary(self._taken)
        # One more than asked for: a user who was learned from is the nearest to herself, and says nothing new.
        more = 0 if users is None else 1
        alike = likeness(
            as_binary(history), everybody, self.config.neighbours + more, self.config.shrinkage, itself=True
        )
        scores: Float32s = (alike @ everybody).toarray().astype(np.float32)
        return scores
