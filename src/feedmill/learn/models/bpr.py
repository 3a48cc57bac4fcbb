"""Matrix factorisation by Bayesian personalised ranking (Rendle et al., 2009), from `implicit`.

Factors are learned by stochastic gradients so that what a user took to scores above what he or she did not.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.blas import one_blas_thread
from feedmill.learn.models.fold_in import fold_in, mean_vectors
from feedmill.learn.models.peers import implicit_module
from feedmill.learn.models.space import Range


class BprConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the factors and how they are learned."""

    factors: int = 64
    learning_rate: float = 0.05
    regularization: float = 0.01
    iterations: int = 100
    seed: int = 0
    """Of the initial factors and of what is drawn."""

    def __post_init__(self) -> None:
        for name in ("factors", "iterations"):
            if getattr(self, name) < 1:
                raise ConfigError(f"bpr.{name}: {getattr(self, name)} must be at least 1")
        if not 0 < self.learning_rate <= 10:
            raise ConfigError(f"bpr.learning_rate: {self.learning_rate} must be above 0 and at most 10")
        if not self.regularization >= 0:
            raise ConfigError(f"bpr.regularization: {self.regularization} must be at least 0")


class Bpr(BatchModel):
    """A vector for each user and item; for a history that was not learned, a vector is made of those of its items."""

    name = "bpr"
    Config = BprConfig
    space: ClassVar = {
        "factors": Range(8, 256, log=True, whole=True),
        "learning_rate": Range(0.005, 0.2, log=True),
        "regularization": Range(0.0001, 0.1, log=True),
        "iterations": Range(20, 300, log=True, whole=True),
    }
    learned = ("user_factors", "item_factors", "fold_in")

    user_factors: Float32s
    """float32 [users, factors]"""
    item_factors: Float32s
    """float32 [items, factors]; the last column is the item's bias"""
    fold_in: Float32s
    """float32 [factors, factors]: from the mean of a history's item vectors to the user's, by least squares over the
    users that were learned"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        config: BprConfig = self.config
        taken = as_binary(taken)
        with one_blas_thread():
            model = implicit_module("cpu.bpr").BayesianPersonalizedRanking(
                factors=config.factors,
                learning_rate=config.learning_rate,
                regularization=config.regularization,
                iterations=config.iterations,
                random_state=config.seed,
                num_threads=1,
            )
            model.fit(taken, show_progress=False)
        self.user_factors, self.item_factors = model.user_factors, model.item_factors
        # What nobody took to has the vector that it was drawn with.
        self.item_factors[self._counts == 0] = 0
        self.fold_in = fold_in(taken, self.user_factors, self.item_factors)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        vectors: Float32s = (
            mean_vectors(as_binary(history), self.item_factors) @ self.fold_in
            if users is None
            else self.user_factors[users]
        )
        scores: Float32s = vectors @ self.item_factors.T
        return scores
