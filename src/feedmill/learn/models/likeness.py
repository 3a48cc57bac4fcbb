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
    lengths, other_lengths = (np.sqrt(np.diff(matrix.indptr)) for matrix in (rows, others))
    at_once = max(1, AT_ONCE // max(others.shape[0], 1))
    parts = []
    for start in range(0, rows.shape[0], at_once):
        common = (rows[start : start + at_once] @ others.T).tocsr().astype(np.float64)
        length = np.repeat(lengths[start : start + at_once], np.diff(common.indptr))
        together = common.data
        common.data = together / (length * other_lengths[common.indices]) * (together / (together + shrinkage))
        if not itself:
            row = np.repeat(np.arange(start, start + common.shape[0]), np.diff(common.indptr))
            common.data[row == common.indices] = 0
        common.eliminate_zeros()
        parts.append(_nearest(common, neighbours))
    return sparse.csr_matrix(sparse.vstack(parts)).astype(np.float32)


def _nearest(matrix: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """The highest values of each row, those of the same value by column; O(n) a row."""
    matrix.sort_indices()
    kept = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > count):
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        values = matrix.data[start:end]
        least = np.partition(values, len(values) - count)[len(values) - count]
        above = values > least
        ties = np.flatnonzero(values == least)[: count - int(above.sum())]
        above[ties] = True
        kept[start:end] = above
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[kept]
    return sparse.csr_matrix((matrix.data[kept], (rows, matrix.indices[kept])), shape=matrix.shape)
