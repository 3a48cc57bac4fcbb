"""Truncated singular value decomposition: PureSVD (Cremonesi, Koren and Turrin, 2010, section 3.2.2).

What was not taken to counts as 0. With the right singular vectors Q of users by items, a history r scores r Q Q'.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.blas import one_blas_thread
from feedmill.learn.models.space import Range

_OVERSAMPLING, _ROUNDS = 32, 10
"""More of both come closer to the exact vectors."""


class SvdConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the factors."""

    factors: int = 32
    seed: int = 0
    """Of the vectors that the iteration starts from."""

    def __post_init__(self) -> None:
        if self.factors < 1:
            raise ConfigError(f"svd.factors: {self.factors} must be at least 1")


class Svd(BatchModel):
    """A vector for each item."""

    name = "svd"
    Config = SvdConfig
    space: ClassVar = {"factors": Range(4, 512, log=True, whole=True)}
    learned = ("item_factors",)

    item_factors: Float32s
    """float32 [items, factors], orthonormal columns"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        with one_blas_thread():
            directions = _directions(as_binary(taken), self.config.factors, self.config.seed)
        self.item_factors = directions.astype(np.float32)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        scores: Float32s = (as_binary(history) @ self.item_factors) @ self.item_factors.T
        return scores


def _directions(matrix: Matrix, count: int, seed: int) -> npt.NDArray[np.float64]:
    """float64 [items, at most count]: the right singular vectors of the largest singular values, none that is 0.

    By randomised subspace iteration (Halko, Martinsson and Tropp, 2011, section 4.5). ARPACK draws from a state
    of its own where singular values are equal, so that the same call gives different vectors.
    """
    matrix = matrix.astype(np.float64)
    width = min(count + _OVERSAMPLING, *matrix.shape)
    basis = np.random.default_rng(seed).normal(size=(matrix.shape[1], width))
    basis = np.linalg.qr(matrix @ basis)[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    _, values, vectors = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    found: npt.NDArray[np.float64] = vectors[:count][values[:count] > 1e-9 * values[0]].T
    return found
