"""Missing attributes, filled by a declared rule for each; by scikit-learn.

    drop       what has no value is left out
    mean, median, mode
    nearest    the mean of the five nearest in the other attributes (Troyanskaya et al., 2001)
    iterative  predicted from the other attributes, in turns (van Buuren and Groothuis-Oudshoorn, 2011)

Rules are fitted on the rows of the training part, and what they have learned there fills any other row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.learn.models.peers import sklearn_module

Rule = Literal["drop", "mean", "median", "mode", "nearest", "iterative"]
Float64s = npt.NDArray[np.float64]

_SIMPLE = {"mean": "mean", "median": "median", "mode": "most_frequent", "drop": "mean"}


class MissingValues:
    """A rule for each attribute, in their order the columns."""

    def __init__(self, rules: Mapping[str, Rule], seed: int = 0) -> None:
        self.rules = dict(rules)
        self._seed = seed
        self.training: Float64s = np.empty((0, len(self.rules)))
        """float64 [n, attributes]: the rows that the rules were fitted on: all that a copy needs to `fit` alike."""

    def fit(self, rows: Float64s) -> Self:
        """Learn from the rows of the training part, NaN where there is no value.

        Raises InvalidArgument, naming the attribute, for one that no row has.
        """
        for name, column in zip(self.rules, rows.T, strict=True):
            if np.isnan(column).all():
                raise InvalidArgument(f"attribute {name!r}: no row of the training part has a value; leave it out")
        self.training = rows
        impute: Any = sklearn_module("impute")
        self._centre, spread = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        scaled = (rows - self._centre) / self._spread
        self._imputers: dict[str, Any] = {}
        for rule in dict.fromkeys(self.rules.values()):
            if rule == "nearest":
                imputer = impute.KNNImputer(n_neighbors=5)
            elif rule == "iterative":
                sklearn_module("experimental.enable_iterative_imputer")
                imputer = impute.IterativeImputer(random_state=self._seed, max_iter=20, tol=1e-2)
            else:
                imputer = impute.SimpleImputer(strategy=_SIMPLE[rule])
            self._imputers[rule] = imputer.fit(scaled)
        return self

    def fill(self, rows: Float64s) -> tuple[Float64s, npt.NDArray[np.bool_]]:
        """float64 [n, attributes] without NaN, in units of the training part's spread about its mean, and bool [n]:
        what no rule has dropped."""
        scaled = (rows - self._centre) / self._spread
        filled, kept = scaled.copy(), np.ones(len(rows), dtype=np.bool_)
        if not len(rows):
            return filled, kept
        of_rule = {rule: imputer.transform(scaled) for rule, imputer in self._imputers.items()}
        for column, rule in enumerate(self.rules.values()):
            missing = np.isnan(scaled[:, column])
            if rule == "drop":
                kept &= ~missing
            filled[missing, column] = of_rule[rule][missing, column]
        return filled, kept
