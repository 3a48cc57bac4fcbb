"""Models under one protocol, side by side: what each reaches, by whom and on what, and whether that could be chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.measure.evaluation.protocol import REPEATS, EvaluationProtocol, Recommender, Split
from feedmill.measure.metrics import (
    Difference,
    Interval,
    attention_by_group,
    compare,
    coverage,
    coverage_without_each,
    diversity,
    gini,
    gini_without_each,
    head_and_tail,
    hits_in_arrays,
    jackknife_interval,
    novelty,
    quality_by_group,
    ratio_intervals,
    serendipity,
    shares_by_group,
    thirds,
    user_interval,
)

Float64s = npt.NDArray[np.float64]
Progress = Callable[[str, int, int], None]

MAIN = "ndcg"
"""The metric by which models are compared in pairs."""
ACTIVITY = ("least active third", "middle third", "most active third")
POPULARITY = ("head", "middle", "tail")


class GroupResult(msgspec.Struct, frozen=True):
    """What a model makes of one group of items."""

    demand: Interval
    """The group's share of what users took to in the test."""
    exposure: Interval
    """Its share of the attention that the lists give."""
    found: Interval
    """The share of what users took to of it that stood in their lists."""


class ModelResult(msgspec.Struct, frozen=True):
    """One model; intervals are from resampling users, those of coverage and Gini from leaving out one at a time."""

    name: str
    metrics: dict[str, Interval]
    """Means over users at the cut-off: ndcg, hit_rate, recall, precision, map, mrr, novelty, diversity, serendipity."""
    coverage: Interval
    """The share of the items of the training part that stands in at least one list."""
    gini: Interval
    """How unevenly places go to these items: 0 evenly, 1 all to one."""
    by_activity: dict[str, Interval]
    """NDCG of users by how much is known of them."""
    by_popularity: dict[str, GroupResult]
    """Items by how many took to them: the head holds half of all interactions, the tail the last tenth; empty where
    nobody has taken to any that may be recommended."""
    by_creator: dict[str, GroupResult]
    """The same of items by how many took to anything of their creator; empty where creators are not known."""
    fit_seconds: float
    recommend_seconds: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a comparison."""

    protocol: str
    rule: str
    respects_time: bool
    splits: list[str]
    k: int
    seed: int
    samples: int
    """Resamples of each interval and draws of each test."""
    users: int
    """Who were asked for."""
    new_users: int
    """Of them, those of whom nothing was known."""
    items: int
    """Of the training part; the mean over splits."""
    train: int
    """Interactions learned from; the mean over splits."""
    test: int
    """Interactions asked for, over all splits."""
    left_out: dict[str, int]
    """Interactions that could not be used, by the rule that left them out; over all splits."""
    models: list[ModelResult]
    """The best by NDCG first."""
    differences: list[Difference]
    """Every pair, by NDCG."""


class Answer(NamedTuple):
    """What one model answered on one split."""

    lists: Int32s
    """int32 [users, k]"""
    fit_seconds: float
    recommend_seconds: float


class Answers(Protocol):
    """Keeps what models have answered, so that a comparison that was stopped need not ask them again."""

    def find(self, model: str, split: str) -> Answer | None:
        """What was kept; None where nothing was."""
        ...

    def keep(self, model: str, split: str, answer: Answer) -> None:
        """Keep it, until the comparison is at its end."""
        ...


@dataclass(slots=True)
class _Judged:
    """What one model's answers are worth, over all splits."""

    values: dict[str, list[Float64s]] = field(default_factory=dict)
    coverage: list[tuple[float, Float64s]] = field(default_factory=list)
    """Of a split, and without each of its users."""
    gini: list[tuple[float, Float64s]] = field(default_factory=list)
    groups: dict[str, list[Float64s]] = field(default_factory=dict)
    """float64 [users, 3, groups]: how much of what was wanted of each group, how much attention it got, what was
    found."""
    fit_seconds: float = 0.0
    recommend_seconds: float = 0.0


def evaluate(
    models: Mapping[str, Callable[[], Recommender]],
    protocol: EvaluationProtocol,
    interactions: Interactions,
    *,
    k: int = 10,
    seed: int = 0,
    samples: int = 2_000,
    creators: npt.NDArray[np.integer] | None = None,  # [n_items]: ordinals; -1 where an item has none
    progress: Progress = lambda phase, done, total: None,
    answers: Answers | None = None,
) -> Evaluation:
    """Fit every model on every split and judge its lists of k; the same seed gives the same numbers.

    A model that `answers` knows an answer of is not fitted again. A user who is asked for in several splits counts
    once, with the mean. Raises InvalidArgument where the interactions cannot bear the protocol.
    """
    if not models:
        raise InvalidArgument("models: none is named, expected at least one")
    splits = [split for split in protocol.splits(interactions) if len(split.test)]
    if not splits:
        raise InvalidArgument(f"{protocol.name}: nothing is left to ask for; there are too few interactions")
    found = {name: _Judged() for name in models}
    total = len(splits) * len(models)
    for number, split in enumerate(splits):
        judge = _Judge(split, k, creators)
        for place, (name, make) in enumerate(models.items()):
            answer = None if answers is None else answers.find(name, split.name)
            if answer is None:
                progress(f"{name}, {split.name}", number * len(models) + place, total)
                answer = _ask(make(), split, k)
                if answers is not None:
                    answers.keep(name, split.name, answer)
            judge.add(answer, found[name])
    progress("comparing", total, total)
    return _summary(protocol, splits, found, k, seed, samples)


def _ask(model: Recommender, split: Split, k: int) -> Answer:
    started = time.perf_counter()
    model.fit(split.train)
    fitted = time.perf_counter()
    lists, _ = model.recommend(split.users, k, history=split.history, candidates=split.candidates)
    return Answer(lists, fitted - started, time.perf_counter() - fitted)


class _Judge:
    """One split, and everything that models are judged by there."""

    def __init__(self, split: Split, k: int, creators: npt.NDArray[np.integer] | None) -> None:
        self.split = split
        self.k = k
        train = split.train
        self.counts = np.bincount(train.items, minlength=train.n_items)
        self.known = self.counts > 0 if split.candidates is None else split.candidates
        self.rows = np.searchsorted(split.users, split.test.users)
        shape = (train.n_items, train.n_users)
        self.met = sparse.csr_matrix((np.ones(len(train)), (train.items, train.users)), shape=shape)
        self.obvious = self._obvious()
        self.groupings = {}
        if self.counts[self.known].any():
            self.groupings["popularity"] = head_and_tail(self.counts)
        if creators is not None and (creators >= 0).any():
            self.groupings["creator"] = _by_creator(self.counts, creators)

    def add(self, answer: Answer, to: _Judged) -> None:
        split, lists = self.split, answer.lists
        to.fit_seconds += answer.fit_seconds
        to.recommend_seconds += answer.recommend_seconds
        hits = hits_in_arrays(lists, self.rows, split.test.items)
        values = {
            **hits.by_user(),
            "novelty": novelty(lists, self.counts, max(1, len(np.unique(split.train.users)))),
            "diversity": diversity(lists, self.met),
            "serendipity": serendipity(hits.found, lists, self.obvious),
        }
        for name, value in values.items():
            to.values.setdefault(name, []).append(value)
        # Of the items that can be recommended, by their places among these.
        place = np.cumsum(self.known) - 1
        within = np.where((lists >= 0) & self.known[lists], place[lists], -1)
        size = int(self.known.sum())
        to.coverage.append((coverage(within, size), coverage_without_each(within, size)))
        to.gini.append((gini(within, size), gini_without_each(within, size)))
        for name, groups in self.groupings.items():
            to.groups.setdefault(name, []).append(self._groups(lists, groups))

    def _groups(self, lists: Int32s, groups: npt.NDArray[np.int64]) -> Float64s:
        """float64 [users, 3, groups]: interactions of the test, attention, and interactions that the lists found."""
        wanted = groups[self.split.test.items]
        size = lists.max(initial=0) + 1
        asked = self.rows * size + self.split.test.items
        shown = (np.arange(len(lists))[:, None] * size + lists)[lists >= 0]
        found = (self.split.test.items < size) & np.isin(asked, shown)
        n, parts = len(lists), len(POPULARITY)
        cells, counted = self.rows * parts + wanted, wanted >= 0
        demand, hits = (np.bincount(cells[rows], minlength=n * parts) for rows in (counted, counted & found))
        attention = attention_by_group(lists, groups, parts)
        return np.stack([demand.reshape(n, parts), attention, hits.reshape(n, parts)], axis=1)

    def _obvious(self) -> Int32s:
        """int32 [users, k]: the most popular items that each user has not met."""
        split, counts = self.split, self.counts
        popular = np.argsort(-counts, kind="stable").astype(np.int32)
        popular = popular[self.known[popular]]
        past = split.train if split.history is None else split.history
        own = np.isin(past.users, split.users)
        rows, items = np.searchsorted(split.users, past.users[own]), past.items[own]
        # Nobody has met more than this many of the most popular.
        reach = popular[: int(np.bincount(rows, minlength=1).max()) + self.k]
        place = np.full(len(counts), -1)
        place[reach] = np.arange(len(reach))
        free = np.ones((len(split.users), len(reach)), dtype=bool)
        met = place[items] >= 0
        free[rows[met], place[items[met]]] = False
        rank = np.cumsum(free, axis=1)
        obvious = np.full((len(split.users), self.k), -1, dtype=np.int32)
        row, column = np.nonzero(free & (rank <= self.k))
        obvious[row, rank[row, column] - 1] = reach[column]
        # What no list can hold stands where a list of popularity is shorter.
        return np.where(obvious < 0, -2, obvious).astype(np.int32)


def _by_creator(counts: npt.NDArray[np.int64], creators: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """int64 [n_items]: the group of each item's creator, -1 where it has none."""
    has = creators >= 0
    of_creator = np.bincount(creators[has], counts[has]).astype(np.int64)
    groups = np.full(len(creators), -1, dtype=np.int64)
    groups[has] = head_and_tail(of_creator)[creators[has]]
    return groups


def _summary(
    protocol: EvaluationProtocol, splits: list[Split], found: dict[str, _Judged], k: int, seed: int, samples: int
) -> Evaluation:
    asked = np.concatenate([split.users for split in splits])
    users, row = np.unique(asked, return_inverse=True)
    known = np.concatenate(list(_known(splits)))
    amount = _mean_by(row, known.astype(np.float64))
    activity = thirds(amount)
    values = {
        name: {metric: _mean_by(row, np.concatenate(parts)) for metric, parts in judged.values.items()}
        for name, judged in found.items()
    }
    generators = iter(np.random.default_rng(seed).spawn(2 * len(found) + 1))
    results = []
    for name, judged in found.items():
        generator, of_groups = next(generators), next(generators)
        by_activity = quality_by_group(values[name][MAIN], activity, 3, samples, of_groups)
        groups = {
            grouping: _group_results(_sum_by(row, np.concatenate(parts)), samples, of_groups)
            for grouping, parts in judged.groups.items()
        }
        results.append(
            ModelResult(
                name=name,
                metrics={metric: user_interval(value, samples, generator) for metric, value in values[name].items()},
                coverage=_of_whole(row, judged.coverage),
                gini=_of_whole(row, judged.gini),
                by_activity=dict(zip(ACTIVITY, by_activity, strict=True)),
                by_popularity=groups.get("popularity", {}),
                by_creator=groups.get("creator", {}),
                fit_seconds=round(judged.fit_seconds, 3),
                recommend_seconds=round(judged.recommend_seconds, 3),
            )
        )
    left_out: dict[str, int] = {}
    for split in splits:
        for rule, count in split.left_out.items():
            # Repeats are left out before the cut: each split has the same.
            left_out[rule] = count if rule == REPEATS else left_out.get(rule, 0) + count
    return Evaluation(
        protocol=protocol.name,
        rule=protocol.rule,
        respects_time=protocol.respects_time,
        splits=[split.name for split in splits],
        k=k,
        seed=seed,
        samples=samples,
        users=len(users),
        new_users=int((amount == 0).sum()),
        items=round(np.mean([len(np.unique(split.train.items)) for split in splits])),
        train=round(np.mean([len(split.train) for split in splits])),
        test=sum(len(split.test) for split in splits),
        left_out=left_out,
        models=sorted(results, key=lambda result: -result.metrics[MAIN].estimate),
        differences=compare({name: value[MAIN] for name, value in values.items()}, samples, next(generators)),
    )


def _known(splits: list[Split]) -> Iterator[npt.NDArray[np.int64]]:
    """How many interactions are known of each user who is asked for, split by split."""
    for split in splits:
        past = split.train if split.history is None else split.history
        yield np.bincount(past.users, minlength=past.n_users)[split.users]


def _mean_by(row: npt.NDArray[np.int64], values: Float64s) -> Float64s:
    """The mean of the values of each user; NaN where all are."""
    real = ~np.isnan(values)
    counts = np.bincount(row[real], minlength=int(row.max()) + 1)
    sums = np.bincount(row[real], values[real], minlength=len(counts))
    means: Float64s = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _sum_by(row: npt.NDArray[np.int64], values: Float64s) -> Float64s:
    """The sum of the values [n, ...] of each user."""
    sums = np.zeros((int(row.max()) + 1, *values.shape[1:]))
    np.add.at(sums, row, values)
    return sums


def _of_whole(row: npt.NDArray[np.int64], parts: list[tuple[float, Float64s]]) -> Interval:
    """The mean over splits of what was measured on all lists of each, with an interval from leaving out each user."""
    mean = float(np.mean([whole for whole, _ in parts]))
    # Who is left out is missing in those splits alone in which he or she was asked for.
    less = _sum_by(row, np.concatenate([without - whole for whole, without in parts]))
    found = jackknife_interval(mean, mean + less / len(parts))
    return msgspec.structs.replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _group_results(amounts: Float64s, samples: int, generator: np.random.Generator) -> dict[str, GroupResult]:
    """Of float64 [users, 3, groups], as `_Lists.groups`."""
    demand, exposure = (shares_by_group(amounts[:, i], samples, generator) for i in range(2))
    found = ratio_intervals(amounts[:, 2], amounts[:, 0], samples, generator)
    return {name: GroupResult(demand[i], exposure[i], found[i]) for i, name in enumerate(POPULARITY)}


def summary(evaluation: Evaluation) -> str:
    """Which model leads, and which could be as good, in a sentence or two."""
    names = [result.name for result in evaluation.models]
    return leading(names, evaluation.differences, f"NDCG@{evaluation.k}")


def leading(names: Sequence[str], differences: Sequence[Difference], metric: str) -> str:
    """The same of any models, the best first, whose pairs were compared by a metric."""
    best, *others = names
    behind = {pair.second for pair in differences if pair.first == best and pair.significant()}
    beaten = [name for name in others if name in behind]
    level = [name for name in others if name not in behind]
    said = f"{best} leads by {metric}"
    if not others:
        return f"{said}: it is the only one."
    if beaten:
        said += f"; that it is ahead of {_listed(beaten)} is not chance"
    return f"{said}. {_listed(level)} could be as good." if level else f"{said}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def verdict(evaluation: Evaluation) -> list[str]:
    """Of the best model beside each other one: how far ahead it is, and whether that could be chance."""
    best = evaluation.models[0]
    sentences = []
    of_best = [d for d in evaluation.differences if best.name in (d.first, d.second)]
    pairs = len(evaluation.differences)
    for other in evaluation.models[1:]:
        (gap,) = [d for d in of_best if other.name in (d.first, d.second)]
        ours, theirs = best.metrics[MAIN].estimate, other.metrics[MAIN].estimate
        numbers = f"NDCG@{evaluation.k} {ours:.4f} and {theirs:.4f}"
        if gap.interval.estimate == 0:
            sentences.append(f"{best.name} and {other.name} are level ({numbers}).")
            continue
        chance = "not chance" if gap.significant() else "that could be chance"
        corrected = f", corrected for {pairs} pairs" if pairs > 1 else ""
        low, high = gap.interval.low, gap.interval.high
        sentences.append(
            f"{best.name} is ahead of {other.name} ({numbers}): {chance} (the difference lies between {low:+.4f} and"
            f" {high:+.4f} with 95 % confidence; p = {gap.corrected:.2g}{corrected})."
        )
    return sentences or [f"{best.name} has NDCG@{evaluation.k} {best.metrics[MAIN].estimate:.4f}; nothing to compare."]
