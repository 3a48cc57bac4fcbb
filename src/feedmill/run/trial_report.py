"""What a trial says: Feedmill and popularity side by side, which is ahead, and whether that could be chance."""

from __future__ import annotations

import math

import msgspec

from feedmill.measure.evaluation.comparison import leading
from feedmill.measure.metrics import BinaryMetrics, Difference
from feedmill.measure.metrics.bootstrap import Interval


class RankingScore(msgspec.Struct, frozen=True):
    """Of lists of ten out of the whole catalogue."""

    hit_rate: float
    """How often a wanted item was among the ten."""
    ndcg: float


class RankingComparison(msgspec.Struct, frozen=True):
    """Feedmill and popularity, asked the same questions."""

    asked: int
    """Lists of each."""
    of: int
    """Lists that could have been asked for; where there are too many, some are drawn."""
    users: int
    known_users: int
    """Of them, those who stand in the first four fifths."""
    feedmill: RankingScore
    popularity: RankingScore
    popularity_kind: str
    """The better of the two kinds: `all time`, or `recent`, where old likes fade."""
    hit_rate_difference: Interval | None
    """Feedmill's less popularity's, with users resampled; None where there are too few of them."""
    ndcg_difference: Interval | None
    others: dict[str, RankingScore] = {}
    """Models that learn in batch, where they were asked, too."""
    differences: list[Difference] = []
    """Every pair of all that were asked, by NDCG, corrected for how many pairs there are."""


class ObjectiveComparison(msgspec.Struct, frozen=True):
    """One objective, each impression of the last fifth predicted before it was learned from."""

    feedmill: BinaryMetrics
    popularity: BinaryMetrics
    """Of the item's own rate so far."""
    popularity_kind: str
    auc_difference: Interval | None


class FeedItem(msgspec.Struct, frozen=True):
    """One position of a feed."""

    item_id: str
    title: str
    why: str


class UserFeed(msgspec.Struct, frozen=True):
    """A feed for one user at the end of the file."""

    user_id: str
    who: str
    events: int
    liked: list[str]
    """Titles of the items liked last, newest first."""
    items: list[FeedItem]


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial."""

    file: str
    events: int
    rejected: int
    users: int
    items: int
    trained: int
    """Events before the split."""
    tested: int
    split: str
    """When the last fifth begins, ISO 8601; empty where the file has no times."""
    as_it_goes: RankingComparison | None
    """Asked before likes of the last fifth, with everything learned that came before them."""
    at_the_split: RankingComparison | None
    """Asked once for each user of the last fifth, at its beginning."""
    objectives: dict[str, ObjectiveComparison]
    """Where the file says what was shown."""
    feeds: list[UserFeed]
    verdict: list[str]
    """Which is ahead, and whether that could be chance."""
    notes: list[str]
    seconds: float


def verdict(
    as_it_goes: RankingComparison | None,
    at_the_split: RankingComparison | None,
    objectives: dict[str, ObjectiveComparison],
) -> list[str]:
    """Which is ahead in each comparison, in sentences."""
    sentences = []
    for comparison, when in ((as_it_goes, "As it goes"), (at_the_split, "Asked once, at the split")):
        if comparison is None:
            continue
        ours, theirs = comparison.feedmill, comparison.popularity
        numbers = f"{ours.hit_rate:.1%} of lists held a wanted item, popularity's {theirs.hit_rate:.1%}"
        sentences.append(_judgement(when, numbers, comparison.hit_rate_difference))
        if (ours.hit_rate - theirs.hit_rate) * (ours.ndcg - theirs.ndcg) < 0:
            numbers = f"{ours.ndcg:.3f}, popularity's {theirs.ndcg:.3f}"
            sentences.append(_judgement("By NDCG it is the other way round", numbers, comparison.ndcg_difference))
        if comparison.differences:
            scores = {"feedmill": ours, "popularity": theirs, **comparison.others}
            names = sorted(scores, key=lambda name: -scores[name].ndcg)
            sentences.append(f"Of all {len(names)}, {leading(names, comparison.differences, 'NDCG@10')}")
    for name, objective in objectives.items():
        numbers = f"AUC {objective.feedmill.auc:.3f}, popularity's {objective.popularity.auc:.3f}"
        sentences.append(_judgement(f"Predicting {name}", numbers, objective.auc_difference))
    return sentences or ["There is nothing to say which is ahead by."]


def _judgement(what: str, numbers: str, difference: Interval | None) -> str:
    if difference is None or math.isnan(difference.low):
        return f"{what}: {numbers}; too few users to say whether that is chance."
    if difference.estimate == 0:
        return f"{what}: level with popularity ({numbers})."
    place = "ahead of" if difference.estimate > 0 else "behind"
    sure = difference.low > 0 or difference.high < 0
    return (
        f"{what}: Feedmill is {place} popularity ({numbers}); {'not chance' if sure else 'that could be chance'}"
        f" (the difference lies between {difference.low:+.3f} and {difference.high:+.3f}, with 95 % confidence)."
    )
