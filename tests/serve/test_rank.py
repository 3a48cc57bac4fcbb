"""An application's own candidates, ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.errors import InvalidArgument
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import Request
from feedmill.serve.ranked import LeftOut, Ranked
from feedmill.testing.pipeline_contract import NOW, MemoryState, World


class ByNumber:
    """Likes an item the more, the later it came into the catalogue."""

    def __init__(self, world: World) -> None:
        self._keys = world.catalog.items.keys

    def predict(self, features: Features) -> Float32s:
        ordinals = np.array([np.flatnonzero(self._keys == key)[0] for key in features.ids])
        return np.stack([ordinals / 100, np.zeros(len(ordinals))], axis=1).astype(np.float32)


def feed(world: World, ranked: bool = True) -> Feed:
    models = Models(objectives=world.objectives, extractor=world.extractor, ranker=ByNumber(world) if ranked else None)
    return Feed(world.catalog, world.state, models, FeedConfig(fan_out=FanOutConfig(parallel=False)))


def rank(feed: Feed, *item_ids: str, user_id: str = "ann", **asked: Any) -> Ranked:
    return feed.rank(Request(user_id=user_id, now=NOW, request_id="r", **asked), item_ids)


def ids(ranked: Ranked) -> list[str]:
    return [item.item_id for item in ranked.page.items]


def test_candidates_stand_in_the_order_of_the_final_score() -> None:
    ranked = rank(feed(World()), "item2", "item9", "item4", user_id="zoe")
    assert ids(ranked) == ["item9", "item4", "item2"]
    assert [item.position for item in ranked.page.items] == [1, 2, 3]
    # The objective `like` weighs 2.
    assert [item.score for item in ranked.page.items] == pytest.approx([0.18, 0.08, 0.04])
    assert all(item.sources == ("asked",) and item.why and item.probability is None for item in ranked.page.items)
    assert ranked.left_out == ()
    assert ranked.page.note == ""


def test_what_may_not_be_shown_is_left_out_with_the_reason_in_the_order_in_which_it_was_asked() -> None:
    # ann has hidden item14, blocks the author of item5; item12 is invisible, item11 has expired.
    ranked = rank(feed(World()), "item14", "item2", "nothing", "item12", "item5", "item11", "item3")
    assert ids(ranked) == ["item3", "item2"]
    assert ranked.left_out == (
        LeftOut("item14", "you have hidden it"),
        LeftOut("nothing", "there is no item with this id"),
        LeftOut("item12", "it is not visible"),
        LeftOut("item5", "you have blocked its author"),
        LeftOut("item11", "it has expired"),
    )


def test_what_the_user_has_seen_or_the_request_excludes_is_ranked_all_the_same() -> None:
    world = World()
    world.state.show("bob", "item1")
    ranked = rank(feed(world), "item1", "item2", user_id="bob", exclude=frozenset({"item2"}), limit=1)
    assert ids(ranked) == ["item2", "item1"]


def test_without_a_ranker_the_order_stays_as_it_is_given() -> None:
    given = ["item9", "item2", "item30", "item4"]
    assert ids(rank(feed(World(), ranked=False), *given, user_id="zoe")) == given


def test_a_thousand_candidates_are_all_ranked() -> None:
    world = World(items=1_000)
    ranked = rank(feed(world), *(f"item{number}" for number in range(1_000)), user_id="zoe")
    assert len(ranked.page.items) + len(ranked.left_out) == 1_000
    # Of each twenty one has expired, one is invisible and one is for ann.
    assert len(ranked.left_out) == 150


def test_the_page_can_be_logged_with_the_features_that_ranked_it() -> None:
    world = World()
    ranked = rank(feed(world), "item2", "nothing", "item9", user_id="zoe")
    features = ranked.page.trace.features
    assert features is not None
    keys = world.catalog.items.keys
    assert features.ids.tolist() == [keys[9], keys[2]]
    assert [item.item_id for item in ranked.page.served_items()] == ["item9", "item2"]


def test_stages_are_counted_and_timed_as_in_a_feed() -> None:
    serving = feed(World())
    ranked = rank(serving, "item2", "item12")
    counts = serving.counts()
    assert (counts["filter/visibility"].entered, counts["filter/visibility"].left) == (2, 1)
    assert counts["scorer/ranker"].runs == 1
    assert "filter/seen" not in counts
    assert {"filter/visibility", "scorer/ranker", "scorer/weighted"} <= set(ranked.page.timings)


def test_every_candidate_can_be_explained() -> None:
    serving = feed(World())
    trace = rank(serving, "item2", "item12").page.trace
    assert serving.explain(trace, "item2").sentence == "on the page at position 1: one of those asked about"
    assert serving.explain(trace, "item12").sentence == "removed by the filter visibility: it is not visible"
    assert serving.explain(trace, "item3").outcome == "not_a_candidate"


def test_when_safety_cannot_be_judged_nothing_is_ranked() -> None:
    class Forgetful(MemoryState):
        def hidden(self, user: int, items: Int32s) -> np.ndarray[Any, np.dtype[np.bool_]]:
            raise OSError("the store is away")

    world = World()
    serving = Feed(world.catalog, Forgetful(world.catalog), Models(objectives={}))
    ranked = rank(serving, "item2")
    assert ranked.page.items == ()
    assert ranked.left_out == (LeftOut("item2", "it could not be judged"),)


def test_no_ids_too_many_ids_and_one_that_stands_there_twice_are_refused() -> None:
    serving = feed(World())
    with pytest.raises(InvalidArgument, match="item_ids: must be from 1 to 1,000 ids, not 0"):
        rank(serving)
    with pytest.raises(InvalidArgument, match="not 1,001"):
        rank(serving, *(str(number) for number in range(1_001)))
    with pytest.raises(InvalidArgument, match="'item2' stands there twice"):
        rank(serving, "item2", "item3", "item2")
