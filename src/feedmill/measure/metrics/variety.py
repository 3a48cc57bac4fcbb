"""What accuracy does not say of lists: how much of the catalogue they show, how new, how varied, how surprising.

Lists are int [users, k], item indices with the best first, each once, -1 where a list is shorter.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.inequality import gini_index, gini_ranks

Float64s = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]


def coverage(lists: Integers, n_items: int) -> float:
    """The share of `n_items` that stands in at least one list; NaN for an empty catalogue.

    Of the set of lists as a whole: more users are shown more. Lists drawn twice show nothing new, so a bootstrap
    gives no interval of it; `jackknife_interval` of `coverage_without_each` does.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(lists[lists >= 0])) / n_items if n_items else math.nan


def coverage_without_each(lists: Integers, n_items: int) -> Float64s:
    """float64 [users]: the coverage of the other users' lists; NaN for an empty catalogue."""
    users, items = np.nonzero(lists >= 0)[0], lists[lists >= 0]
    alone = np.bincount(items, minlength=n_items)[items] == 1
    lost = np.bincount(users[alone], minlength=len(lists))
    return (len(np.unique(items)) - lost) / n_items if n_items else np.full(len(lists), np.nan)


def gini(lists: Integers, n_items: int) -> float:
    """How unevenly the places go to the items: 0 where all get as many, near 1 where one gets all; NaN without lists.

    The Gini index of exposure (Fleder and Hosanagar, 2009).
    """
    return gini_index(np.bincount(lists[lists >= 0], minlength=n_items))


def gini_without_each(lists: Integers, n_items: int) -> Float64s:
    """float64 [users]: the Gini index of the other users' lists; NaN where these are empty.

    Cost: one sort of the items and one of each list.
    """
    shown = lists >= 0
    counts = np.bincount(lists[shown], minlength=n_items)
    ordered = np.sort(counts)
    # A place less for an item takes it from the first of those with as many, and so on for more of these.
    own = np.sort(np.where(shown, counts[lists], -1), axis=1)
    places = np.broadcast_to(np.arange(own.shape[1]), own.shape)
    starts = np.maximum.accumulate(np.where(np.diff(own, axis=1, prepend=-2) != 0, places, 0), axis=1)
    ranks = np.searchsorted(ordered, own, side="left") + places - starts + 1
    lost = np.where(own >= 0, 2 * ranks - n_items - 1, 0).sum(axis=1)
    whole = gini_ranks(n_items) @ ordered
    left = counts.sum() - shown.sum(axis=1)
    others: Float64s = np.divide(whole - lost, n_items * left, out=np.full(len(lists), np.nan), where=left > 0)
    return others


def novelty(
    lists: Integers,
    seen_by: Integers,  # [n_items]: how many users had met each item
    n_users: int,
) -> Float64s:
    """float64 [users]: the mean self-information of the items of each list, in bits; NaN for an empty list.

    log2 of how many users there are for each one who had met the item (Zhou et al., 2010); what nobody had met counts
    as if one had.
    """
    if n_users < 1:
        raise InvalidArgument(f"n_users: {n_users}, expected at least 1")
    bits = np.log2(n_users / np.maximum(seen_by, 1))
    return _means(np.where(lists >= 0, bits[lists], 0.0), lists)


def diversity(
    lists: Integers,
    features: sparse.csr_matrix,  # [n_items, columns]: who met an item, or what it is about
) -> Float64s:
    """float64 [users]: one less the mean cosine between two items of the list; NaN for lists of fewer than two.

    Intra-list diversity (Ziegler et al., 2005). Cost: k^2 cosines a user, from the features of the items shown.
    """
    n, k = lists.shape
    shown, places = np.unique(np.where(lists >= 0, lists, 0), return_inverse=True)
    places = places.reshape(n, k)
    rows = features[shown].astype(np.float64)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows = sparse.diags_array(np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)) @ rows
    valid = lists >= 0
    total = np.zeros(n)
    for one in range(k):
        for other in range(one + 1, k):
            both = valid[:, one] & valid[:, other]
            product = rows[places[both, one]].multiply(rows[places[both, other]])
            total[both] += np.asarray(product.sum(axis=1)).ravel()
    lengths_of_lists = valid.sum(axis=1)
    pairs = lengths_of_lists * (lengths_of_lists - 1) / 2
    varied: Float64s = 1 - np.divide(total, pairs, out=np.full(n, np.nan), where=pairs > 0)
    return varied


def serendipity(
    found: npt.NDArray[np.bool_],  # bool [users, k]: relevant items, as `Hits.found`
    lists: Integers,
    obvious: Integers,  # [users, j]: what anybody would have shown, as the list of popularity
) -> Float64s:
    """float64 [users]: the share of k places that hold what is relevant and not obvious (Ge et al., 2010)."""
    expected = (lists[:, :, None] == obvious[:, None, :]).any(axis=2)
    share: Float64s = (found & ~expected).mean(axis=1)
    return share


def _means(values: Float64s, lists: Integers) -> Float64s:
    lengths = (lists >= 0).sum(axis=1)
    means: Float64s = np.divide(values.sum(axis=1), lengths, out=np.full(len(lists), np.nan), where=lengths > 0)
    return means
