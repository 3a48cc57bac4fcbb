"""Truncated singular value decomposition: PureSVD (Cremonesi, Koren and Turrin, 2010, section 3.2.2).

What was not taken to counts as 0. With the right singular vectors Q of users by items, a history r scores r Q Q'.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.sparse.linalg import svds

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary


class SvdConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the factors."""

    factors: int = 32
    seed: int = 0
    """Of the vector that the iteration starts from."""

    def __post_init__(self) -> None:
        if self.factors < 1:
            raise ConfigError(f"svd.factors: {self.factors} must be at least 1")


class Svd(BatchModel):
    """A vector for each item."""

    name = "svd"
    Config = SvdConfig
    learned = ("item_factors",)

    item_factors: Float32s
    """float32 [items, factors], orthonormal columns"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        taken = as_binary(taken).astype(np.float64)
        size = min(self.config.factors, min(taken.shape) - 1)
        if size < 1:
            # A single user or item: the decomposition is the row itself.
            self.item_factors = (taken.sum(axis=0).A1 > 0).astype(np.float32)[:, None]
            return
        start = np.random.default_rng(self.config.seed).normal(size=min(taken.shape))
        self.item_factors = svds(taken, k=size, v0=start, return_singular_vectors="vh")[2].T.astype(np.float32)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        scores: Float32s = (as_binary(history) @ self.item_factors) @ self.item_factors.T
        return scores
