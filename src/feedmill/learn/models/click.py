"""What click-through models share: they learn from joined examples, and predict what follows when something is shown.

They read the features that ranked an item and predict a probability for each binary objective, a value for each that is
regressed: what the ranker of the feed does, so that each can stand in its place or be compared with it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features, Float32s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Int32s
from feedmill.learn.models.kept import KeptModel

Bools = npt.NDArray[np.bool_]


class Shape(NamedTuple):
    """Of the features and objectives that a model has learned."""

    slots: int
    dense: int
    binary: tuple[bool, ...]
    """Of each objective, whether it is."""


class ClickModel(KeptModel):
    """A model that learns from examples. Subclasses say how to fit and how to predict."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.shape: Shape | None = None
        """None before anything was learned."""

    @abstractmethod
    def _fit(self, examples: Examples, shape: Shape) -> None:
        """Learn anew; there is at least one row."""

    @abstractmethod
    def _predict(self, features: Features, shape: Shape) -> Float32s:
        """float32 [n, O]; there is at least one row."""

    def fit(self, examples: Examples, binary: Sequence[bool] | None = None) -> Self:
        """Learn anew from these examples, in their order, and forget what was learned before.

        `binary` says of each objective whether it is; None: all are. Raises InvalidArgument where there is no example.
        """
        if not len(examples):
            raise InvalidArgument(f"{self.name}: no examples, expected at least one")
        self.shape = shape_of(examples, binary)
        self._fit(examples, self.shape)
        return self

    def predict(self, features: Features) -> Float32s:
        """float32 [n, O]: probabilities of binary objectives, values of regressed ones.

        Raises InvalidArgument before anything was learned, and for features of another shape.
        """
        shape = self._checked(features)
        if not len(features):
            return np.empty((0, len(shape.binary)), dtype=np.float32)
        return self._predict(features, shape)

    def recommend(self, features: Features, k: int, objective: int = 0) -> tuple[Int32s, Float32s]:
        """Of the candidates of a request, a row each: int32 [min(k, n)] rows, best first, and their predictions.

        Of equal ones the first comes first.
        """
        if k < 1:
            raise InvalidArgument(f"k: {k}, expected at least 1")
        scores = self.predict(features)[:, objective]
        best = np.argsort(-scores, kind="stable")[:k].astype(np.int32)
        return best, scores[best]

    def _kept(self) -> dict[str, Any]:
        if self.shape is None:
            return {}
        return {"shape": np.array([self.shape.slots, self.shape.dense, *self.shape.binary], dtype=np.int64)}

    def _restore(self, kept: dict[str, Any]) -> None:
        if "shape" in kept:
            slots, dense, *binary = kept["shape"].tolist()
            self.shape = Shape(slots, dense, tuple(bool(one) for one in binary))

    def _checked(self, features: Features) -> Shape:
        if self.shape is None:
            raise InvalidArgument(f"{self.name}: it has learned nothing yet; call fit first")
        slots, dense = self.shape.slots, self.shape.dense
        if features.dense.shape[1] != dense or len(features.offsets) != len(features) * slots + 1:
            raise InvalidArgument(
                f"{self.name}: {len(features)} rows with {len(features.offsets) - 1} bags and dense columns"
                f" {features.dense.shape}; it has learned {slots} slots and {dense} dense columns"
            )
        return self.shape


def shape_of(examples: Examples, binary: Sequence[bool] | None) -> Shape:
    """The shape of examples, at least one. Raises InvalidArgument where `binary` is not one an objective."""
    objectives = examples.labels.shape[1]
    kinds = (True,) * objectives if binary is None else tuple(binary)
    if len(kinds) != objectives:
        raise InvalidArgument(f"binary: {len(kinds)} kinds for {objectives} objectives")
    return Shape((len(examples.features.offsets) - 1) // len(examples), examples.features.dense.shape[1], kinds)


def netted(examples: Examples, objective: int) -> tuple[npt.NDArray[np.intp], Float32s]:
    """intp [m] rows, in order, and float32 [m] weights above 0: what the examples say of an objective in the end.

    A row that another has taken back, with the same user, item, time and label and a weight below 0, is not there.
    """
    weights, labels = examples.weights[:, objective], examples.labels[:, objective]
    told = np.flatnonzero(weights)
    if (weights >= 0).all():
        return told, weights[told]
    columns = (
        examples.users,
        examples.items,
        examples.timestamps.astype(np.uint64),
        np.ascontiguousarray(labels).view(np.uint32),
    )
    keys = np.stack([column[told].astype(np.uint64) for column in columns], axis=1)
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    total = np.bincount(place.ravel(), weights[told], len(first)).astype(np.float32)
    order = np.argsort(first)
    kept = order[total[order] > 1e-6]
    return told[first[kept]], total[kept]
