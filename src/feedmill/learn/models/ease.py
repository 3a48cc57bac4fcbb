"""EASE: a linear model between items, in closed form (Steck, 2019, "Embarrassingly shallow autoencoders").

With G = X'X of users by items X and P = (G + lambda I)^-1, the weights are B = I - P / diag(P): the least squares by
which each item is predicted from all others (section 3.1). Memory: 8 bytes for each pair of items; time: one inverse.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np
from scipy import linalg

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary
from feedmill.learn.models.space import Range


class EaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strongly weights are held back."""

    regularization: float = 200.0
    """Lambda: added to the diagonal. More for fewer interactions an item."""
    most_items: int = 40_000
    """A larger catalogue is refused: the inverse of 40,000 items takes 13 GB."""

    def __post_init__(self) -> None:
        if not self.regularization > 0:
            raise ConfigError(f"ease.regularization: {self.regularization} must be above 0")


class Ease(BatchModel):
    """A weight from each item to each other."""

    name = "ease"
    Config = EaseConfig
    space: ClassVar = {"regularization": Range(1, 10_000, log=True)}
    learned = ("weights", "columns")

    weights: Float32s
    """float32 [c, c] between the items that somebody took to"""
    columns: np.ndarray[tuple[int], np.dtype[np.int64]]
    """int64 [c]: which items these are"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        self.columns = np.flatnonzero(self._counts)
        size = len(self.columns)
        if size > self.config.most_items:
            raise InvalidArgument(
                f"ease: {size:,} items, and at most {self.config.most_items:,} are taken (ease.most_items); use"
                " item-neighbours or als, whose memory grows with the items and not with their square"
            )
        of_items = as_binary(taken)[:, self.columns]
        # In the order of columns LAPACK works in place.
        gram = (of_items.T @ of_items).toarray(order="F")
        gram[np.diag_indices(size)] += self.config.regularization
        factor, info = linalg.lapack.spotrf(gram, lower=False, overwrite_a=True)
        if info == 0:
            factor, info = linalg.lapack.spotri(factor, lower=False, overwrite_c=True)
        if info:
            raise InvalidArgument(f"ease: the items cannot be told apart; raise ease.regularization ({info})")
        # The upper half of the inverse, and zeros.
        factor += np.triu(factor, 1).T
        self.weights = factor.T
        self.weights /= -np.diag(factor)
        np.fill_diagonal(self.weights, 0)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        scores = np.zeros(history.shape, dtype=np.float32)
        scores[:, self.columns] = as_binary(history)[:, self.columns] @ self.weights
        return scores
