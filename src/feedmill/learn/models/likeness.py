"""The cosine between rows, for the nearest of them: what neighbourhood models are made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from feedmill._native import nearest_sets
from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.interactions import Int32s

AT_ONCE = 256
"""Rows that one thread takes at a time."""


def likeness(
    rows: sparse.csr_matrix,  # 0 or 1, [n, columns]
    others: sparse.csr_matrix,  # 0 or 1, [m, columns]
    neighbours: int,
    shrinkage: float,
    *,
    itself: bool,
) -> sparse.csr_matrix:
    """float32 [n, m]: the shrunk cosine of each row to its nearest others; none that is 0.

    `itself` says whether row i may be its own neighbour i. Of equally near ones the first are kept. Time: a few
    nanoseconds for each time that a row and another share a column, on all cores; memory: the result, and 4 bytes for
    each other a core.
    """
    held = others.T.tocsr()
    held_bounds, holders = held.indptr.astype(np.int64), held.indices.astype(np.int32)
    bounds, members = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
    lengths, other_lengths = (
        np.sqrt(np.diff(matrix.indptr), dtype=np.float32).clip(min=1) for matrix in (rows, others)
    )

    def nearest(start: int) -> tuple[Int64s, Int32s, Float32s]:
        part = bounds[start : start + AT_ONCE + 1]
        return nearest_sets(
            part - part[0], members[part[0] : part[-1]], held_bounds, holders, lengths[start : start + AT_ONCE],
            other_lengths, neighbours, shrinkage, -1 if itself else start,
        )  # fmt: skip

    with ThreadPoolExecutor() as cores:
        # Where there are no rows, one part without any.
        parts = list(cores.map(nearest, range(0, max(1, rows.shape[0]), AT_ONCE)))
    counts, columns, cosines = zip(*((np.diff(part), *found) for part, *found in parts), strict=True)
    places = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    shape = rows.shape[0], others.shape[0]
    return sparse.csr_matrix((np.concatenate(cosines), np.concatenate(columns), places), shape=shape)
