"""Matrix factorisation by stochastic gradients, with biases, on the embedding table (Koren, Bell and Volinsky, 2009).

A pair scores mu + b_u + b_i + q_i p_u (equation 4 there, with inner products). From interactions alone it learns beside
each of them pairs of the same user with items that are drawn at random, as 1 and 0 through a logistic loss; with
`negatives = 0` it learns the values themselves (ratings) by squared error, as the paper does.

Each user and item is a row of the table, so that it learns on from whatever comes, users and items that it has not met
among them: `learn`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import DAY
from feedmill.domain.errors import ConfigError
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.models.batch import BatchModel, Integers, Matrix, as_binary, as_matrix
from feedmill.learn.models.blas import one_blas_thread
from feedmill.learn.models.fold_in import fold_in, mean_vectors
from feedmill.learn.models.space import Range
from feedmill.learn.table.snapshot_bytes import restore_bytes, snapshot_bytes
from feedmill.learn.table.table import EmbeddingTable

_USER, _ITEM = 1, 2
_NOW = DAY
"""Rows of this table do not expire: their time is any."""


class MatrixFactorisationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of the vectors and how they are learned."""

    factors: int = 32
    learning_rate: float = 0.1
    """Of Adagrad."""
    regularization: float = 0.01
    """Added to the gradient of a row, as a share of its values."""
    initial_scale: float = 0.1
    """Vectors start uniform within this."""
    negatives: int = 8
    """Pairs that are drawn beside each interaction; 0: the values are learned."""
    epochs: int = 10
    """How often `fit` goes over the interactions; `learn` goes once."""
    batch: int = 256
    """Interactions a step of `fit`."""
    seed: int = 0
    """Of the initial vectors, of the order in `fit` and of what is drawn."""

    def __post_init__(self) -> None:
        for name, least in (("factors", 1), ("negatives", 0), ("epochs", 1), ("batch", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"matrix-factorisation.{name}: {getattr(self, name)} must be at least {least}")
        if not 0 < self.learning_rate <= 10:
            raise ConfigError(f"matrix-factorisation.learning_rate: {self.learning_rate} must be above 0, at most 10")
        for name in ("regularization", "initial_scale"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"matrix-factorisation.{name}: {getattr(self, name)} must be at least 0")


class MatrixFactorisation(BatchModel):
    """A bias and a vector for each user and item; learns in batch and from a stream."""

    name = "matrix-factorisation"
    Config = MatrixFactorisationConfig
    space: ClassVar = {
        "factors": Range(8, 128, log=True, whole=True),
        "learning_rate": Range(0.01, 0.5, log=True),
        "regularization": Range(0.0001, 0.1, log=True),
        "epochs": Range(5, 60, log=True, whole=True),
    }

    _table: EmbeddingTable
    _met: npt.NDArray[np.integer]
    """Items that may be drawn."""
    _waiting: list[Interactions]
    """What `_taken` does not hold yet."""
    _steps: int
    _rated: int
    _sum: float
    """Of the values of so many ratings."""
    _map: Float32s | None
    """From the mean of a history's item vectors to the user's; None where it is to be made."""

    def __init__(self, config: MatrixFactorisationConfig | None = None) -> None:
        super().__init__(config)
        self._forget()

    def learn(self, batch: Interactions) -> Self:
        """One step on interactions that are new, of users and items known or not; ordinals are those of before.

        Cost: rows * (1 + negatives) * factors. Who took to what is brought up to date when somebody asks.
        """
        self._waiting.append(batch)
        if len(batch):
            self._step(batch)
        return self

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        self._forget()
        order = np.random.default_rng(self.config.seed)
        for _ in range(self.config.epochs):
            rows = order.permutation(len(train))
            for start in range(0, len(rows), self.config.batch):
                self._step(train.take(rows[start : start + self.config.batch]))

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        items = self._rows(_ITEM, np.arange(self.n_items))
        of_users = self._unlearned(as_binary(history), items) if users is None else self._rows(_USER, users)
        with one_blas_thread():
            scores: Float32s = of_users[:, 1:] @ items[:, 1:].T
        scores += items[:, 0] + of_users[:, :1] + np.float32(self._mean)
        scores[:, self._counts == 0] = 0
        return scores

    def _unlearned(self, history: Matrix, items: Float32s) -> Float32s:
        if self._map is None:
            users = self._rows(_USER, np.arange(self.n_users))
            with one_blas_thread():
                self._map = fold_in(as_binary(self._taken), users, items)
        vectors: Float32s = mean_vectors(history, items) @ self._map
        return vectors

    def _step(self, batch: Interactions) -> None:
        config: MatrixFactorisationConfig = self.config
        self._steps += 1
        users, items, wanted = batch.users, batch.items, batch.values
        self._sum, self._rated = self._sum + float(wanted.sum()), self._rated + len(batch)
        if config.negatives:
            self._meet(items)
            generator = np.random.default_rng([config.seed, self._steps])
            drawn = generator.choice(self._met, len(batch) * config.negatives)
            users = np.concatenate([users, np.repeat(users, config.negatives)])
            items = np.concatenate([items, drawn.astype(np.int32)])
            wanted = np.concatenate([np.ones(len(batch), np.float32), np.zeros(len(drawn), np.float32)])
        of_users, of_items = self._rows(_USER, users), self._rows(_ITEM, items)
        products = np.einsum("nd,nd->n", of_users[:, 1:], of_items[:, 1:])
        found = np.float32(self._mean) + of_users[:, 0] + of_items[:, 0] + products
        if config.negatives:
            found = 1 / (1 + np.exp(-found))
        error = (found - wanted)[:, None].astype(np.float32)
        for number, ordinals, other in ((_USER, users, of_items), (_ITEM, items, of_users)):
            gradient = np.concatenate([error, error * other[:, 1:]], axis=1)
            self._table.update(_ids(number, ordinals), np.arange(len(ordinals) + 1), gradient, now=_NOW)
        self._map = None

    @property
    def _mean(self) -> float:
        """What is predicted of a pair of which nothing is known."""
        if self.config.negatives:
            return -math.log(self.config.negatives)
        return self._sum / max(self._rated, 1)

    def _rows(self, number: int, ordinals: Integers) -> Float32s:
        rows: Float32s = self._table.lookup(_ids(number, ordinals), 1 + self.config.factors)
        return rows

    def _meet(self, items: Int32s) -> None:
        """Items that may be drawn from now on."""
        if not np.isin(items, self._met).all():
            self._met = np.union1d(self._met, items)

    def _forget(self) -> None:
        config: MatrixFactorisationConfig = self.config
        adagrad = Adagrad(config.learning_rate)
        segments = (
            Segment(1, adagrad, l2=config.regularization),
            Segment(config.factors, adagrad, config.initial_scale, config.regularization),
        )
        slots = Slot(_USER, "mf/user", segments), Slot(_ITEM, "mf/item", segments)
        self._table = EmbeddingTable(slots, config.seed)
        self._met = np.empty(0, np.int32)
        self._waiting = []
        self._steps, self._rated, self._sum = 0, 0, 0.0
        self._map = None

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            shape = np.maximum(self._taken.shape, (batch.n_users, batch.n_items))
            self._taken.resize(*shape)
            more = as_matrix(batch)
            more.resize(*shape)
            self._taken = (self._taken + more).tocsr()
        if waiting:
            self._counts = np.bincount(self._taken.indices, minlength=self._taken.shape[1]).astype(np.float32)

    def _kept(self) -> dict[str, Any]:
        progress = np.array([self._steps, self._rated, self._sum])
        return {**super()._kept(), "table": snapshot_bytes(self._table), "met": self._met, "progress": progress}

    def _restore(self, kept: dict[str, Any]) -> None:
        restore_bytes(self._table, kept.pop("table"))
        self._met = kept.pop("met")
        steps, rated, total = kept.pop("progress").tolist()
        self._steps, self._rated, self._sum = int(steps), int(rated), total
        super()._restore(kept)


def _ids(number: int, ordinals: Integers) -> UInt64s:
    # Not hashed: an ordinal is below 2^32, so that no two meet.
    return feature_ids(number, ordinals.astype(np.uint64) + np.uint64(1))
