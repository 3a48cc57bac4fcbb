"""What each user made of what he or she saw, as the matrix that collaborative filters learn from."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy import sparse

from feedmill.domain.batches import Int64s
from feedmill.simulation.policies.shelf import Floats, Impressions

Ratings: TypeAlias = sparse.csr_matrix
"""[users, items]."""


class History:
    """What each user has seen, when, and how much better it was liked than others like it."""

    def __init__(self) -> None:
        self._items: list[list[int]] = []
        self._ratings: list[list[float]] = []
        self._timestamps: list[list[int]] = []

    def add(self, impressions: Impressions, ratings: Floats) -> None:
        """Take in what was seen; `ratings` [m] are above 0 for what was liked better than expected, below for worse."""
        columns = (impressions.users, impressions.items, ratings, impressions.timestamps)
        for user, item, rating, timestamp in zip(*(column.tolist() for column in columns), strict=True):
            self._reach(user)
            self._items[user].append(item)
            self._ratings[user].append(rating)
            self._timestamps[user].append(timestamp)

    def everybody(self, size: int) -> Ratings:
        """float64 [users, size]: all ratings."""
        return self._matrix(list(range(len(self._items))), size)

    def of(self, users: Int64s, now: int, half_life: float, size: int) -> Ratings:
        """float64 [b, size]: the ratings of some users, faded by half each `half_life` milliseconds."""
        self._reach(int(users.max(initial=-1)))
        chosen = users.tolist()
        ages = now - np.array([time for user in chosen for time in self._timestamps[user]], dtype=np.float64)
        return self._matrix(chosen, size, np.exp2(-np.maximum(ages, 0) / half_life))

    def _reach(self, user: int) -> None:
        while user >= len(self._items):
            self._items.append([])
            self._ratings.append([])
            self._timestamps.append([])

    def _matrix(self, users: list[int], size: int, weights: Floats | float = 1.0) -> Ratings:
        columns = np.array([item for user in users for item in self._items[user]], dtype=np.int32)
        values = np.array([rating for user in users for rating in self._ratings[user]]) * weights
        rows = np.repeat(np.arange(len(users)), [len(self._items[user]) for user in users])
        known = columns < size
        matrix: Ratings = sparse.csr_matrix((values[known], (rows[known], columns[known])), shape=(len(users), size))
        return matrix
