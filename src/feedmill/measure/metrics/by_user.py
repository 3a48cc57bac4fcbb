"""AUC within each user: whether a user's own rows are in the right order, whoever else is easier to please."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.classification import columns

Float64s = npt.NDArray[np.float64]


def auc_by_user(
    labels: npt.ArrayLike,  # [n], positive where above 0
    scores: npt.ArrayLike,  # float [n]
    users: npt.ArrayLike,  # [n], any type that sorts
) -> tuple[Float64s, npt.NDArray[np.int64]]:
    """Each user's AUC and number of rows, in the order of the sorted users; NaN where a user has one class only.

    Ties count one half. Cost: one sort of all rows.
    """
    positive, score = columns(labels, scores)
    codes = np.unique(np.asarray(users), return_inverse=True)[1].ravel()
    if len(codes) != len(score):
        raise InvalidArgument(f"users: {len(codes)} rows, expected {len(score)}, one user a row")
    if len(codes) == 0:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    order = np.lexsort((score, codes))
    code, ordered = codes[order], score[order]
    # Runs of equal score within a user are taken together.
    starts = np.flatnonzero(np.diff(code, prepend=-1) | np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    up = np.add.reduceat(positive[order].astype(np.float64), starts)
    down = np.add.reduceat((~positive[order]).astype(np.float64), starts)
    owner = code[starts]
    n_users = int(codes.max()) + 1
    positives = np.bincount(owner, up, n_users)
    negatives = np.bincount(owner, down, n_users)
    before = np.concatenate([[0.0], np.cumsum(negatives)[:-1]])
    below = np.cumsum(down) - before[owner]
    won = np.bincount(owner, up * (below - 0.5 * down), n_users)
    pairs = positives * negatives
    return np.divide(won, pairs, out=np.full(n_users, np.nan), where=pairs > 0), np.bincount(codes)


def grouped_auc(labels: npt.ArrayLike, scores: npt.ArrayLike, users: npt.ArrayLike) -> float:
    """GAUC: the mean of the users' AUC, weighed by their rows (Zhou et al., 2018, "Deep interest network", 6.2).

    Users with one class only are left out; NaN where none is left.

    >>> grouped_auc([1, 0, 1, 0], [0.9, 0.8, 0.2, 0.1], ["a", "a", "b", "b"])
    1.0
    """
    values, rows = auc_by_user(labels, scores, users)
    used = ~np.isnan(values)
    return float(np.average(values[used], weights=rows[used])) if used.any() else math.nan
