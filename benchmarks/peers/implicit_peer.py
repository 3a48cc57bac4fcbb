"""ALS, BPR and item neighbours of implicit."""

from __future__ import annotations

from typing import Any

import numpy as np
from answering import answer
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from scipy import sparse
from threadpoolctl import threadpool_limits


class Implicit:
    """Any model of implicit. It asks for BLAS on one thread, and warns where that has more."""

    def __init__(self, model: Any, matrix: sparse.csr_matrix) -> None:
        self.model = model
        self.matrix = matrix

    def fit(self) -> None:
        with threadpool_limits(1, "blas"):
            self.model.fit(self.matrix, show_progress=False)

    def recommend(self, users: np.ndarray, k: int) -> np.ndarray:
        with threadpool_limits(1, "blas"):
            return np.asarray(self.model.recommend(users, self.matrix[users], N=k, filter_already_liked_items=True)[0])


def als(matrix: sparse.csr_matrix, settings: dict[str, Any], seed: int) -> Implicit:
    return Implicit(AlternatingLeastSquares(**settings, random_state=seed), matrix)


def bpr(matrix: sparse.csr_matrix, settings: dict[str, Any], seed: int) -> Implicit:
    return Implicit(BayesianPersonalizedRanking(**settings, random_state=seed), matrix)


def item_neighbours(matrix: sparse.csr_matrix, settings: dict[str, Any], seed: int) -> Implicit:
    # An item is a neighbour of its own there.
    return Implicit(CosineRecommender(K=settings["neighbours"] + 1), matrix)


if __name__ == "__main__":
    answer({"als": als, "bpr": bpr, "item-neighbours": item_neighbours})
