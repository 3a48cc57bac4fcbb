"""Items like those that the user has watched."""

from __future__ import annotations

import numpy as np

from feedmill.domain.clock import HOUR
from feedmill.simulation.policies.collaborative import Blend, Collaborative
from feedmill.simulation.policies.history import Ratings
from feedmill.simulation.policies.shelf import Floats


class Neighbours:
    """Item neighbours from co-consumption (Sarwar et al., 2001), found by `implicit`.

    Two items are as alike as the cosine between the ratings of those who saw both, shrunk as if `shrinkage` more
    people had seen each and not the other. A user's interest in an item is the sum of its likeness to what he or she
    saw, by the ratings, over the square root of how much that is.
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 5.0) -> None:
        """`neighbours` are kept of each item."""
        self._neighbours = neighbours
        self._shrinkage = shrinkage
        self._likeness = Ratings((0, 0))

    def fit(self, ratings: Ratings) -> None:
        from implicit.nearest_neighbours import ItemItemRecommender

        squares = np.bincount(ratings.indices, ratings.data**2, minlength=ratings.shape[1])
        typical = (ratings.data**2).mean()
        scaled = ratings.copy()
        scaled.data /= np.sqrt(squares + self._shrinkage * typical)[ratings.indices]
        model = ItemItemRecommender(K=self._neighbours, num_threads=1)
        model.fit(scaled, show_progress=False)
        self._likeness = model.similarity

    def interest(self, ratings: Ratings) -> Floats:
        seen = np.diff(ratings.indptr)[:, None]
        interest: Floats = (ratings @ self._likeness).toarray() / (1 + np.sqrt(seen))
        return interest


def item_neighbours() -> Collaborative:
    """Item neighbours, refreshed each three hours."""
    return Collaborative("item neighbours", Neighbours(), Blend(refresh=3 * HOUR, weight=4.0))
