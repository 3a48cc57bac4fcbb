"""The feed of the holdout."""

from __future__ import annotations

import msgspec

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.records import Item
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig, popularity_config
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import Request
from feedmill.serve.pipeline.stages import SourceConfig
from feedmill.serve.retrieval.liked import LikedConfig
from feedmill.testing.pipeline_contract import NOW, World

TUNED = FeedConfig(
    fan_out=FanOutConfig(parallel=False), trending=SourceConfig(limit=3, weight=0.001), liked=LikedConfig(weight=9.0)
)


def feed(world: World, config: FeedConfig = TUNED) -> Feed:
    """With all that the world has learned."""
    models = Models(
        objectives=world.objectives, extractor=world.extractor, ranker=world.ranker, two_tower=world.two_tower
    )
    return Feed(world.catalog, world.state, models, popularity_config(config))


def ids(serving: Feed, user_id: str, limit: int = 20) -> list[str]:
    page = serving.recommend(Request(user_id=user_id, now=NOW, limit=limit, request_id="r"))
    assert all(item.probability is None and item.predictions == {} for item in page.items)
    return [item.item_id for item in page.items]


def popular_world() -> World:
    """Item i has been liked by 30 - i users; those from item 20 on by nobody, the later ones being newer."""
    world = World(items=0)
    for number in range(200):
        author, category = f"a{number % 5}", f"c{number % 3}"
        world.catalog.items.put(
            f"i{number}", Item(author_id=author, categories=(category,), created_at=NOW - 400 * DAY + number * HOUR)
        )
    for number in range(20):
        for user in range(30 - number):
            world.state.act(f"u{user}", f"i{number}", 1.0)
    return world


def test_the_most_liked_stand_first_and_then_the_newest() -> None:
    world = popular_world()
    page = ids(feed(world), "zoe", limit=150)
    assert page == [*(f"i{number}" for number in range(20)), *(f"i{number}" for number in range(199, 69, -1))]


def test_two_users_with_different_tastes_get_the_same_page() -> None:
    world = popular_world()
    for number in (25, 30, 40):
        world.state.act("ann", f"i{number}", 1.0, at=NOW - 300 * DAY)
    world.state.relate("ann", "follow", "a1")
    for number in (61, 62, 63):
        world.state.act("bob", f"i{number}", 1.0, at=NOW - 300 * DAY)
    assert ids(feed(world), "ann") == ids(feed(world), "bob") == ids(feed(world), "zoe")


def test_filters_take_their_items_out_and_the_rest_stays_in_order() -> None:
    world = popular_world()
    world.state.relate("ann", "block", "a1")
    world.state.show("ann", "i0", "i3")
    world.state.act("ann", "i5", -1.0, hides=True)
    whole = ids(feed(world), "zoe", limit=200)
    page = ids(feed(world), "ann", limit=50)
    out = {"i0", "i3", "i5", *(f"i{number}" for number in range(1, 200, 5))}
    assert page == [item_id for item_id in whole if item_id not in out][:50]


def test_who_has_seen_all_that_is_popular_gets_the_next_in_order() -> None:
    world = popular_world()
    whole = ids(feed(world), "zoe", limit=200)
    world.state.show("eva", *whole[:130])
    assert ids(feed(world), "eva") == whole[130:150]


def test_the_configuration_keeps_the_filters_and_what_is_said_of_calling_sources() -> None:
    config = popularity_config(TUNED)
    filters = ("excluded", "visibility", "expired", "blocked_authors", "hidden", "negative_feedback", "seen")
    for name in (*filters, "fan_out", "repeat_seen_when_short"):
        assert getattr(config, name) == getattr(TUNED, name)
    assert msgspec.toml.decode(msgspec.toml.encode(config), type=FeedConfig) == config
