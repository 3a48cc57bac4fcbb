"""A vector for a user who was not learned, from those of the items that he or she took to."""

from __future__ import annotations

import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.learn.models.batch import Matrix


def mean_vectors(history: Matrix, item_vectors: Float32s) -> Float32s:
    """float32 [b, d]: the mean of the item vectors of each history; none may be empty."""
    means: Float32s = (history @ item_vectors) / np.diff(history.indptr)[:, None]
    return means


def fold_in(taken: Matrix, user_vectors: Float32s, item_vectors: Float32s) -> Float32s:
    """float32 [d, d']: from the mean of a history's item vectors to the user's vector, by least squares over the users
    who took to something. `taken` is 0 or 1. One pass over the interactions."""
    known = np.diff(taken.indptr) > 0
    means = mean_vectors(taken[known], item_vectors)
    penalty = 1e-3 * np.eye(means.shape[1], dtype=np.float32)
    solved = np.linalg.solve(means.T @ means + penalty, means.T @ user_vectors[known])
    return np.asarray(solved, dtype=np.float32)
