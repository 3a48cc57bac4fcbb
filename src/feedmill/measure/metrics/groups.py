"""Who is served well, and who is shown: quality by groups of users, exposure by groups of items and their creators."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.bootstrap import Interval
from feedmill.measure.metrics.significance import ratio_intervals, user_interval

Float64s = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]


def quality_by_group(
    values: Float64s,  # [users]: a metric of each
    groups: Integers,  # [users]: below `n_groups`
    n_groups: int,
    samples: int,
    generator: np.random.Generator,
) -> list[Interval]:
    """The mean of each group of users, with an interval from resampling the users of the group."""
    if len(values) != len(groups):
        raise InvalidArgument(f"groups: {len(groups)} users, expected {len(values)}")
    return [user_interval(values[groups == group], samples, generator) for group in range(n_groups)]


def attention_by_group(
    lists: Integers,  # [users, k]: item indices, best first; -1 where a list is shorter
    groups: Integers,  # [n_items]: below `n_groups`; -1 for items of no group
    n_groups: int,
) -> Float64s:
    """float64 [users, n_groups]: how much attention each list gives to each group of items.

    A place gets attention by 1 / log2(rank + 1), as in Singh and Joachims (2018).
    """
    n, k = lists.shape
    attention = np.broadcast_to(1 / np.log2(np.arange(2, k + 2)), lists.shape)
    of = np.where(lists >= 0, groups[lists], -1)
    counted = of >= 0
    cells = (np.arange(n)[:, None] * n_groups + of)[counted]
    sums: Float64s = np.bincount(cells, attention[counted], n * n_groups).reshape(n, n_groups).astype(np.float64)
    return sums


def shares_by_group(
    amounts: Float64s,  # [users, n_groups]
    samples: int,
    generator: np.random.Generator,
) -> list[Interval]:
    """Each group's share of all amounts, with users resampled; NaN where there is nothing to share.

    Of `attention_by_group`: the exposure of groups of items.
    """
    whole = np.broadcast_to(amounts.sum(axis=1, keepdims=True), amounts.shape)
    return ratio_intervals(amounts, whole, samples, generator)


def thirds(amounts: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """int64 [n]: 0 for the third with the least, 1 for the middle, 2 for the most; equal amounts share a group.

    >>> thirds([5, 1, 9]).tolist()
    [1, 0, 2]
    """
    amount = np.asarray(amounts, dtype=np.float64)
    if not len(amount):
        return np.zeros(0, dtype=np.int64)
    return np.searchsorted(np.quantile(amount, [1 / 3, 2 / 3]), amount, side="left").astype(np.int64)


def head_and_tail(counts: Integers) -> npt.NDArray[np.int64]:
    """int64 [n_items]: 0 for the fewest items that hold half of all counts, 1 for those up to nine tenths, 2 for the
    rest: head, middle and tail."""
    order = np.argsort(-counts, kind="stable")
    before = np.concatenate([[0], np.cumsum(counts[order])[:-1]]) / max(int(counts.sum()), 1)
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.where(before < 0.5, 0, np.where(before < 0.9, 1, 2))
    return groups
