"""EASE of RecTools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from answering import answer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel
from scipy import sparse


class RecTools:
    """A model of RecTools on its own data set."""

    def __init__(self, model: EASEModel, matrix: sparse.csr_matrix) -> None:
        self.model = model
        rows, columns = matrix.nonzero()
        table = {Columns.User: rows, Columns.Item: columns, Columns.Weight: 1.0, Columns.Datetime: pd.Timestamp(0)}
        self.data = Dataset.construct(pd.DataFrame(table))

    def fit(self) -> None:
        self.model.fit(self.data)

    def recommend(self, users: np.ndarray, k: int) -> np.ndarray:
        found = self.model.recommend(users, self.data, k=k, filter_viewed=True)
        row = pd.Index(users).get_indexer(found[Columns.User])
        lists = np.full((len(users), k), -1)
        lists[row, found[Columns.Rank].to_numpy() - 1] = found[Columns.Item].to_numpy()
        return lists


def ease(matrix: sparse.csr_matrix, settings: dict[str, Any], seed: int) -> RecTools:
    return RecTools(EASEModel(**settings), matrix)


if __name__ == "__main__":
    answer({"ease": ease})
