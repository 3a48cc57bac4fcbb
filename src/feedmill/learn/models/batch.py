"""What all batch models share: they learn from interactions as a whole, rank the catalogue, and are kept in one file.

A model is made from its config, learns with `fit`, and answers for users by what it learned of them, or by a history
that is given with the request. Users of whom nothing is known get the most popular items; items of which nothing was
learned are never recommended. Among equal scores the more popular item comes first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.domain.records import Item
from feedmill.learn.models.kept import KeptModel
from feedmill.learn.models.top import top

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]
Matrix: TypeAlias = sparse.csr_matrix
"""float32 [users, items]: what each user took to."""

AT_ONCE = 8_000_000
"""Scores that are held at a time."""


class BatchModel(KeptModel):
    """A model that learns from all interactions at once. Subclasses say how to fit and how to score."""

    learned: ClassVar[tuple[str, ...]] = ()
    """The attributes that `_fit` sets, arrays or sparse matrices: what is kept in the file."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._taken = Matrix((0, 0), dtype=np.float32)
        self._counts: npt.NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    @abstractmethod
    def _fit(self, taken: Matrix, train: Interactions) -> None:
        """Learn; `taken` are the summed values of each pair of `train`. There is at least one."""

    @abstractmethod
    def _scores(
        self,
        history: Matrix,  # [b, items]: what the users took to
        users: Integers | None,  # [b]: who they are, where the history is what was learned from
    ) -> Float32s:
        """float32 [b, items]: higher is better, 0 where nothing speaks for an item."""

    @property
    def n_users(self) -> int:
        self._settle()
        return int(self._taken.shape[0])

    @property
    def n_items(self) -> int:
        self._settle()
        return int(self._taken.shape[1])

    def describe(self, items: Mapping[int, Item]) -> Self:
        """Tell what is known of items, by ordinal, before `fit`; models that know items by their ids have no use for
        it."""
        return self

    def fit(self, train: Interactions) -> Self:
        """Learn anew from these interactions, and forget what was learned before."""
        self._taken = as_matrix(train)
        self._counts = np.bincount(self._taken.indices, minlength=self.n_items).astype(np.float32)
        if len(train):
            self._fit(self._taken, train)
        return self

    def predict(
        self,
        users: npt.ArrayLike,  # integers [n]
        items: npt.ArrayLike,  # integers [n]
    ) -> Float32s:
        """float32 [n]: the score of each pair; 0 where nothing is known of the user or the item."""
        user, item = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
        if user.shape != item.shape or user.ndim != 1:
            raise InvalidArgument(f"users and items: shapes {user.shape} and {item.shape}, expected [n] and [n]")
        found = np.zeros(len(user), dtype=np.float32)
        known = (user >= 0) & (user < self.n_users) & (item >= 0) & (item < self.n_items)
        known[known] &= self._describable()[item[known]] & (np.diff(self._taken.indptr)[user[known]] > 0)
        asked, row = np.unique(user[known], return_inverse=True)
        column, places = item[known], np.flatnonzero(known)
        for start in self._blocks(len(asked)):
            block = asked[start : start + self._block]
            inside = (row >= start) & (row < start + len(block))
            scores = self._scores(self._taken[block], block)
            found[places[inside]] = scores[row[inside] - start, column[inside]]
        return found

    def recommend(
        self,
        users: npt.ArrayLike,  # integers [n]
        k: int,
        *,
        history: Interactions | None = None,
        candidates: Bools | None = None,  # bool [items]
    ) -> tuple[Int32s, Float32s]:
        """int32 [n, k] items, best first, -1 where there are no more, and their scores, float32 [n, k].

        No item that the user took to. `history` replaces what was learned of these users. Of `candidates` only those
        that are True and that the model has something to say of; None: all that somebody took to.
        """
        user = np.asarray(users, dtype=np.int64)
        if k < 1:
            raise InvalidArgument(f"k: {k}, expected at least 1")
        items = np.full((len(user), k), -1, dtype=np.int32)
        scores = np.zeros((len(user), k), dtype=np.float32)
        self._settle()
        taken = self._taken if history is None else self._checked(history)
        allowed = self._counts > 0
        if candidates is not None:
            if candidates.shape != allowed.shape:
                raise InvalidArgument(f"candidates: shape {candidates.shape}, expected {allowed.shape}, one an item")
            allowed = self._describable() & candidates
        popular = np.argsort(-self._counts, kind="stable")
        popular = popular[allowed[popular]]
        if not len(popular):
            return items, scores
        for start in self._blocks(len(user)):
            block = user[start : start + self._block]
            rows = _rows(taken, block)
            found = self._scores_of(rows, block if history is None else None)
            found[rows.nonzero()] = -np.inf
            best, value = top(found[:, popular], k)
            width = best.shape[1]
            possible = value > -np.inf
            items[start : start + len(block), :width] = np.where(possible, popular[best], -1)
            scores[start : start + len(block), :width] = np.where(possible, value, 0)
        return items, scores

    def _kept(self) -> dict[str, Any]:
        self._settle()
        return {name: getattr(self, name) for name in ("_taken", "_counts", *self.learned) if hasattr(self, name)}

    def _restore(self, kept: dict[str, Any]) -> None:
        for name, value in kept.items():
            setattr(self, name, value)

    def _settle(self) -> None:
        """Bring `_taken` and `_counts` up to date, where learning has left that for when somebody asks."""

    def _describable(self) -> Bools:
        """bool [items]: of which items there is something to say: those that somebody took to."""
        return self._counts > 0

    def _scores_of(self, rows: Matrix, users: Integers | None) -> Float32s:
        """The scores where something is known of a user, else the popularity of each item."""
        scores = np.tile(self._counts, (rows.shape[0], 1))
        some = np.diff(rows.indptr) > 0
        if some.any():
            scores[some] = self._scores(rows[some], None if users is None else users[some])
        return scores

    def _checked(self, history: Interactions) -> Matrix:
        if history.n_items != self.n_items:
            raise InvalidArgument(f"history: of {history.n_items} items, expected the {self.n_items} learned of")
        return as_matrix(history)

    @property
    def _block(self) -> int:
        return max(1, AT_ONCE // max(self.n_items, 1))

    def _blocks(self, n: int) -> range:
        return range(0, n, self._block)


def as_matrix(interactions: Interactions) -> Matrix:
    """float32 [users, items]: the summed values of each pair."""
    shape = (interactions.n_users, interactions.n_items)
    matrix = Matrix((interactions.values, (interactions.users, interactions.items)), shape=shape, dtype=np.float32)
    matrix.sum_duplicates()
    return matrix


def as_binary(matrix: Matrix) -> Matrix:
    """1 where there is anything."""
    return Matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _rows(matrix: Matrix, users: Integers) -> Matrix:
    """The rows of users; empty ones for those that the matrix does not have."""
    known = (users >= 0) & (users < matrix.shape[0])
    if known.all():
        return matrix[users]
    picked = Matrix(
        (np.ones(int(known.sum()), np.float32), (np.flatnonzero(known), users[known])),
        shape=(len(users), matrix.shape[0]),
    )
    return (picked @ matrix).tocsr()
