"""Items like an item."""

from __future__ import annotations

from typing import Any

import pytest

from feedmill.domain.errors import ConfigError, InvalidArgument, NotFound
from feedmill.domain.records import Audience, Item
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.similar import SimilarConfig
from feedmill.testing.pipeline_contract import NOW, World


def world(**items: Item) -> World:
    made = World(items=0)
    for item_id, item in items.items():
        made.catalog.items.put(item_id, item)
    return made


def feed(made: World, vectors: bool = False, **config: Any) -> Feed:
    models = Models(objectives={}, two_tower=made.two_tower if vectors else None)
    return Feed(made.catalog, made.state, models, FeedConfig(**({"fan_out": FanOutConfig(parallel=False)} | config)))


def similar(serving: Feed, item_id: str, limit: int = 10) -> dict[str, str]:
    """Ids and reasons, in order."""
    return {found.item_id: found.why for found in serving.similar(item_id, limit, NOW)}


def test_what_the_same_people_like_comes_first_and_what_shares_the_rarer_key_next() -> None:
    made = world(
        cats=Item(title="Cats", author_id="eve", tags=("pets",)),
        together=Item(),
        same_author=Item(author_id="eve"),
        **{f"pet{number}": Item(tags=("pets",)) for number in range(3)},
    )
    for user in ("u1", "u2"):
        made.state.act(user, "cats", 1.0)
        made.state.act(user, "together", 1.0)
    found = similar(feed(made), "cats")
    assert list(found)[:2] == ["together", "same_author"]
    assert set(found) == {"together", "same_author", "pet0", "pet1", "pet2"}
    assert found["together"] == "people who liked Cats liked this too"
    assert found["same_author"] == "from the same author"
    assert found["pet0"] == "matches pets"


def test_scores_are_the_reciprocal_rank_fusion_of_the_leads() -> None:
    made = world(a=Item(tags=("x",)), b=Item(tags=("x",)), c=Item())
    for item_id in ("a", "b"):
        made.state.act("u1", item_id, 1.0)
    for user in ("u2", "u3"):
        for item_id in ("a", "c"):
            made.state.act(user, item_id, 1.0)
    scores = {found.item_id: found.score for found in feed(made).similar("a", 10, NOW)}
    # Co-visits: c before b, at weight 1. Shared: b alone, at a quarter.
    assert scores == pytest.approx({"b": 1 / 62 + 0.25 / 61, "c": 1 / 61})


def test_near_vectors_lead_to_items_that_share_nothing_else() -> None:
    # A vector of the world's two-tower says which category an item has, and shared keys count nothing here.
    made = world(a=Item(title="A", categories=("one",)), b=Item(categories=("one",)), c=Item(categories=("two",)))
    serving = feed(made, vectors=True, similar=SimilarConfig(shared=0.0))
    assert similar(serving, "a", limit=1) == {"b": "goes to the same people as A"}


def test_a_cold_item_in_an_empty_home_leads_to_what_shares_tags_categories_or_its_author() -> None:
    made = world(
        new=Item(author_id="eve", categories=("c",), tags=("t",)),
        author=Item(author_id="eve"),
        category=Item(categories=("c",)),
        tag=Item(tags=("t",)),
        nothing=Item(tags=("other",)),
        all_three=Item(author_id="eve", categories=("c",), tags=("t",)),
    )
    found = similar(feed(made), "new")
    assert next(iter(found)) == "all_three"
    assert set(found) == {"author", "category", "tag", "all_three"}


def test_an_item_that_shares_nothing_with_any_other_leads_to_the_popular_ones() -> None:
    made = world(alone=Item(tags=("x",)), a=Item(), b=Item())
    made.state.act("u1", "b", 1.0)
    made.state.act("u1", "alone", -1.0)
    assert similar(feed(made), "alone") == {"b": "popular here", "a": "popular here"}


def test_what_may_not_be_shown_to_everybody_is_like_nothing() -> None:
    tags = ("t",)
    made = world(
        a=Item(tags=tags), dark=Item(tags=tags, visible=False), over=Item(tags=tags, expires_at=NOW),
        few=Item(tags=tags, audience=Audience(users=("ann",))), gone=Item(tags=tags), good=Item(tags=tags),
    )  # fmt: skip
    for item_id in ("a", "dark", "over", "few", "gone", "good"):
        made.state.act("u1", item_id, 1.0)
    made.catalog.items.put("gone", None)
    assert list(similar(feed(made), "a")) == ["good"]
    made.catalog.items.put("good", None)
    assert list(similar(feed(made), "a")) == []


def test_an_item_that_came_after_the_last_request_is_found_by_the_next() -> None:
    made = world(a=Item(tags=("t",)))
    serving = feed(made)
    assert similar(serving, "a") == {}
    made.catalog.items.put("b", Item(title="B", tags=("t",)))
    assert [(found.item_id, found.title) for found in serving.similar("a", 10, NOW)] == [("b", "B")]
    assert list(similar(serving, "b")) == ["a"]


def test_as_many_are_given_as_asked_for_also_beyond_the_depth() -> None:
    made = world(**{f"i{number}": Item(tags=("t",)) for number in range(50)})
    serving = feed(made, similar=SimilarConfig(depth=5))
    assert [len(similar(serving, "i0", limit)) for limit in (1, 5, 30, 1_000)] == [1, 5, 30, 49]


def test_unknown_and_deleted_items_are_not_found_and_limits_are_checked() -> None:
    made = world(a=Item(), gone=Item())
    made.catalog.items.put("gone", None)
    serving = feed(made)
    for item_id in ("nothing", "gone"):
        with pytest.raises(NotFound, match=f"item '{item_id}': there is no item with this id"):
            similar(serving, item_id)
    for limit in (0, 1_001):
        with pytest.raises(InvalidArgument, match="limit: must be from 1 to 1000"):
            similar(serving, "a", limit)
    with pytest.raises(ConfigError, match="shared"):
        SimilarConfig(shared=-1)


def test_switched_off_it_keeps_nothing_and_gives_what_is_popular() -> None:
    made = world(a=Item(tags=("t",)), b=Item(tags=("t",)))
    assert similar(feed(made, similar=SimilarConfig(enabled=False)), "a") == {"b": "popular here"}


def test_a_lead_that_fails_costs_its_items_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(a=Item(tags=("t",)), b=Item(tags=("t",)), c=Item())
    made.state.act("u1", "a", 1.0)
    made.state.act("u1", "c", 1.0)
    serving = feed(made)

    def fail(item: int, limit: int) -> None:
        raise RuntimeError("the model has diverged")

    monkeypatch.setattr(made.state, "neighbours", fail)
    assert list(similar(serving, "a")) == ["b"]
    counts = serving.counts()["similar/co_visitation"]
    assert (counts.runs, counts.failed, counts.last_error) == (1, 1, "RuntimeError: the model has diverged")
