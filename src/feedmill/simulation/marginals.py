"""The marginals of a log of impressions, and how far those of two logs are apart.

KuaiRand's log is an excerpt: of everything its users saw it keeps the impressions of a fixed pool of videos, and of
everybody who saw those videos it keeps its users. So what it says of a user is thinned by items, and what it says of an
item is thinned by users. To compare, the other log is thinned in the same two ways: a random part of its items is kept,
just large enough that those users who are left have as many impressions each as KuaiRand's; for the long tail of items,
a random part of its users. What depends on the draw is averaged over several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY, HOUR, MINUTE
from feedmill.domain.errors import InvalidArgument
from feedmill.simulation.impression_log import ACTIONS, ImpressionLog

Floats = npt.NDArray[np.float64]

SESSION_GAP = 30 * MINUTE
"""Milliseconds without an impression after which a session is over."""
LONGEST_SESSION = 8
"""Sessions of that many impressions and more are counted together."""
MOST_DAYS = 6
"""Users seen on that many days and more are counted together."""


@dataclass(frozen=True, slots=True)
class Marginals:
    """What a log looks like, one thing at a time."""

    impressions: int
    watched: Float32s
    """float32, ascending: the watched share of every impression whose item has a duration."""
    durations: Float32s
    """float32, ascending: seconds, by impression."""
    rates: Mapping[str, float]
    """How often each of ACTIONS follows an impression."""
    hours: Floats
    """float64 [24]: impressions by the hour of the users' day, 1 on average."""

    per_user: float
    """Impressions of a user who has any, in the log thinned by items."""
    user_curve: Floats
    """float64 [101]: the share of those impressions that the least active 0, 1, ... 100 % of the users have."""
    sessions: Floats
    """float64 [LONGEST_SESSION]: the share of sessions with 1, 2, ... impressions, in the log thinned by items."""
    session_mean: float
    """Impressions a session, in the log thinned by items."""
    days: Floats
    """float64 [MOST_DAYS]: the share of users seen on 1, 2, ... days, in the log thinned by items."""

    per_item: float
    """Impressions of an item that has any, in the log thinned by users."""
    item_curve: Floats
    """float64 [101]: the share of those impressions that the least shown 0, 1, ... 100 % of the items have."""


def marginals(
    log: ImpressionLog,
    generator: np.random.Generator,
    per_user: float = np.inf,
    per_item: float = np.inf,
    draws: int = 20,
) -> Marginals:
    """The marginals of a log; thinned until users have `per_user`, items `per_item` impressions, where it has more."""
    if not len(log):
        raise InvalidArgument("log: holds no impression; its marginals are not defined")
    by_item = [log.take(thinned(log.items, log.users, per_user, generator)) for _ in range(draws)]
    by_user = [log.take(thinned(log.users, log.items, per_item, generator)) for _ in range(draws)]
    lengths = [session_lengths(part) for part in by_item]
    hours = np.bincount(log.times % DAY // HOUR, minlength=24)
    return Marginals(
        impressions=len(log),
        watched=np.sort(log.watched[~np.isnan(log.watched)]),
        durations=np.sort(log.durations[log.durations > 0]),
        rates={name: float(log.actions[name].mean()) for name in ACTIONS},
        hours=hours * 24 / len(log),
        per_user=_average([np.asarray(_counts(part.users).mean()) for part in by_item]).item(),
        user_curve=_average([lorenz(_counts(part.users)) for part in by_item]),
        sessions=_average([_shares(length, LONGEST_SESSION) for length in lengths]),
        session_mean=_average([np.asarray(length.mean()) for length in lengths]).item(),
        days=_average([_shares(_days_seen(part), MOST_DAYS) for part in by_item]),
        per_item=_average([np.asarray(_counts(part.items).mean()) for part in by_user]).item(),
        item_curve=_average([lorenz(_counts(part.items)) for part in by_user]),
    )


def thinned(
    keys: Int64s,  # int64 [n]
    others: Int64s,  # int64 [n]
    mean: float,
    generator: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """bool [n]: the rows of a random set of keys, the smallest in a random order of them with which the `others` that
    are left have `mean` rows each; all rows where they have fewer."""
    _, key = np.unique(keys, return_inverse=True)
    distinct, other = np.unique(others, return_inverse=True)
    n_keys = int(key.max()) + 1
    rank = generator.permutation(n_keys)[key]
    first = np.full(len(distinct), n_keys)
    np.minimum.at(first, other, rank)
    rows = np.cumsum(np.bincount(rank, minlength=n_keys))
    left = np.cumsum(np.bincount(first, minlength=n_keys))
    enough = np.flatnonzero(rows >= mean * left)
    return rank <= (enough[0] if len(enough) else n_keys)


def lorenz(counts: Int64s) -> Floats:
    """float64 [101]: the share of the total that the smallest 0, 1, ... 100 % of the counts have."""
    total = np.concatenate([[0], np.sort(counts).cumsum()])
    curve: Floats = np.interp(np.linspace(0, 1, 101), np.linspace(0, 1, len(total)), total / total[-1])
    return curve


def gini(curve: Floats) -> float:
    """How uneven a Lorenz curve is: 0 where all have the same, towards 1 where one has everything."""
    return float(1 - 2 * np.trapezoid(curve, dx=1 / (len(curve) - 1)))


def session_lengths(log: ImpressionLog) -> Int64s:
    """int64 [sessions]: impressions of each session; a pause of more than SESSION_GAP ends one."""
    order = np.lexsort((log.times, log.users))
    users, times = log.users[order], log.times[order]
    ends = np.flatnonzero((np.diff(users) != 0) | (np.diff(times) > SESSION_GAP)) + 1
    return np.diff(np.concatenate([[0], ends, [len(users)]]))


@dataclass(frozen=True, slots=True)
class Distances:
    """How far the marginals of one log are from those of another."""

    watched: float
    """The Kolmogorov-Smirnov distance of the watched shares: the largest gap between the shares of impressions that
    were watched to at most so much."""
    rates: Mapping[str, float]
    """Each action's rate, divided by the other's."""
    user_gini: float
    """Minus the other's."""
    item_gini: float
    """Minus the other's."""
    session_mean: float
    """Divided by the other's."""
    sessions: float
    """The total variation: the share of sessions that would have to have another length."""
    days: float
    """The same of the users, who would have to be seen on another number of days."""
    hours: float
    """The same of the impressions, which would have to be at another hour."""


def distances(one: Marginals, other: Marginals) -> Distances:
    """How far `one` is from `other`."""
    return Distances(
        watched=kolmogorov_smirnov(one.watched, other.watched),
        rates={name: rate / other.rates[name] for name, rate in one.rates.items() if other.rates[name]},
        user_gini=gini(one.user_curve) - gini(other.user_curve),
        item_gini=gini(one.item_curve) - gini(other.item_curve),
        session_mean=one.session_mean / other.session_mean,
        sessions=_total_variation(one.sessions, other.sessions),
        days=_total_variation(one.days, other.days),
        hours=_total_variation(one.hours / 24, other.hours / 24),
    )


def kolmogorov_smirnov(
    one: Float32s,  # ascending
    other: Float32s,  # ascending
) -> float:
    """The largest difference between two distribution functions."""
    values = np.concatenate([one, other])
    gaps = one.searchsorted(values, "right") / len(one) - other.searchsorted(values, "right") / len(other)
    return float(np.abs(gaps).max())


def _total_variation(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).sum() / 2)


def _counts(values: Int64s) -> Int64s:
    return np.unique(values, return_counts=True)[1]


def _days_seen(log: ImpressionLog) -> Int64s:
    """int64 [users]: on how many days each user has impressions."""
    pairs = np.unique(np.stack([log.users, log.times // DAY]), axis=1)
    return _counts(pairs[0])


def _shares(numbers: Int64s, most: int) -> Floats:
    """float64 [most]: the share of 1, 2, ... and of `most` or more."""
    return np.bincount(numbers.clip(1, most) - 1, minlength=most) / len(numbers)


def _average(arrays: list[Floats]) -> Floats:
    average: Floats = np.mean(arrays, axis=0)
    return average
