"""Metrics of ranked lists against the items that turned out relevant.

Each list is the head of a ranking of the full catalogue, never of a sample of negatives, which changes the order of the
methods compared (Krichene and Rendle, 2020). Users without relevant items are left out of every mean; NaN where none is
left. An item that stands twice in a list counts at its first place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument

Rankings = Sequence[Sequence[Hashable]]
Relevant = Sequence[Collection[Hashable]]


class RankingMetrics(msgspec.Struct, frozen=True):
    """Means over users at one cut-off."""

    k: int
    users: int
    hit_rate: float
    recall: float
    ndcg: float
    mrr: float


def hit_rate_at(k: int, ranked: Rankings, relevant: Relevant) -> float:
    """The share of users with a relevant item among their first k."""
    return ranking_metrics(k, ranked, relevant).hit_rate


def recall_at(k: int, ranked: Rankings, relevant: Relevant) -> float:
    """The share of a user's relevant items that stand among the first k."""
    return ranking_metrics(k, ranked, relevant).recall


def ndcg_at(k: int, ranked: Rankings, relevant: Relevant) -> float:
    """Gains of 1 discounted by log2(rank + 1), over those of the best possible list (Järvelin and Kekäläinen, 2002)."""
    return ranking_metrics(k, ranked, relevant).ndcg


def mrr(ranked: Rankings, relevant: Relevant) -> float:
    """One over the rank of the first relevant item, 0 where the list holds none."""
    return ranking_metrics(max((len(row) for row in ranked), default=1) or 1, ranked, relevant).mrr


def ranking_metrics(k: int, ranked: Rankings, relevant: Relevant) -> RankingMetrics:
    """All metrics of this file from one pass over the first k places; `mrr` too sees only those.

    `ranked` [n] holds item ids, best first; `relevant` [n] the items that each list should have found.
    """
    if k < 1:
        raise InvalidArgument(f"k: {k}, expected at least 1")
    if len(ranked) != len(relevant):
        raise InvalidArgument(f"ranked and relevant: {len(ranked)} and {len(relevant)} users, expected as many")
    wanted = [set(items) for items in relevant]
    sizes = np.array([len(items) for items in wanted], dtype=np.int64)
    hits = _hits(k, ranked, wanted)[sizes > 0]  # bool [users, k]
    sizes = sizes[sizes > 0]
    if len(sizes) == 0:
        return RankingMetrics(k, 0, math.nan, math.nan, math.nan, math.nan)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes, k) - 1]
    found = hits.any(axis=1)
    return RankingMetrics(
        k=k,
        users=len(sizes),
        hit_rate=float(found.mean()),
        recall=float((hits.sum(axis=1) / sizes).mean()),
        ndcg=float((hits @ discounts / ideal).mean()),
        mrr=float((found / (hits.argmax(axis=1) + 1)).mean()),
    )


def _hits(k: int, ranked: Rankings, wanted: list[set[Hashable]]) -> npt.NDArray[np.bool_]:
    hits = np.zeros((len(ranked), k), dtype=bool)
    for row, (items, missing) in enumerate(zip(ranked, wanted, strict=True)):
        left = set(missing)
        for place, item in enumerate(items[:k]):
            if item in left:
                left.remove(item)
                hits[row, place] = True
    return hits
