"""What models of decision trees share: columns that trees can split, and an ensemble for each objective.

The columns are the dense ones that the engine's features have (counters and rates of groups) and, since a tree cannot
split ids, the rate and the count of each slot's ids.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from feedmill.domain.batches import Examples, Features, Float32s
from feedmill.learn.models.click import ClickModel, Shape, netted
from feedmill.learn.models.id_rates import IdRates


class TreeModel(ClickModel):
    """Trees learn from all examples at once; they learn nothing from a stream. The config has `smoothing`."""

    _rates: list[IdRates]
    """One an objective."""
    _trees: list[Any]
    """The same; None where there is nothing to split by."""

    @abstractmethod
    def _grow(self, columns: Float32s, labels: Float32s, weights: Float32s, *, binary: bool) -> Any:
        """An ensemble of trees; there are at least two different labels."""

    @abstractmethod
    def _answer(self, trees: Any, columns: Float32s) -> Float32s:
        """float32 [n]: probabilities or values."""

    @abstractmethod
    def _packed(self, trees: Any) -> dict[str, Any]:
        """An ensemble as arrays."""

    @abstractmethod
    def _unpacked(self, arrays: dict[str, Any]) -> Any:
        """The ensemble that `_packed` was given."""

    def _fit(self, examples: Examples, shape: Shape) -> None:
        self._rates, self._trees = [], []
        for objective, binary in enumerate(shape.binary):
            rows, weights = netted(examples, objective)
            labels = examples.labels[rows, objective]
            if not len(rows):
                nothing = np.zeros(0)
                self._rates.append(IdRates(np.zeros(0, np.uint64), nothing, nothing, 0.0, self.config.smoothing))
                self._trees.append(None)
                continue
            features = examples.features.take(rows)
            rates, columns = IdRates.learn(features, labels, weights, self.config.smoothing)
            self._rates.append(rates)
            # Where all labels are alike there is nothing to split by, and their mean is the answer.
            columns = np.concatenate([features.dense, columns], axis=1)
            alike = bool((labels == labels[0]).all())
            self._trees.append(None if alike else self._grow(columns, labels, weights, binary=binary))

    def _predict(self, features: Features, shape: Shape) -> Float32s:
        found = np.empty((len(features), len(shape.binary)), dtype=np.float32)
        for objective, (rates, trees) in enumerate(zip(self._rates, self._trees, strict=True)):
            if trees is None:
                found[:, objective] = rates.mean
            else:
                columns = np.concatenate([features.dense, rates.columns(features)], axis=1)
                found[:, objective] = self._answer(trees, columns)
            if shape.binary[objective]:
                found[:, objective] = np.clip(found[:, objective], 1e-4, 1 - 1e-4)
        return found

    def _kept(self) -> dict[str, Any]:
        kept = super()._kept()
        if self.shape is None:
            return kept
        for number, (rates, trees) in enumerate(zip(self._rates, self._trees, strict=True)):
            of_rates = {"ids": rates.ids, "counts": rates.counts, "sums": rates.sums, "mean": np.array(rates.mean)}
            of_trees = {} if trees is None else {f"tree-{name}": part for name, part in self._packed(trees).items()}
            kept |= {f"{number}-{name}": array for name, array in (of_rates | of_trees).items()}
        return kept

    def _restore(self, kept: dict[str, Any]) -> None:
        super()._restore(kept)
        if self.shape is None:
            return
        self._rates, self._trees = [], []
        for number in range(len(self.shape.binary)):
            own = {name.partition("-")[2]: array for name, array in kept.items() if name.startswith(f"{number}-")}
            mean = float(own["mean"])
            self._rates.append(IdRates(own["ids"], own["counts"], own["sums"], mean, self.config.smoothing))
            trees = {name.removeprefix("tree-"): array for name, array in own.items() if name.startswith("tree-")}
            self._trees.append(self._unpacked(trees) if trees else None)
