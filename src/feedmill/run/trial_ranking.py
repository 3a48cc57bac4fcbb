"""Ranking, judged on what users liked for the first time in the last fifth of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.records import Record
from feedmill.learn.training.learner import Learner
from feedmill.measure.evaluation.popularity import FadingCounts
from feedmill.measure.metrics import compare, hits_in_lists, paired_bootstrap
from feedmill.measure.metrics.bootstrap import Interval
from feedmill.run.trial_report import RankingComparison, RankingScore
from feedmill.serve.feed import Feed
from feedmill.serve.pipeline.request import Request
from feedmill.stream.state.rows import Int32s

LISTS = 10
"""Items of a list."""
SAMPLES = 2_000
"""Resamples of a bootstrap."""
FEEDMILL = "feedmill"
ALL_TIME, RECENT = "all time", "recent"


def likes(learner: Learner, record: Record) -> bool:
    """Whether a record says that its subject liked its object."""
    if record.kind not in ("event", "seen") or record.object_kind != "item" or not record.subject:
        return False
    outcomes = record.outcomes or {}
    if record.kind == "event":
        outcomes = {record.action: 1.0 if record.value is None else record.value}
    return learner.state.reader.read(outcomes).weight > 0


class PopularityLists:
    """The most liked items, of all time and lately, that a user has not seen."""

    def __init__(self, learner: Learner, half_life: float) -> None:
        """`half_life` in milliseconds, of the recent kind."""
        self._learner = learner
        self._counts = {ALL_TIME: FadingCounts(), RECENT: FadingCounts(half_life)}

    def add(self, records: Sequence[Record]) -> None:
        """Count the likes among records that the learner has folded."""
        liked = [record for record in records if likes(self._learner, record)]
        if not liked:
            return
        find = self._learner.state.catalog.items.ids.find
        items = np.array([find(record.object) for record in liked], dtype=np.int64)
        timestamps = np.array([record.timestamp for record in liked], dtype=np.int64)
        for counts in self._counts.values():
            counts.add(items, timestamps)

    def of(self, user_id: str) -> dict[str, list[str]]:
        """Ten item ids of each kind."""
        state = self._learner.state
        user = state.catalog.users.ids.find(user_id)
        items = state.catalog.items
        servable = items.servable

        def eligible(asked: Int32s) -> npt.NDArray[np.bool_]:
            unseen = state.views(user, asked) == 0 if user >= 0 else np.ones(len(asked), dtype=np.bool_)
            return servable[asked] & unseen

        return {
            kind: [items.ids.names[item] for item in counts.top(len(items), LISTS, eligible)]
            for kind, counts in self._counts.items()
        }


@dataclass(slots=True)
class Answers:
    """What was asked, and what each said."""

    learner: Learner
    feed: Feed
    popularity: PopularityLists
    users: list[str] = field(default_factory=list)
    wanted: list[set[str]] = field(default_factory=list)
    lists: dict[str, list[list[str]]] = field(default_factory=dict)
    others: dict[str, list[list[str]]] = field(default_factory=dict)
    """By model that learns in batch, a list for each that was asked for."""

    def ask(self, user_id: str, now: int, wanted: set[str]) -> None:
        """Ask all for ten items for a user, who is about to like those wanted."""
        page = self.feed.recommend(Request(user_id=user_id, now=now, limit=LISTS))
        answers = {FEEDMILL: [item.item_id for item in page.items], **self.popularity.of(user_id)}
        self.users.append(user_id)
        self.wanted.append(wanted)
        for name, answer in answers.items():
            self.lists.setdefault(name, []).append(answer)

    def compare(self, of: int, known: Callable[[str], bool], seed: int) -> RankingComparison | None:
        """Feedmill against the better kind of popularity; None where nothing was asked."""
        if not self.users:
            return None
        hits, gains = {}, {}
        for name, lists in {**self.lists, **self.others}.items():
            each = hits_in_lists(LISTS, lists, self.wanted).by_user()
            hits[name], gains[name] = each["hit_rate"], each["ndcg"]
        kind = max((ALL_TIME, RECENT), key=lambda name: float(gains[name].mean()))
        distinct = set(self.users)
        compared = {FEEDMILL: gains[FEEDMILL], "popularity": gains[kind], **{name: gains[name] for name in self.others}}
        return RankingComparison(
            asked=len(self.users),
            of=of,
            users=len(distinct),
            known_users=sum(map(known, distinct)),
            feedmill=RankingScore(float(hits[FEEDMILL].mean()), float(gains[FEEDMILL].mean())),
            popularity=RankingScore(float(hits[kind].mean()), float(gains[kind].mean())),
            popularity_kind=kind,
            hit_rate_difference=_difference(hits[FEEDMILL], hits[kind], self.users, seed),
            ndcg_difference=_difference(gains[FEEDMILL], gains[kind], self.users, seed),
            others={name: RankingScore(float(hits[name].mean()), float(gains[name].mean())) for name in self.others},
            differences=compare(compared, SAMPLES, np.random.default_rng(seed)) if self.others else [],
        )


def draw(count: int, of: int, generator: np.random.Generator) -> list[int]:
    """`count` different numbers below `of`, ascending; all of them where there are no more."""
    if of <= count:
        return list(range(of))
    return sorted(generator.choice(of, size=count, replace=False).tolist())


def _mean(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None) -> float:
    return float(np.average(np.asarray(scores), weights=None if weights is None else np.asarray(weights)))


def _difference(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], users: list[str], seed: int
) -> Interval | None:
    try:
        return paired_bootstrap(
            _mean, np.zeros(len(users)), ours, theirs, np.array(users), SAMPLES, np.random.default_rng(seed)
        )
    except InvalidArgument:
        # There is but one user.
        return None
