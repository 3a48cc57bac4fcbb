"""User neighbours of LensKit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from answering import answer
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.knn import UserKNNScorer
from lenskit.pipeline import topn_pipeline
from scipy import sparse


class LensKit:
    """A scorer of LensKit in its ordinary pipeline, which leaves out what a user has met."""

    def __init__(self, scorer: Any, matrix: sparse.csr_matrix) -> None:
        self.pipeline = topn_pipeline(scorer)
        rows, columns = matrix.nonzero()
        self.data = from_interactions_df(pd.DataFrame({"user_id": rows, "item_id": columns}))

    def fit(self) -> None:
        self.pipeline.train(self.data)

    def recommend(self, users: np.ndarray, k: int) -> np.ndarray:
        found = recommend(self.pipeline, users.tolist(), k, n_jobs=1)
        lists = np.full((len(users), k), -1)
        for row, user in enumerate(users.tolist()):
            items = found.lookup(user_id=user)
            own = [] if items is None else np.asarray(items.ids())
            lists[row, : len(own)] = own
        return lists


def user_neighbours(matrix: sparse.csr_matrix, settings: dict[str, Any], seed: int) -> LensKit:
    return LensKit(UserKNNScorer(max_nbrs=settings["neighbours"], feedback="implicit"), matrix)


if __name__ == "__main__":
    answer({"user-neighbours": user_neighbours})
