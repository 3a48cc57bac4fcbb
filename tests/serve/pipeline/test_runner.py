from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.serve.pipeline.candidates import Candidates, Retrieved
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import HydratedRequest, Request
from feedmill.serve.pipeline.runner import Pipeline, Stages
from feedmill.serve.pipeline.stages import (
    Backfill,
    Filter,
    RequestHydrator,
    Reranker,
    Scorer,
    Source,
    SourceConfig,
    StageConfig,
    Verdict,
)
from feedmill.serve.pipeline.trace import Trace
from feedmill.serve.selectors.fresh_positions import FreshPositionsSelector

ITEMS = range(100)
REQUEST = Request(user_id="ann", now=0, limit=3)


class Named(Source):
    name: ClassVar[str] = "named"

    def __init__(self, *items: int) -> None:
        self._items = np.array(items, np.int32)
        self._config = SourceConfig()

    @property
    def config(self) -> SourceConfig:
        return self._config

    def fetch(self, request: HydratedRequest) -> Retrieved:
        return Retrieved.of(self._items, np.zeros(len(self._items)))

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "named"


class Plain:
    """What the stages of this file have in common."""

    config = StageConfig()


class Rest(Plain, Backfill):
    """Items 50, 51 ... 59."""

    name: ClassVar[str] = "rest"

    def fill(self, request: HydratedRequest, known: Int32s, count: int) -> Retrieved:
        items = np.setdiff1d(np.arange(50, 60), known)[:count]
        return Retrieved.of(items, np.zeros(len(items)))

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "rest"


class Without(Plain, Filter):
    """Removes some items."""

    name: ClassVar[str] = "without"

    def __init__(self, *items: int) -> None:
        self._items = items

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        return Verdict.removing(np.isin(candidates.items, self._items), "it is out")


class Breaks(Plain, Filter):
    name: ClassVar[str] = "breaks"

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        raise KeyError("gone")


class BreaksClosed(Breaks):
    name: ClassVar[str] = "breaks_closed"
    fails_closed: ClassVar[bool] = True


class ByOrdinal(Plain, Scorer):
    """The higher the ordinal, the better."""

    name: ClassVar[str] = "by_ordinal"

    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        return replace(candidates, scores=candidates.items.astype(np.float32))


class NotFinite(Plain, Scorer):
    name: ClassVar[str] = "not_finite"

    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        return replace(candidates, scores=np.full(len(candidates), np.nan, np.float32))


class Loses(Plain, Reranker):
    name: ClassVar[str] = "loses"

    def rerank(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        return candidates.take(np.arange(1))


class Nobody(Plain, RequestHydrator):
    name: ClassVar[str] = "nobody"
    fails_closed: ClassVar[bool] = True

    def hydrate(self, request: HydratedRequest) -> HydratedRequest:
        raise ConnectionError("no users")


def pipeline(*sources: Source, **stages: object) -> Pipeline:
    known: dict[str, object] = {"sources": sources, "selector": FreshPositionsSelector(), "scorers": (ByOrdinal(),)}
    return Pipeline(Stages(**(known | stages)), ITEMS, FanOutConfig(parallel=False))  # type: ignore[arg-type]


def page(trace: Trace) -> list[int]:
    return trace.candidates.items[trace.slate].tolist()


def test_the_best_of_what_filters_keep_is_the_page() -> None:
    trace = pipeline(Named(1, 5, 2, 4, 3), filters=(Without(4),)).run(REQUEST)
    assert page(trace) == [5, 3, 2]
    assert [trace.fate(item).outcome for item in (5, 1, 4, 9)] == [
        "shown",
        "ranked_below",
        "removed",
        "not_a_candidate",
    ]
    assert (trace.fate(5).rank, trace.fate(1).rank) == (1, 4)
    removal = trace.fate(4).removal
    assert removal is not None
    assert (removal.stage, removal.reason) == ("without", "it is out")


def test_the_filter_that_removed_an_item_first_is_the_one_that_is_named() -> None:
    class Also(Without):
        name: ClassVar[str] = "also"

    trace = pipeline(Named(1, 2), filters=(Without(1), Also(1, 2))).run(REQUEST)
    removed = [trace.fate(item).removal for item in (1, 2)]
    assert [removal and removal.stage for removal in removed] == ["without", "also"]


def test_a_filter_that_fails_open_removes_nothing_and_one_that_fails_closed_removes_all() -> None:
    assert page(pipeline(Named(1, 2), filters=(Breaks(),)).run(REQUEST)) == [2, 1]
    closed = pipeline(Named(1, 2), filters=(BreaksClosed(),))
    trace = closed.run(REQUEST)
    assert page(trace) == []
    removal = trace.fate(1).removal
    assert removal is not None
    assert removal.reason == "it could not be judged"
    assert closed.counts()["filter/breaks_closed"].failed == 1


def test_nothing_is_shown_to_somebody_who_could_not_be_identified() -> None:
    trace = pipeline(Named(1, 2), backfill=Rest(), request_hydrators=(Nobody(),)).run(REQUEST)
    assert page(trace) == []


def test_a_scorer_that_fails_leaves_the_scores_of_the_sources() -> None:
    trace = pipeline(Named(1, 5, 2), scorers=(NotFinite(),)).run(REQUEST)
    assert page(trace) == [1, 5, 2]
    assert [run.outcome for run in trace.runs if run.stage == "not_finite"] == ["failed"]


def test_a_reranker_that_loses_candidates_is_stepped_over() -> None:
    assert page(pipeline(Named(1, 5, 2), rerankers=(Loses(),)).run(REQUEST)) == [5, 2, 1]


def test_a_page_that_would_be_short_is_filled_from_the_rest_of_the_catalogue() -> None:
    trace = pipeline(Named(1, 2), backfill=Rest(), filters=(Without(2, 50, 51),)).run(REQUEST)
    # All of the rest is ranked together with what the sources named.
    assert page(trace) == [59, 58, 57]
    assert trace.fate(59).sources == ("rest",)
    assert trace.fate(1).sources == ("named",)
    removal = trace.fate(50).removal
    assert removal is not None
    assert removal.stage == "without"


def test_a_page_that_is_full_is_not_filled() -> None:
    trace = pipeline(Named(1, 2, 3), backfill=Rest()).run(REQUEST)
    assert [run.kind for run in trace.runs] == ["source", "scorer", "selector"]


def test_backfill_goes_on_until_the_filters_leave_enough_or_there_is_no_more() -> None:
    class Many(Rest):
        def fill(self, request: HydratedRequest, known: Int32s, count: int) -> Retrieved:
            items = np.setdiff1d(np.arange(100), known)[:count]
            return Retrieved.of(items, np.zeros(len(items)))

    trace = pipeline(Named(), backfill=Many(), filters=(Without(*range(98)),)).run(REQUEST)
    assert page(trace) == [99, 98]
    # 12, 48 and then the last 40 of 192.
    assert [run.left for run in trace.runs if run.kind == "backfill"] == [12, 48, 40]


def test_what_may_be_repeated_comes_back_last_and_only_while_the_page_is_short() -> None:
    filters = (Without(9, 8),)
    full = pipeline(Named(9, 1, 2, 3), filters=filters, repeatable="without").run(REQUEST)
    assert page(full) == [3, 2, 1]
    short = pipeline(Named(9, 8, 1), filters=filters, repeatable="without").run(REQUEST)
    assert page(short) == [1, 9, 8]
    assert short.candidates.repeated[short.slate].tolist() == [False, True, True]
    never = pipeline(Named(9, 8, 1), filters=filters).run(REQUEST)
    assert page(never) == [1]


def test_only_the_last_filter_may_be_the_one_that_yields() -> None:
    with pytest.raises(InvalidArgument, match="without"):
        pipeline(Named(1), filters=(Without(1), Breaks()), repeatable="without")


def test_every_stage_is_timed_and_counted() -> None:
    feed = pipeline(Named(1, 5, 2), filters=(Without(5),))
    feed.run(REQUEST)
    feed.run(REQUEST)
    counts = feed.counts()
    assert list(counts) == ["source/named", "filter/without", "scorer/by_ordinal", "selector/fresh_positions"]
    assert [(count.runs, count.entered, count.left) for count in counts.values()] == [
        (2, 0, 6), (2, 6, 4), (2, 4, 4), (2, 4, 4),
    ]  # fmt: skip
    assert all(count.seconds > 0 for count in counts.values())


def test_a_request_for_no_items_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="limit"):
        Request(user_id="ann", now=0, limit=0)
