from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.clock import DAY
from feedmill.domain.errors import ConfigError
from feedmill.domain.records import Item
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.page import Page, PageItem
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import Request
from feedmill.serve.pipeline.stages import SourceConfig, StageConfig
from feedmill.serve.scorers.interests import InterestsConfig
from feedmill.serve.scorers.weighted import WeightedConfig
from feedmill.stream.features.pack import unpack
from feedmill.testing.pipeline_contract import NOW, MemoryState, World

ALONE = FanOutConfig(parallel=False)


def feed(world: World, models: Models | None = None, **config: Any) -> Feed:
    every = Models(
        objectives=world.objectives, extractor=world.extractor, ranker=world.ranker, two_tower=world.two_tower
    )
    return Feed(world.catalog, world.state, models or every, FeedConfig(**({"fan_out": ALONE} | config)))


def ids(page: Page) -> list[str]:
    return [item.item_id for item in page.items]


def ask(user_id: str = "ann", **changes: Any) -> Request:
    return Request(**({"user_id": user_id, "now": NOW, "request_id": "r"} | changes))


@pytest.mark.parametrize("user_id", ["ann", "bob", "zoe"])
def test_known_new_and_hardly_known_users_get_twenty_different_items_with_reasons(user_id: str) -> None:
    page = feed(World()).recommend(ask(user_id))
    assert len(set(ids(page))) == 20
    assert [item.position for item in page.items] == list(range(1, 21))
    assert all(item.why and item.title.startswith("Title ") and item.sources for item in page.items)
    assert all(set(item.predictions) == {"like", "hide"} for item in page.items)
    assert page.note == ""


def test_the_final_score_is_the_configured_weighing_of_the_predictions() -> None:
    weighted, interests = WeightedConfig(weights={"hide": -3.0}), InterestsConfig(enabled=False)
    page = feed(World(), weighted=weighted, interests=interests).recommend(ask())
    for item in page.items:
        assert item.score == pytest.approx(2 * item.predictions["like"] - 3 * item.predictions["hide"], rel=1e-5)


def test_nothing_on_the_page_is_seen_hidden_expired_invisible_or_of_a_blocked_author() -> None:
    world = World()
    page = feed(world).recommend(ask("ann", exclude=frozenset({"item1"})))
    numbers = [int(item_id.removeprefix("item")) for item_id in ids(page)]
    assert not [n for n in numbers if n % 7 == 0 or n % 20 in (11, 12) or n % 6 == 5 or n == 1]
    assert not [
        n for n in (int(i.removeprefix("item")) for i in ids(feed(world).recommend(ask("zoe")))) if n % 20 == 13
    ]


def test_side_by_side_and_one_after_another_the_page_is_the_same() -> None:
    world = World()
    patient = SourceConfig(deadline_ms=60_000)
    default = FeedConfig()
    together = feed(
        world, fan_out=FanOutConfig(), trending=patient,
        **{name: msgspec.structs.replace(getattr(default, name), deadline_ms=60_000)
           for name in ("two_tower", "co_visitation", "liked", "fresh")},
    )  # fmt: skip
    assert ids(together.recommend(ask())) == ids(feed(world).recommend(ask()))
    together.close()


def test_many_requests_at_once_get_what_each_would_get_alone() -> None:
    world = World()
    serving = feed(world)
    users = ["ann", "bob", "zoe"] * 5
    pages: dict[int, list[str]] = {}

    def serve(number: int) -> None:
        pages[number] = ids(serving.recommend(ask(users[number])))

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(len(users))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(pages[number] == ids(feed(world).recommend(ask(user))) for number, user in enumerate(users))


def test_an_empty_catalogue_gives_an_empty_page_that_says_so() -> None:
    page = feed(World(items=0)).recommend(ask("zoe"))
    assert page.items == ()
    assert page.note == "0 of 20: the catalogue has no more that this user may be shown"


def test_a_catalogue_of_three_gives_a_page_of_three() -> None:
    page = feed(World(items=3)).recommend(ask("zoe"))
    assert sorted(ids(page)) == ["item0", "item1", "item2"]
    assert page.note == "3 of 20: the catalogue has no more that this user may be shown"


def test_seen_items_come_back_last_and_marked_when_there_is_nothing_else() -> None:
    world = World(items=5)
    world.state.show("bob", "item1", "item2")
    page = feed(world).recommend(ask("bob"))
    assert sorted(ids(page)[:2]) == ["item3", "item4"]
    assert sorted(ids(page)[2:]) == ["item0", "item1", "item2"]
    assert [item.repeated for item in page.items] == [False, False, True, True, True]
    assert all(("you have seen it" in item.why) == item.repeated for item in page.items)
    assert page.note.endswith("3 of them seen before")
    never = feed(world, repeat_seen_when_short=False).recommend(ask("bob"))
    assert sorted(ids(never)) == ["item3", "item4"]


def test_what_sources_do_not_name_still_fills_the_page() -> None:
    world = World(items=0)
    for number in range(300):
        world.catalog.items.put(f"item{number}", Item(created_at=NOW - 300 * DAY))
    world.state.show("bob", *(f"item{number}" for number in range(285)))
    page = feed(world, trending=SourceConfig(limit=5)).recommend(ask("bob"))
    assert len(set(ids(page))) == 20
    assert {f"item{number}" for number in range(285, 300)} == set(ids(page)[:15])
    assert all(item.repeated for item in page.items[15:])


def test_exploration_stands_where_it_is_set_aside_and_its_probability_is_on_the_page() -> None:
    page = feed(World()).recommend(ask("zoe"))
    explored = [item for item in page.items if item.probability is not None]
    assert [item.position for item in explored] == [5, 15]
    assert all("fresh" in item.sources and item.why == "new here" for item in explored)


def test_why_not_has_an_answer_for_every_item() -> None:
    world = World()
    serving = feed(world)
    trace = serving.recommend(ask("ann", limit=5)).trace
    shown = serving.explain(trace, world.catalog.items.ids.names[trace.candidates.items[trace.slate[0]]])
    assert shown.sentence.startswith("on the page at position 1: ")
    seen = serving.explain(trace, "item7")
    assert (seen.outcome, seen.removal and seen.removal.stage) == ("removed", "seen")
    blocked = serving.explain(trace, "item5")
    assert "blocked_authors" in blocked.sentence
    assert "you have blocked its author" in blocked.sentence
    assert serving.explain(trace, "item12").sentence.endswith("it is not visible")
    assert serving.explain(trace, "nothing").outcome == "no_such_item"
    outcomes = {serving.explain(trace, item_id).outcome for item_id in world.catalog.items.ids.names}
    assert outcomes == {"shown", "ranked_below", "removed", "not_a_candidate"}
    for item_id in world.catalog.items.ids.names:
        explanation = serving.explain(trace, item_id)
        if explanation.outcome == "ranked_below":
            assert explanation.rank is not None
            assert explanation.rank > 5
            assert explanation.sentence.startswith(f"ranked {explanation.rank} of ")


def test_an_item_that_no_source_named_is_told_what_would_have_removed_it() -> None:
    world = World()
    nothing = StageConfig(enabled=False)
    serving = feed(world, catalogue=nothing, trending=SourceConfig(limit=1))
    explanation = serving.explain(ask("zoe", limit=1), "item11")
    assert explanation.outcome == "not_a_candidate"
    assert explanation.sentence == "no source named it; the filter expired would have removed it: it has expired"


def test_a_ranker_that_fails_leaves_a_page_in_the_order_of_the_sources() -> None:
    class Broken:
        def predict(self, features: Features) -> Float32s:
            raise RuntimeError("weights are gone")

    world = World()
    serving = feed(world, Models(objectives=world.objectives, extractor=world.extractor, ranker=Broken()))
    page = serving.recommend(ask())
    assert len(page.items) == 20
    assert page.items[0].predictions == {}
    assert serving.counts()["scorer/ranker"].failed == 1
    assert serving.counts()["scorer/ranker"].last_error == "RuntimeError: weights are gone"


def test_a_state_that_loses_one_answer_costs_one_source() -> None:
    class Lonely(MemoryState):
        def neighbours(self, item: int, limit: int) -> tuple[Int32s, Float32s]:
            raise OSError("the store is away")

    world = World()
    lonely = Lonely(world.catalog)
    lonely.act("ann", "item0", 1.0)
    serving = Feed(world.catalog, lonely, Models(objectives={}), FeedConfig(fan_out=ALONE))
    page = serving.recommend(ask())
    assert len(page.items) == 20
    assert serving.counts()["source/co_visitation"].failed == 1


def test_a_state_that_cannot_say_what_is_hidden_shows_nothing() -> None:
    class Forgetful(MemoryState):
        def hidden(self, user: int, items: Int32s) -> np.ndarray[Any, np.dtype[np.bool_]]:
            raise OSError("the store is away")

    world = World()
    serving = Feed(world.catalog, Forgetful(world.catalog), Models(objectives={}), FeedConfig(fan_out=ALONE))
    page = serving.recommend(ask())
    assert page.items == ()
    assert page.note == "0 of 20: what was needed to show more has failed (hidden)"


def test_without_any_model_the_feed_goes_by_its_other_sources() -> None:
    world = World()
    page = feed(world, Models(objectives={})).recommend(ask())
    assert len(set(ids(page))) == 20
    assert not any("two_tower" in item.sources for item in page.items)


def test_the_page_is_logged_with_the_features_that_ranked_it() -> None:
    world = World()
    page = feed(world).recommend(ask())
    packed = page.packed_features()
    assert packed is not None
    keys = [world.catalog.items.keys[world.catalog.items.ids.find(item_id)] for item_id in ids(page)]
    assert unpack(packed, 20).ids.tolist() == keys
    assert feed(world, Models(objectives={})).recommend(ask()).packed_features() is None


def test_what_is_logged_of_the_positions_is_enough_to_answer_the_page_again() -> None:
    world = World(items=5)
    world.state.show("bob", "item1", "item2")
    page = feed(world).recommend(ask("bob"))
    for item, served in zip(page.items, page.served_items(), strict=True):
        again = PageItem(
            served.position, served.item_id, item.title, served.sources, served.predictions, served.score,
            served.probability, served.why, served.repeated,
        )  # fmt: skip
        assert again == item


def test_what_happens_between_two_requests_shows_in_the_second() -> None:
    world = World()
    serving = feed(world)
    first = serving.recommend(ask("bob"))
    world.state.show("bob", *ids(first))
    second = serving.recommend(ask("bob", request_id="r2"))
    assert not set(ids(first)) & set(ids(second))
    assert len(ids(second)) == 20


def test_the_configuration_round_trips_and_names_what_it_does_not_know() -> None:
    config = FeedConfig(weighted=WeightedConfig(weights={"like": 3.0}), trending=SourceConfig(limit=7))
    assert msgspec.json.decode(msgspec.json.encode(config), type=FeedConfig) == config
    assert msgspec.toml.decode(msgspec.toml.encode(config), type=FeedConfig) == config
    with pytest.raises(msgspec.ValidationError, match="limt"):
        msgspec.convert({"trending": {"limt": 1}}, FeedConfig)
    with pytest.raises(ConfigError, match="limit: must be a number from 1 upwards, not 0"):
        FeedConfig(trending=SourceConfig(limit=0))
