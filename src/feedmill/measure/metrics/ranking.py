"""Metrics of ranked lists against the items that turned out relevant.

Each list is the head of a ranking of the full catalogue, never of a sample of negatives, which changes the order of the
methods compared (Krichene and Rendle, 2020). Users without relevant items are left out of every mean; NaN where none is
left. An item that stands twice in a list counts at its first place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument

Rankings = Sequence[Sequence[Hashable]]
Relevant = Sequence[Collection[Hashable]]
Bools = npt.NDArray[np.bool_]
Float64s = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]

RANKING_METRICS = ("ndcg", "hit_rate", "recall", "precision", "map", "mrr")


class RankingMetrics(msgspec.Struct, frozen=True):
    """Means over users at one cut-off."""

    k: int
    users: int
    hit_rate: float
    recall: float
    precision: float
    map: float
    ndcg: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Hits:
    """Where in each user's list the relevant items stand."""

    found: Bools
    """bool [users, k]: whether a relevant item stands at a place, for the first time in the list."""
    relevant: Integers
    """[users]: how many items each list should have found."""

    def by_user(self) -> dict[str, Float64s]:
        """float64 [users] for each of `RANKING_METRICS`; NaN for users without relevant items.

        hit_rate: 1 where the list holds a relevant item. recall: the share of the relevant items in the list.
        precision: the share of k places that hold one. map: the precision at each hit, summed and divided by the number
        of relevant items (as trec_eval does). ndcg: gains of 1 discounted by log2(rank + 1), over those of the best
        possible list (Järvelin and Kekäläinen, 2002). mrr: one over the rank of the first hit, 0 without one.
        """
        k = self.found.shape[1]
        sizes = np.where(self.relevant > 0, self.relevant, np.nan)
        ranks = np.arange(1, k + 1)
        discounts = 1 / np.log2(ranks + 1)
        ideal = np.concatenate([[np.nan], np.cumsum(discounts)])[np.minimum(self.relevant, k)]
        counts = self.found.sum(axis=1)
        any_found = np.where(np.isnan(sizes), np.nan, counts > 0)
        return {
            "ndcg": self.found @ discounts / ideal,
            "hit_rate": any_found,
            "recall": counts / sizes,
            "precision": counts / np.where(np.isnan(sizes), np.nan, k),
            "map": (self.found * np.cumsum(self.found, axis=1) / ranks).sum(axis=1) / sizes,
            "mrr": any_found / (self.found.argmax(axis=1) + 1),
        }

    def means(self) -> RankingMetrics:
        """The means over the users who have relevant items."""
        users = int((self.relevant > 0).sum())
        means = {name: float(np.nanmean(values)) if users else math.nan for name, values in self.by_user().items()}
        return RankingMetrics(k=self.found.shape[1], users=users, **means)


def hits_in_lists(k: int, ranked: Rankings, relevant: Relevant) -> Hits:
    """Of lists of item ids, best first [n], and the items that each should have found [n]."""
    if k < 1:
        raise InvalidArgument(f"k: {k}, expected at least 1")
    if len(ranked) != len(relevant):
        raise InvalidArgument(f"ranked and relevant: {len(ranked)} and {len(relevant)} users, expected as many")
    found = np.zeros((len(ranked), k), dtype=bool)
    for row, (items, wanted) in enumerate(zip(ranked, relevant, strict=True)):
        left = set(wanted)
        for place, item in enumerate(items[:k]):
            if item in left:
                left.remove(item)
                found[row, place] = True
    return Hits(found, np.array([len(set(items)) for items in relevant], dtype=np.int64))


def hits_in_arrays(
    lists: Integers,  # [users, k]: item indices, best first; -1 where a list is shorter
    users: Integers,  # [m]: the row of `lists` that each relevant item belongs to
    items: Integers,  # [m]: the relevant items
) -> Hits:
    """`hits_in_lists` of columns, for many users at once; cost: a sort of the m relevant items."""
    if lists.ndim != 2 or lists.shape[1] < 1:
        raise InvalidArgument(f"lists: shape {lists.shape}, expected [users, k] with k at least 1")
    n, k = lists.shape
    size = max(int(lists.max(initial=0)), int(items.max(initial=0))) + 1
    wanted = np.unique(users.astype(np.int64) * size + items)
    asked = np.arange(n)[:, None] * size + lists
    order = np.argsort(lists, axis=1, kind="stable")
    ordered = np.take_along_axis(lists, order, axis=1)
    first = np.ones((n, k), dtype=bool)
    np.put_along_axis(first, order[:, 1:], ordered[:, 1:] != ordered[:, :-1], axis=1)
    found = np.isin(asked, wanted) & first & (lists >= 0)
    return Hits(found, np.bincount(wanted // size, minlength=n)[:n])


def ranking_metrics(k: int, ranked: Rankings, relevant: Relevant) -> RankingMetrics:
    """All metrics of this file from one pass over the first k places; `mrr` too sees only those."""
    return hits_in_lists(k, ranked, relevant).means()
