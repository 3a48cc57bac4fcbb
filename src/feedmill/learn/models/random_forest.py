"""Random forest, from scikit-learn (Breiman, 2001): a static baseline for click-through.

Learned by scikit-learn; kept as plain arrays, by which it also predicts, so that a file needs no library and no version
of one.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.learn.models.peers import sklearn_module
from feedmill.learn.models.space import Range
from feedmill.learn.models.trees import TreeModel


class RandomForestConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many trees, and how large."""

    trees: int = 100
    depth: int = 12
    least_rows: int = 20
    """Of a leaf."""
    smoothing: float = 10.0
    """How many examples the mean of all labels counts as in the rate of an id."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("trees", "depth", "least_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"random-forest.{name}: {getattr(self, name)} must be at least 1")
        if not self.smoothing > 0:
            raise ConfigError(f"random-forest.smoothing: {self.smoothing} must be above 0")


class _Forest(NamedTuple):
    """The nodes of all trees, one tree after the other."""

    roots: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    """By which a node splits; -1: it is a leaf."""
    threshold: npt.NDArray[np.float64]
    left: npt.NDArray[np.int64]
    """Where values up to the threshold go; the others go to `right`."""
    right: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    """Of a leaf: the share of positives, or the mean."""


class RandomForest(TreeModel):
    """The mean of trees that were grown on samples of the rows, each split of a sample of the columns."""

    name = "random-forest"
    Config = RandomForestConfig
    space: ClassVar = {
        "trees": Range(20, 500, log=True, whole=True),
        "depth": Range(4, 24, whole=True),
        "least_rows": Range(5, 500, log=True, whole=True),
        "smoothing": Range(1, 100, log=True),
    }

    def _grow(self, columns: Float32s, labels: Float32s, weights: Float32s, *, binary: bool) -> _Forest:
        config: RandomForestConfig = self.config
        ensemble: Any = sklearn_module("ensemble")
        kind = ensemble.RandomForestClassifier if binary else ensemble.RandomForestRegressor
        forest = kind(
            n_estimators=config.trees, max_depth=config.depth, min_samples_leaf=config.least_rows, max_features="sqrt",
            random_state=config.seed, n_jobs=1,
        )  # fmt: skip
        target = labels > 0 if binary else labels
        forest.fit(columns, target, sample_weight=weights)
        parts = [estimator.tree_ for estimator in forest.estimators_]
        starts = np.cumsum([0] + [part.node_count for part in parts])[:-1]
        leaf = [part.children_left < 0 for part in parts]
        return _Forest(
            roots=starts.astype(np.int64),
            column=np.concatenate([np.where(end, -1, part.feature) for part, end in zip(parts, leaf, strict=True)]),
            threshold=np.concatenate([part.threshold for part in parts]),
            left=np.concatenate([part.children_left + start for part, start in zip(parts, starts, strict=True)]),
            right=np.concatenate([part.children_right + start for part, start in zip(parts, starts, strict=True)]),
            value=np.concatenate([_values(part.value, binary=binary) for part in parts]),
        )

    def _answer(self, trees: _Forest, columns: Float32s) -> Float32s:
        node = np.broadcast_to(trees.roots, (len(columns), len(trees.roots))).copy()
        rows = np.broadcast_to(np.arange(len(columns))[:, None], node.shape)
        inner = trees.column[node] >= 0
        while inner.any():
            at = node[inner]
            goes_left = columns[rows[inner], trees.column[at]] <= trees.threshold[at]
            node[inner] = np.where(goes_left, trees.left[at], trees.right[at])
            inner = trees.column[node] >= 0
        found: Float32s = trees.value[node].mean(axis=1).astype(np.float32)
        return found

    def _packed(self, trees: _Forest) -> dict[str, Any]:
        return trees._asdict()

    def _unpacked(self, arrays: dict[str, Any]) -> _Forest:
        return _Forest(**arrays)


def _values(value: npt.NDArray[np.float64], *, binary: bool) -> npt.NDArray[np.float64]:
    """float64 [nodes], from scikit-learn's [nodes, 1, classes]."""
    if not binary:
        return value[:, 0, 0]
    share: npt.NDArray[np.float64] = value[:, 0, 1] / value[:, 0].sum(axis=1)
    return share
