"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky, 2008), from `implicit`.

What a user took to is a wish with the confidence alpha; everything else is the lack of one with confidence 1. Users and
items get factors whose products come close to that; each side is solved for in turn.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.blas import one_blas_thread
from feedmill.learn.models.peers import implicit_module
from feedmill.learn.models.space import Range


class AlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the factors and how they are fitted."""

    factors: int = 64
    regularization: float = 0.01
    alpha: float = 1.0
    """The confidence in an interaction; that in its absence is 1."""
    iterations: int = 20
    seed: int = 0
    """Of the initial factors."""

    def __post_init__(self) -> None:
        for name in ("factors", "iterations"):
            if getattr(self, name) < 1:
                raise ConfigError(f"als.{name}: {getattr(self, name)} must be at least 1")
        for name in ("regularization", "alpha"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"als.{name}: {getattr(self, name)} must be above 0")


class Als(BatchModel):
    """A vector for each item; a user's is solved for at the request, from what he or she took to."""

    name = "als"
    Config = AlsConfig
    space: ClassVar = {
        "factors": Range(8, 256, log=True, whole=True),
        "regularization": Range(0.001, 100, log=True),
        "alpha": Range(0.5, 100, log=True),
        "iterations": Range(5, 40, whole=True),
    }
    learned = ("item_factors",)

    item_factors: Float32s
    """float32 [items, factors]"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        config: AlsConfig = self.config
        with one_blas_thread():
            model = implicit_module("cpu.als").AlternatingLeastSquares(
                factors=min(config.factors, *taken.shape),
                regularization=config.regularization,
                alpha=config.alpha,
                iterations=config.iterations,
                random_state=config.seed,
                # Each vector is solved for by itself, so the result does not depend on how many threads there are.
                num_threads=0,
            )
            model.fit(as_binary(taken), show_progress=False)
        self.item_factors = model.item_factors
        # What nobody took to has the vector that it was drawn with, or nearly.
        self.item_factors[self._counts == 0] = 0
        vars(self).pop("_shared", None)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        with one_blas_thread():
            scores: Float32s = self._solve(as_binary(history)) @ self.item_factors.T
        return scores

    def _solve(self, history: Matrix) -> Float32s:
        """float32 [b, factors]: the vectors of users with such histories, by the least squares of one half step."""
        # Confidence is alpha for what was taken to, and 1 for all else, as `implicit` has it.
        beyond = self.config.alpha - 1
        wishes = self.config.alpha * (history @ self.item_factors.astype(np.float64))
        if beyond == 0:
            return np.linalg.solve(self._shared, wishes.T).T.astype(np.float32)
        solved = np.empty(wishes.shape, dtype=np.float32)
        for row, wish in enumerate(wishes):
            own = self.item_factors[history.indices[history.indptr[row] : history.indptr[row + 1]]].astype(np.float64)
            solved[row] = np.linalg.solve(self._shared + beyond * (own.T @ own), wish)
        return solved

    @cached_property
    def _shared(self) -> npt.NDArray[np.float64]:
        """float64 [factors, factors]: what the least squares of all users have in common."""
        factors = self.item_factors.astype(np.float64)
        shared: npt.NDArray[np.float64] = factors.T @ factors
        shared[np.diag_indices(len(shared))] += self.config.regularization
        return shared
