"""Runs the stages of a feed in their fixed order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.serve.pipeline.attempt import Attempts
from feedmill.serve.pipeline.candidates import Candidates, Retrieved, Rows, merge
from feedmill.serve.pipeline.fan_out import FanOut, FanOutConfig, check_retrieved
from feedmill.serve.pipeline.meter import Meter, Outcome, StageCounts, StageRun
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import HydratedRequest, Request
from feedmill.serve.pipeline.screen import Screened, screen
from feedmill.serve.pipeline.stages import (
    Backfill,
    CandidateHydrator,
    Filter,
    RequestHydrator,
    Reranker,
    Scorer,
    Selector,
    Slate,
    Source,
    StageConfig,
)
from feedmill.serve.pipeline.trace import Removal, Trace

T = TypeVar("T")

_FILL_GROWTH = 4
"""Each further round of backfill asks for this many times as much, so that a feed whose filters remove nearly all
still reaches the end of the catalogue in few rounds."""
_BACKFILL_WEIGHT = 0.25
"""Low enough that what a source has named stands above what was only added, where no ranker has the last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of one feed; within a kind, in the order in which they run."""

    request_hydrators: tuple[RequestHydrator, ...] = ()
    sources: tuple[Source, ...]
    backfill: Backfill | None = None
    """Asked for more where filters leave less than a page."""
    candidate_hydrators: tuple[CandidateHydrator, ...] = ()
    filters: tuple[Filter, ...] = ()
    repeatable: str | None = None
    """The name of the last filter, where what it removes may come back at the end of a page that is still short."""
    scorers: tuple[Scorer, ...] = ()
    rerankers: tuple[Reranker, ...] = ()
    selector: Selector


class Refreshed(Protocol):
    """Keeps something between requests, as sources do."""

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> StageConfig: ...

    def refresh(self, now: int) -> None: ...


class Pipeline:
    """A request in, a trace out. Safe to use from several threads, as far as its stages are."""

    def __init__(
        self, stages: Stages, items: Sized, config: FanOutConfig, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        """`items` is the catalog's items; `timer` gives seconds.

        Raises InvalidArgument where `repeatable` is not the last filter: what comes back must have passed the others.
        """
        if stages.repeatable is not None and (not stages.filters or stages.filters[-1].name != stages.repeatable):
            raise InvalidArgument(f"stages: the filter {stages.repeatable}, which may yield, must be the last one")
        self.stages = stages
        self._items = items
        self._fan_out = FanOut(stages.sources, items, config, timer)
        self._timer = timer
        self._meter = Meter()
        self._weights = {source.name: source.config.weight for source in stages.sources}
        if stages.backfill is not None:
            self._weights[stages.backfill.name] = _BACKFILL_WEIGHT

    def run(self, request: Request) -> Trace:
        """The page for a request, and how it came about."""
        attempts = Attempts(self._timer)
        hydrated, safe = self._hydrated(request, attempts)
        fetched = self._fan_out.fetch(hydrated, attempts.runs) if safe else []
        screened = self._screen(hydrated, self._merge(fetched), attempts)
        if safe:
            screened = self._filled(hydrated, screened, attempts)
        ranked = self._ranked(hydrated, self._page_candidates(hydrated, screened), attempts)
        slate = self._selected(hydrated, ranked, attempts)
        self._meter.add(attempts.runs)
        return _trace(hydrated, screened, ranked, slate, attempts)

    def rank(
        self,
        request: Request,
        items: Int32s,  # int32 [n]: ordinals, each once
        source: str,
    ) -> Trace:
        """Candidates that the caller names, under the name of `source`: all that may be shown, best first.

        Of the filters only those run that fail closed: what is safe to show is ours to say, what is worth asking about
        was the caller's. Nothing is reranked or explored. Where no scorer has a say, the order stays as it is given.
        """
        attempts = Attempts(self._timer)
        hydrated, safe = self._hydrated(request, attempts)
        named = merge([Retrieved.of(items, np.zeros(len(items)))], {source: 0.0})
        if safe:
            judges = tuple(stage for stage in self.stages.filters if stage.fails_closed)
            screened = screen(self.stages.candidate_hydrators, judges, hydrated, named, attempts)
        else:
            nobody = Removal(source, "it could not be found out who asks")
            screened = Screened(named, np.zeros(len(named), np.int32), (nobody,))
        scored = self._scored(hydrated, screened.kept(), attempts)
        ranked = scored.take(np.argsort(-scored.scores, kind="stable"))
        self._meter.add(attempts.runs)
        return _trace(hydrated, screened, ranked, top(ranked, len(ranked)), attempts)

    def judge(self, request: HydratedRequest, item: int) -> Removal | None:
        """What would remove the item from this request if a source named it: for explanations."""
        named = merge([Retrieved.of(np.array([item]), np.zeros(1))], {"asked": 1.0})
        screened = self._screen(request, named, Attempts(self._timer))
        return screened.removals[screened.removed[0]] if screened.removed[0] >= 0 else None

    def refresh(self, now: int, others: Sequence[Refreshed] = ()) -> None:
        """Bring up to date what the sources, and `others`, keep between requests. One that fails keeps what it had."""
        for kept in (*self.stages.sources, *others):
            if kept.config.enabled:
                self.attempt("refresh", kept.name, partial(kept.refresh, now))

    def attempt(self, kind: str, stage: str, act: Callable[[], T]) -> T | None:
        """What `act` gives beside the stages of a page, timed and counted; None where it fails."""
        started, given, error = self._timer(), None, ""
        try:
            given = act()
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        outcome: Outcome = "failed" if error else "ok"
        self._meter.add([StageRun(stage, kind, outcome, self._timer() - started, 0, 0, error)])
        return given

    def counts(self) -> dict[str, StageCounts]:
        """What every stage has done so far, by "kind/stage"."""
        return self._meter.counts()

    def close(self) -> None:
        """Let the threads of the sources end."""
        self._fan_out.close()

    def _hydrated(self, request: Request, attempts: Attempts) -> tuple[HydratedRequest, bool]:
        """What the stages are told of a request, and whether that is enough to show anything.

        A hydrator that fails leaves its part unknown.
        """
        safe = True
        known = {field.name: getattr(request, field.name) for field in fields(Request)}
        hydrated = HydratedRequest(**known)
        for stage in self.stages.request_hydrators:
            attempt = attempts.make(stage, "request_hydrator", hydrated, 0, partial(stage.hydrate, hydrated), _none)
            hydrated = attempt.value or hydrated
            safe = safe and not (attempt.failed and stage.fails_closed)
        return hydrated, safe

    def _merge(self, fetched: list[Retrieved | None]) -> Candidates:
        room_for_backfill: list[Retrieved | None] = [None] * (len(self._weights) - len(fetched))
        return merge(fetched + room_for_backfill, self._weights)

    def _screen(self, request: HydratedRequest, candidates: Candidates, attempts: Attempts) -> Screened:
        return screen(self.stages.candidate_hydrators, self.stages.filters, request, candidates, attempts)

    def _filled(self, request: HydratedRequest, screened: Screened, attempts: Attempts) -> Screened:
        """With further candidates, until there are enough for the page or there are no more."""
        backfill = self.stages.backfill
        count = _FILL_GROWTH * request.limit
        while backfill is not None and np.count_nonzero(screened.removed < 0) < request.limit:
            call = partial(self._fill, backfill, request, screened.candidates.items, count)
            attempt = attempts.make(backfill, "backfill", request, 0, call, len)
            if attempt.value is None or not len(attempt.value):
                break
            absent: list[Retrieved | None] = [None] * len(self.stages.sources)
            named = merge([*absent, attempt.value], self._weights, first_row=len(screened.candidates))
            more = self._screen(request, named, attempts)
            screened = screened.and_then(more)
            # Unseen items come first: behind one that would be a repetition there are only more of them.
            repeats = self.stages.repeatable is not None and len(more.removed_by(self.stages.repeatable)) > 0
            if repeats or len(attempt.value) < count:
                break
            count *= _FILL_GROWTH
        return screened

    def _fill(self, backfill: Backfill, request: HydratedRequest, known: Int32s, count: int) -> Retrieved:
        more = backfill.fill(request, known, count)
        check_retrieved(backfill.name, more, len(self._items))
        if np.isin(more.items, known).any():
            raise InvalidArgument(f"backfill {backfill.name}: names items that are candidates already")
        return more

    def _page_candidates(self, request: HydratedRequest, screened: Screened) -> Candidates:
        kept = screened.kept()
        if self.stages.repeatable is None or len(kept) >= request.limit:
            return kept
        again = screened.removed_by(self.stages.repeatable)
        again = replace(again, repeated=np.ones(len(again), np.bool_))
        return Candidates.concatenate(kept, again)

    def _scored(self, request: HydratedRequest, candidates: Candidates, attempts: Attempts) -> Candidates:
        n = len(candidates)
        for scorer in self.stages.scorers:
            attempt = attempts.make(scorer, "scorer", request, n, partial(_scored, scorer, request, candidates), len)
            candidates = attempt.value if attempt.value is not None else candidates
        return candidates

    def _ranked(self, request: HydratedRequest, candidates: Candidates, attempts: Attempts) -> Candidates:
        """Scored, and best first."""
        candidates = self._scored(request, candidates, attempts)
        n = len(candidates)
        order = np.lexsort((candidates.items, -candidates.retrieval_scores, -candidates.scores, candidates.repeated))
        ranked = candidates.take(order)
        for reranker in self.stages.rerankers:
            attempt = attempts.make(
                reranker, "reranker", request, n, partial(_reranked, reranker, request, ranked), len
            )
            ranked = attempt.value if attempt.value is not None else ranked
        return ranked.take(np.argsort(ranked.repeated, kind="stable")) if ranked.repeated.any() else ranked

    def _selected(self, request: HydratedRequest, ranked: Candidates, attempts: Attempts) -> Slate:
        call = partial(_selected, self.stages.selector, request, ranked)
        attempt = attempts.make(self.stages.selector, "selector", request, len(ranked), call, _chosen)
        return attempt.value or top(ranked, request.limit)


def top(ranked: Candidates, limit: int) -> Slate:
    """The first ones, without exploration."""
    count = min(limit, len(ranked))
    return Slate(np.arange(count), np.full(count, np.nan, np.float32))


def _none(_: object) -> int:
    return 0


def _chosen(slate: Slate) -> int:
    return len(slate.chosen)


def _scored(stage: Scorer, request: HydratedRequest, candidates: Candidates) -> Candidates:
    scored = stage.score(request, candidates)
    if not np.array_equal(scored.rows, candidates.rows):
        raise InvalidArgument(f"scorer {stage.name}: changed which candidates there are, or their order")
    if len(scored.scores) != len(scored) or len(scored.predictions) != len(scored):
        raise InvalidArgument(f"scorer {stage.name}: columns of another length than the candidates")
    if not (np.isfinite(scored.scores).all() and np.isfinite(scored.predictions).all()):
        raise InvalidArgument(f"scorer {stage.name}: gives scores that are not finite numbers")
    return scored


def _reranked(stage: Reranker, request: HydratedRequest, candidates: Candidates) -> Candidates:
    reranked = stage.rerank(request, candidates)
    if not np.array_equal(np.sort(reranked.rows), np.sort(candidates.rows)):
        raise InvalidArgument(f"reranker {stage.name}: adds or loses candidates")
    return reranked


def _selected(stage: Selector, request: HydratedRequest, candidates: Candidates) -> Slate:
    slate = stage.select(request, candidates)
    if len(slate.probabilities) != len(slate.chosen) or len(set(slate.chosen.tolist())) != len(slate.chosen):
        raise InvalidArgument(f"selector {stage.name}: fills a position twice or not at all")
    return slate


def _trace(
    request: HydratedRequest,
    screened: Screened,
    ranked: Candidates,
    slate: Slate,
    attempts: Attempts,
) -> Trace:
    """Spread what is known of the ranked over all candidates."""
    everything = screened.candidates
    n = len(everything)
    rows: Rows = ranked.rows
    scores = np.full(n, np.nan, np.float32)
    scores[rows] = ranked.scores
    predictions = np.full((n, ranked.predictions.shape[1]), np.nan, np.float32)
    predictions[rows] = ranked.predictions
    feature_rows = np.full(n, -1, np.intp)
    feature_rows[rows] = ranked.feature_rows
    repeated = np.zeros(n, np.bool_)
    repeated[rows] = ranked.repeated
    ranks = np.full(n, -1, np.int32)
    ranks[np.concatenate([rows[slate.chosen], np.delete(rows, slate.chosen)])] = np.arange(len(ranked))
    return Trace(
        request=request,
        candidates=replace(
            everything,
            scores=scores,
            predictions=predictions,
            objectives=ranked.objectives,
            features=ranked.features,
            feature_rows=feature_rows,
            repeated=repeated,
        ),
        removed=screened.removed,
        removals=screened.removals,
        ranks=ranks,
        slate=rows[slate.chosen],
        probabilities=slate.probabilities,
        runs=tuple(attempts.runs),
    )
