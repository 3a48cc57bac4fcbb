"""The best of many scores, row by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s


def top(scores: Float32s, k: int) -> tuple[npt.NDArray[np.int64], Float32s]:
    """int64 [b, min(k, n)]: the columns of the k highest scores of each row, best first, and the scores.

    Of equal scores the earlier column comes first, also where not all of them fit. O(n) a row, and O(k log k).

    >>> top(np.array([[1, 3, 3, 2]], dtype=np.float32), 2)[0].tolist()
    [[1, 2]]
    """
    rows, n = scores.shape
    k = min(k, n)
    if k < n:
        least = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        chosen = scores >= least
        crowded = np.flatnonzero(np.count_nonzero(chosen, axis=1) > k)
        if len(crowded):
            above = scores[crowded] > least[crowded]
            ties = scores[crowded] == least[crowded]
            chosen[crowded] = above | (ties & (np.cumsum(ties, axis=1) <= k - above.sum(axis=1, keepdims=True)))
        columns = np.nonzero(chosen)[1].reshape(rows, k)
    else:
        columns = np.broadcast_to(np.arange(n), (rows, n))
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)
