"""A model under a protocol, told of each item what was said of it by then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.learn.models.batch import BatchModel
from feedmill.run.evaluation.logged import Logged


class DescribedModel:
    """A batch model that learns the training part and what items were at its end: a later description would tell of
    what came after. Of an item that was described only later, as one that is new in the test part, it is told the
    first."""

    def __init__(self, model: BatchModel, logged: Logged) -> None:
        self.model = model
        self._logged = logged

    def fit(self, train: Interactions) -> None:
        self.model.describe(self._logged.bodies_at(int(train.times.max(initial=0)))).fit(train)

    def recommend(
        self,
        users: npt.NDArray[np.integer],
        k: int,
        *,
        history: Interactions | None = None,
        candidates: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Int32s, Float32s]:
        return self.model.recommend(users, k, history=history, candidates=candidates)
