"""Matrix factorisation."""

from __future__ import annotations

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.simulation.policies.collaborative import Blend, Collaborative
from feedmill.simulation.policies.history import Ratings
from feedmill.simulation.policies.shelf import Floats


class Factors:
    """Factors by alternating least squares (Hu, Koren and Volinsky, 2008), from `implicit`.

    A rating above 0 is a wish, with the confidence of `alpha` times it; one below 0 is the lack of a wish, as sure;
    what was not seen is the lack of one, with little confidence. `fit` learns the factors of items; a user's are solved
    for at each page, from what he or she made of the items seen lately.
    """

    def __init__(self, factors: int = 16, regularization: float = 1.0, alpha: float = 30.0, seed: int = 0) -> None:
        self._settings = {"factors": factors, "regularization": regularization, "alpha": alpha, "random_state": seed}

    def fit(self, ratings: Ratings) -> None:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        # Matrices this small are slower on several threads.
        with threadpool_limits(1, "blas"):
            self._model = AlternatingLeastSquares(**self._settings, num_threads=1)
            self._model.fit(ratings.astype(np.float32), show_progress=False)

    def interest(self, ratings: Ratings) -> Floats:
        users = self._model.recalculate_user(np.arange(ratings.shape[0]), ratings.astype(np.float32))
        interest: Floats = (users @ self._model.item_factors.T).astype(np.float64)
        return interest


def daily_als() -> Collaborative:
    """Alternating least squares, refreshed each day."""
    return Collaborative("als", Factors(), Blend(refresh=DAY, weight=0.3))
