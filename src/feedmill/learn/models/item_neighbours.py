"""Item-based collaborative filtering: items that the same users took to (Sarwar et al., 2001).

Two items are as alike as the cosine of who took to them, shrunk towards 0 where few did (Bell and Koren, 2007, section
3). An item's score is the sum of its likeness to what the user took to.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np
from scipy import sparse

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.likeness import likeness
from feedmill.learn.models.space import Range


class ItemNeighboursConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many neighbours, and how sure their likeness has to be."""

    neighbours: int = 100
    """That are kept of each item."""
    shrinkage: float = 0.0
    """A likeness that n users speak for is multiplied by n / (n + shrinkage)."""

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"item-neighbours.neighbours: {self.neighbours} must be at least 1")
        if not self.shrinkage >= 0:
            raise ConfigError(f"item-neighbours.shrinkage: {self.shrinkage} must be at least 0")


class ItemNeighbours(BatchModel):
    """Keeps the nearest neighbours of each item."""

    name = "item-neighbours"
    Config = ItemNeighboursConfig
    space: ClassVar = {"neighbours": Range(10, 1_000, log=True, whole=True), "shrinkage": Range(0, 100)}
    learned = ("likeness",)

    likeness: Matrix
    """float32 [items, items]: row j has how much taking to item j speaks for others."""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        by_item = sparse.csr_matrix(as_binary(taken).T)
        self.likeness = likeness(by_item, by_item, self.config.neighbours, self.config.shrinkage, itself=False)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        scores: Float32s = (as_binary(history) @ self.likeness).toarray().astype(np.float32)
        return scores
