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
    """The highest values of each row."""
    sizes = np.diff(matrix.indptr)
    row = np.repeat(np.arange(matrix.shape[0]), sizes)
    order = np.lexsort((matrix.indices, -matrix.data, row))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], sizes)
    kept = order[place < count]
    return sparse.csr_matrix((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)
