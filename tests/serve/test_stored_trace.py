"""What is kept of a request answers the same questions, in the same words."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.page import Page
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import Request
from feedmill.serve.stored_trace import Removed, StoredTrace
from feedmill.testing.pipeline_contract import NOW, World

ALONE = FanOutConfig(parallel=False)
FORGOTTEN = "no source named it; what the filters would have said of it is not known any more"


def make(world: World, **asked: Any) -> tuple[Feed, Page, StoredTrace]:
    models = Models(
        objectives=world.objectives, extractor=world.extractor, ranker=world.ranker, two_tower=world.two_tower
    )
    feed = Feed(world.catalog, world.state, models, FeedConfig(fan_out=ALONE))
    page = feed.recommend(Request(**({"user_id": "ann", "now": NOW, "limit": 5, "request_id": "r"} | asked)))
    stored = StoredTrace.of(page.trace, world.catalog, [item.why for item in page.items])
    return feed, page, msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=StoredTrace)


@pytest.mark.parametrize("user_id", ["ann", "bob", "zoe"])
def test_every_item_has_the_fate_and_the_sentence_that_it_had(user_id: str) -> None:
    world = World()
    feed, page, stored = make(world, user_id=user_id, exclude=frozenset({"item1"}))
    outcomes = set()
    for item_id in world.catalog.items.ids.names:
        live, kept = feed.explain(page.trace, item_id), stored.explanation(item_id, f"Title {item_id}")
        outcomes.add(kept.outcome)
        assert (kept.outcome, kept.sources, kept.rank) == (live.outcome, live.sources, live.rank)
        assert kept.score == (None if live.score is None else pytest.approx(live.score, rel=1e-3))
        assert kept.predictions == pytest.approx(live.predictions, rel=1e-3)
        if live.outcome == "not_a_candidate":
            assert (kept.sentence, kept.removal) == (FORGOTTEN, None)
        else:
            assert kept.removal == live.removal
            assert kept.sentence.split("; score")[0] == live.sentence.split("; score")[0]
    assert outcomes >= {"shown", "ranked_below", "removed"}


def test_an_item_that_does_not_exist_was_named_by_no_source() -> None:
    explanation = make(World())[2].explanation("nothing")
    assert (explanation.outcome, explanation.title) == ("not_a_candidate", "nothing")
    assert explanation.sentence == FORGOTTEN


def test_the_summary_counts_what_was_removed_and_tells_the_time_of_each_stage() -> None:
    _, page, stored = make(World())
    summary = stored.summary()
    assert summary.candidates == len(page.trace.candidates)
    assert sum(removed.count for removed in summary.removed) == int(np.count_nonzero(page.trace.removed >= 0))
    by_hand = [page.trace.removals[index].stage for index in page.trace.removed if index >= 0].count("seen")
    assert Removed(stage="seen", reason="you have seen it", count=by_hand) in summary.removed
    counts = [removed.count for removed in summary.removed]
    assert counts == sorted(counts, reverse=True)
    assert len({(removed.stage, removed.reason) for removed in summary.removed}) == len(summary.removed)
    assert [(run.stage, run.kind, run.left) for run in summary.stages] == [
        (run.stage, run.kind, run.left) for run in page.trace.runs
    ]
    assert [run.milliseconds for run in summary.stages] == [1000 * run.seconds for run in page.trace.runs]


def test_the_request_is_kept_as_it_was_asked() -> None:
    asked = {"surface": "wall", "context": {"tab": 1}, "exclude": frozenset({"item3"}), "limit": 7, "seed": 5}
    _, _, stored = make(World(), **asked)
    assert stored.request == Request(user_id="ann", now=NOW, request_id="r", **asked)


def test_an_empty_catalogue_leaves_a_trace_too() -> None:
    _, _, stored = make(World(items=0))
    assert stored.summary().candidates == 0
    assert stored.explanation("item0").outcome == "not_a_candidate"


def test_a_score_that_a_half_cannot_hold_is_the_largest_that_it_can() -> None:
    world = World()
    _, page, _ = make(world)
    candidates = replace(page.trace.candidates, scores=page.trace.candidates.scores * np.float32(1e20))
    trace = StoredTrace.of(replace(page.trace, candidates=candidates), world.catalog).trace()
    assert np.nanmax(np.abs(trace.candidates.scores)) == 65504.0
    assert np.isnan(trace.candidates.scores).tolist() == np.isnan(candidates.scores).tolist()


def test_five_hundred_candidates_take_a_few_kilobytes() -> None:
    world = World(items=4000)
    for user in ("ann", "bob"):
        world.state.show(user, *(f"item{number}" for number in range(0, 4000, 9)))
    generator = np.random.default_rng(0)
    _, page, _ = make(world, limit=20)
    n = 500
    rows = generator.integers(0, len(page.trace.candidates), n)
    taken = page.trace.candidates.take(rows)
    many = replace(
        page.trace,
        candidates=replace(
            taken,
            items=generator.permutation(4000)[:n].astype(np.int32),
            scores=generator.normal(size=n).astype(np.float32),
            objectives=("like", "hide", "click", "view"),
            predictions=generator.random((n, 4)).astype(np.float32),
        ),
        removed=page.trace.removed[rows],
        ranks=generator.permutation(n).astype(np.int32),
    )
    encoded = msgspec.msgpack.encode(StoredTrace.of(many, world.catalog, [item.why for item in page.items]))
    # Of each: 9 bytes of id, 1 of sources, 8 of predictions, 2 of score, 8 of removal and rank; then the stages.
    assert 500 * (9 + 1 + 8 + 2 + 8) < len(encoded) < 18_000
    assert len(zlib.compress(encoded, 1)) < 10_000
