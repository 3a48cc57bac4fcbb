"""The cosine between rows, for the nearest of them: what neighbourhood models are made of."""

from __future__ import annotations

import numpy as np
from scipy import sparse

AT_ONCE = 8_000_000
"""Cosines that are held at a time."""


def likeness(
    rows: sparse.csr_matrix,  # 0 or 1, [n, columns]
    others: sparse.csr_matrix,  # 0 or 1, [m, columns]
    neighbours: int,
    shrinkage: float,
    *,
    itself: bool,
) -> sparse.csr_matrix:
    """float32 [n, m]: the shrunk cosine of each row to its nearest others; none that is 0.

    `itself` says whether row i may be its own neighbour i. Of equally near ones the first are kept. Time: that of the
    sparse product; memory: `AT_ONCE` numbers beside the result.
    """
    lengths, other_lengths = (
        np.sqrt(np.diff(matrix.indptr), dtype=np.float32).clip(min=1) for matrix in (rows, others)
    )
    at_once = max(1, AT_ONCE // max(others.shape[0], 1))
    columns = others.T.tocsr()
    parts = []
    for start in range(0, rows.shape[0], at_once):
        common = rows[start : start + at_once] @ columns
        together, found = common.data, other_lengths[common.indices]
        found *= np.repeat(lengths[start : start + at_once], np.diff(common.indptr))
        np.divide(together, found, out=found)
        if shrinkage:
            found *= together / (together + np.float32(shrinkage))
        common.data = found
        parts.append(_nearest(common, neighbours, None if itself else start))
    return sparse.csr_matrix(sparse.vstack(parts))


def _nearest(matrix: sparse.csr_matrix, count: int, itself: int | None) -> sparse.csr_matrix:
    """The highest values of each row, those of the same value by column; O(n) a row.

    `itself`: the column that is no neighbour of the first row; of the second the next one is none, and so on.
    """
    kept, lengths = [], np.zeros(matrix.shape[0], dtype=np.int64)
    bounds = matrix.indptr.tolist()
    for row in range(matrix.shape[0]):
        places = np.arange(bounds[row], bounds[row + 1])
        values = matrix.data[bounds[row] : bounds[row + 1]]
        if itself is not None:
            others = matrix.indices[places] != row + itself
            places, values = places[others], values[others]
        if len(places) > count:
            least = np.partition(values, len(values) - count)[len(values) - count]
            ties = places[values == least]
            places = places[values > least]
            ties = ties[np.argsort(matrix.indices[ties])[: count - len(places)]]
            places = np.concatenate([places, ties])
        lengths[row] = len(places)
        kept.append(places)
    chosen = np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    nearest = sparse.csr_matrix((matrix.data[chosen], matrix.indices[chosen], bounds), shape=matrix.shape)
    nearest.sort_indices()
    return nearest
