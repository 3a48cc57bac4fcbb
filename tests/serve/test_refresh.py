"""Who brings up to date what sources keep between requests."""

from __future__ import annotations

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import MINUTE
from feedmill.domain.records import Item
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import Request
from feedmill.serve.retrieval.liked import LikedConfig
from feedmill.testing.pipeline_contract import NOW, MemoryTwoTower, World


def feed(items: int) -> tuple[World, Feed]:
    world = World(items=0)
    for number in range(items):
        world.catalog.items.put(f"item{number}", Item())
    return world, Feed(
        world.catalog, world.state, Models(objectives={}), FeedConfig(fan_out=FanOutConfig(parallel=False))
    )


def refreshed(serving: Feed) -> int:
    return serving.counts()["refresh/trending"].runs


def ask(serving: Feed, now: int) -> None:
    serving.recommend(Request(user_id="zoe", now=now))
    serving.similar("item0", 10, now)


def test_a_feed_that_nobody_refreshes_does_it_itself() -> None:
    _, serving = feed(3_000)
    ask(serving, NOW)
    assert refreshed(serving) == 2
    ask(serving, NOW + 11_000)
    assert refreshed(serving) == 4


def test_no_request_refreshes_where_somebody_else_does_it() -> None:
    _, serving = feed(3_000)
    serving.refresh(NOW)
    ask(serving, NOW + MINUTE - 1)
    assert refreshed(serving) == 1
    serving.refresh(NOW + MINUTE - 1)
    ask(serving, NOW + MINUTE)
    assert refreshed(serving) == 2
    # Whoever did it has ended.
    ask(serving, NOW + 3 * MINUTE)
    assert refreshed(serving) == 4


def test_in_a_small_catalogue_what_has_just_been_put_is_there_all_the_same() -> None:
    world, serving = feed(3)
    serving.refresh(NOW)
    world.catalog.items.put("new", Item(tags=("t",)))
    world.catalog.items.put("newer", Item(tags=("t",)))
    assert [found.item_id for found in serving.similar("new", 10, NOW)] == ["newer"]


class BrokenTwoTower(MemoryTwoTower):
    """Gives no vectors of items."""

    asked = 0

    def item_vectors(self, items: Int32s) -> Float32s:
        self.asked += 1
        raise MemoryError("no room for an index")


def test_an_index_that_cannot_be_made_costs_the_feed_nothing_but_its_items() -> None:
    world = World()
    broken = BrokenTwoTower(world.catalog, world.state)
    serving = Feed(world.catalog, world.state, Models(objectives={}, two_tower=broken))
    serving.refresh(NOW)
    # What Similar shares with the sources is not made twice.
    assert broken.asked == 1
    counts = serving.counts()["refresh/two_tower"]
    assert (counts.runs, counts.failed, counts.last_error) == (1, 1, "MemoryError: no room for an index")
    assert "refresh/similar" not in serving.counts()
    assert len(serving.recommend(Request(user_id="ann", now=NOW, limit=5)).items) == 5


def test_similar_items_keep_their_postings_where_the_source_of_liked_tags_is_off() -> None:
    world = World()
    config = FeedConfig(liked=LikedConfig(enabled=False), fan_out=FanOutConfig(parallel=False))
    serving = Feed(world.catalog, world.state, Models(objectives={}), config)
    serving.refresh(NOW)
    assert serving.counts()["refresh/similar"].runs == 1
    assert "refresh/liked" not in serving.counts()
    assert "from the same author" in {found.why for found in serving.similar("item0", 50, NOW)}
