from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import SnapshotError
from feedmill.domain.ids import hash_id
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item, User
from feedmill.learn.models.fitted import FittedModel, model_file
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.retrieval.catalogue import CatalogueBackfill
from feedmill.serve.retrieval.co_visitation import CoVisitationSource
from feedmill.serve.retrieval.fresh import FreshSource
from feedmill.serve.retrieval.liked import LikedSource
from feedmill.serve.retrieval.model import ModelSource
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.serve.retrieval.trending import TrendingSource
from feedmill.serve.retrieval.two_tower import TwoTowerSource
from feedmill.testing.pipeline_contract import NOW, World


def world(**items: Item) -> World:
    """A world with these items and no others; nobody has done anything."""
    made = World(items=0)
    for item_id, item in items.items():
        made.catalog.items.put(item_id, item)
    return made


def names(made: World, retrieved: Retrieved) -> list[str]:
    return [made.catalog.items.ids.names[item] for item in retrieved.items]


def why(made: World, source: object, request: HydratedRequest, item_id: str, retrieved: Retrieved) -> str:
    row = names(made, retrieved).index(item_id)
    return str(source.why(request, int(retrieved.items[row]), int(retrieved.evidence[row])))  # type: ignore[attr-defined]


def test_trending_puts_the_most_liked_of_late_first_and_the_newest_first_among_equals() -> None:
    made = world(a=Item(), b=Item(created_at=NOW - 2), c=Item(created_at=NOW - 1), gone=Item(visible=False))
    made.state.act("u1", "a", 1.0, at=NOW - DAY)
    made.state.act("u2", "a", 1.0, at=NOW - DAY)
    made.state.act("u1", "b", 1.0, at=NOW)
    made.state.act("u1", "gone", 1.0, at=NOW)
    made.state.act("u2", "c", 1.0, at=NOW)
    retrieved = made.build(TrendingSource).fetch(made.request("zoe"))
    # Two likes of a day ago weigh as much as one of now.
    assert names(made, retrieved) == ["c", "b", "a"]
    assert retrieved.scores.tolist() == [1.0, 1.0, 1.0]


def test_trending_names_what_the_user_has_not_seen_before_what_the_user_has() -> None:
    made = world(a=Item(), b=Item(), c=Item(), d=Item())
    for user, liked in {"u1": "abc", "u2": "ab", "u3": "a"}.items():
        for item_id in liked:
            made.state.act(user, item_id, 1.0)
    made.state.show("eva", "a")
    assert names(made, made.build(TrendingSource).fetch(made.request("eva"))) == ["b", "c", "a"]
    assert names(made, made.build(TrendingSource, limit=2).fetch(made.request("eva"))) == ["b", "c"]


def test_what_nobody_has_liked_does_not_trend() -> None:
    made = world(a=Item(), b=Item())
    assert names(made, made.build(TrendingSource).fetch(made.request("eva"))) == []


def test_expired_items_do_not_trend() -> None:
    made = world(a=Item(expires_at=NOW), b=Item(expires_at=NOW + 1))
    for item_id in "ab":
        made.state.act("u1", item_id, 1.0)
    assert names(made, made.build(TrendingSource).fetch(made.request("zoe"))) == ["b"]


def test_co_visitation_adds_up_over_the_latest_likes_and_says_which_led_there() -> None:
    made = world(a=Item(title="Cats"), b=Item(), c=Item(), d=Item(), e=Item())
    # c goes with a twice and with b once, d with b once, e with a once.
    for user, liked in {"u1": "ac", "u2": "ac", "u3": "bc", "u4": "bd", "u5": "ae"}.items():
        for item_id in liked:
            made.state.act(user, item_id, 1.0)
    made.state.act("eva", "a", 1.0, at=NOW - 2)
    made.state.act("eva", "b", 1.0, at=NOW - 1)
    made.state.act("eva", "d", -1.0, at=NOW)
    source = made.build(CoVisitationSource, decay=0.5)
    request = made.request("eva")
    retrieved = source.fetch(request)
    scores = dict(zip(names(made, retrieved), retrieved.scores.tolist(), strict=True))
    # b was liked last and weighs 1, a weighs a half; a and b also go with each other, through eva.
    assert scores == pytest.approx({"c": 1 + 0.5 * 2, "d": 1.0, "a": 1.0, "e": 0.5, "b": 0.5})
    # What eva has seen comes behind what eva has not.
    assert names(made, retrieved) == ["c", "e", "a", "d", "b"]
    # Both contributed 1 to c: the one liked later counts.
    assert why(made, source, request, "c", retrieved) == "people who liked b watched this"
    assert why(made, source, request, "e", retrieved) == "people who liked Cats watched this"


def test_co_visitation_has_no_part_where_nothing_was_liked() -> None:
    made = world(a=Item())
    made.state.act("eva", "a", -1.0)
    source = made.build(CoVisitationSource)
    assert not source.enabled(made.request("eva"))
    assert not source.enabled(made.request("zoe"))


def test_fresh_names_the_newest_items_that_few_have_been_shown() -> None:
    made = world(
        today=Item(created_at=NOW - HOUR),
        yesterday=Item(created_at=NOW - DAY),
        shown=Item(created_at=NOW - 1),
        ancient=Item(created_at=NOW - 31 * DAY),
        undated=Item(),
        later_undated=Item(),
        tomorrow=Item(created_at=NOW + DAY),
    )
    for number in range(3):
        made.state.show(f"u{number}", "shown")
    made.state.show("u1", "yesterday", "yesterday")
    source = made.build(FreshSource, impressions=3)
    request = made.request("zoe")
    retrieved = source.fetch(request)
    assert names(made, retrieved) == ["today", "yesterday", "later_undated", "undated"]
    assert retrieved.scores.tolist() == [3, 1, 3, 3]
    assert why(made, source, request, "today", retrieved) == "new here"
    assert why(made, source, request, "undated", retrieved) == "few people have seen this yet"


def test_an_item_stops_being_fresh_at_once_when_it_has_had_its_audience() -> None:
    made = world(a=Item(created_at=NOW - 1), b=Item(created_at=NOW - 2))
    source = made.build(FreshSource, impressions=1)
    assert names(made, source.fetch(made.request("zoe"))) == ["a", "b"]
    made.state.show("u1", "a")
    assert names(made, source.fetch(made.request("zoe"))) == ["b"]


def test_liked_shares_its_places_out_in_proportion_to_the_tastes() -> None:
    cats = {f"cat{number}": Item(tags=("cats",)) for number in range(8)}
    dogs = {f"dog{number}": Item(tags=("dogs",)) for number in range(8)}
    made = world(**cats, **dogs)
    for number in (0, 1):
        made.state.act("eva", f"cat{number}", 1.0)
    made.state.act("eva", "dog0", 1.0)
    source = made.build(LikedSource, decay=1.0, limit=6)
    request = made.request("eva")
    retrieved = source.fetch(request)
    found = names(made, retrieved)
    # Shares of two thirds and a third: four places and two. None of them has been seen.
    assert sorted(name[:3] for name in found) == ["cat", "cat", "cat", "cat", "dog", "dog"]
    assert not {"cat0", "cat1", "dog0"} & set(found)
    assert retrieved.scores[0] == pytest.approx(2 / 3)
    assert why(made, source, request, found[0], retrieved) == "matches cats, which you liked"


def test_liked_knows_followed_authors_and_declared_interests_of_new_users() -> None:
    made = world(
        new=Item(author_id="bea", created_at=NOW - DAY),
        old=Item(author_id="bea", created_at=NOW - 8 * DAY),
        tagged=Item(tags=("jazz",)),
        other=Item(author_id="cyd", tags=("rock",)),
    )
    made.catalog.users.put("eva", User(interests=("jazz",)))
    made.state.relate("eva", "follow", "bea")
    source, request = made.build(LikedSource), made.request("eva")
    retrieved = source.fetch(request)
    assert sorted(names(made, retrieved)) == ["new", "old", "tagged"]
    assert why(made, source, request, "new", retrieved) == "new from an author you follow"
    assert why(made, source, request, "old", retrieved) == "from an author you follow"
    assert why(made, source, request, "tagged", retrieved) == "matches jazz, one of your interests"
    # Following weighs two, an interest one, and the second of an author half of the first.
    scores = dict(zip(names(made, retrieved), retrieved.scores.tolist(), strict=True))
    assert scores == pytest.approx({"new": 2 / 3, "old": 1 / 3, "tagged": 1 / 3})


def test_liked_leaves_out_what_was_rejected_more_than_it_was_liked() -> None:
    made = world(
        a=Item(author_id="bea", tags=("cats",)), b=Item(author_id="cyd", tags=("cats",)), c=Item(author_id="bea")
    )
    made.state.act("eva", "a", 1.0, at=NOW - 2)
    made.state.act("eva", "b", -1.0, at=NOW - 1)
    source, request = made.build(LikedSource), made.request("eva")
    retrieved = source.fetch(request)
    assert names(made, retrieved) == ["c", "a"]
    assert retrieved.evidence.tolist() == [hash_id("bea"), hash_id("bea")]
    assert why(made, source, request, "c", retrieved) == "more from an author you liked"


def test_liked_has_nothing_for_users_of_whom_nothing_is_known() -> None:
    made = World()
    assert len(made.build(LikedSource).fetch(made.request("zoe"))) == 0


def test_two_tower_names_the_items_in_the_direction_of_the_user() -> None:
    made = world(a=Item(categories=("x",)), b=Item(categories=("x",)), c=Item(categories=("y",)), d=Item(visible=False))
    assert hash_id("x") % 8 != hash_id("y") % 8
    made.state.act("eva", "a", 1.0)
    retrieved = made.build(TwoTowerSource, limit=2).fetch(made.request("eva"))
    # a fits as well as b, but has been seen; c does not fit, but has not.
    assert names(made, retrieved) == ["b", "c"]
    assert retrieved.scores.tolist() == [1.0, 0.0]


def test_two_tower_has_nothing_for_users_whom_the_model_does_not_know() -> None:
    made = World()
    source = made.build(TwoTowerSource)
    assert not source.enabled(made.request("zoe"))
    made.catalog.users.add("new")
    assert len(source.fetch(made.request("new"))) == 0


def test_two_tower_indexes_again_when_the_model_has_learned_and_time_has_passed() -> None:
    made = world(a=Item(categories=("x",)), b=Item(categories=("x",)))
    made.state.act("eva", "a", 1.0)
    source = made.build(TwoTowerSource, refresh_seconds=30)
    made.catalog.items.put("a", None)
    made.two_tower.version += 1
    source.refresh(NOW + 1)
    # One of two items is more than a hundredth of the catalogue.
    assert names(made, source.fetch(made.request("eva"))) == ["b"]


def test_the_rest_of_the_catalogue_comes_unseen_first_and_then_by_popularity() -> None:
    made = world(a=Item(), b=Item(), c=Item(), d=Item(visible=False), e=Item())
    made.state.act("u1", "b", 1.0)
    made.state.act("u1", "a", 1.0)
    made.state.show("eva", "b")
    backfill, request = made.build(CatalogueBackfill), made.request("eva")
    assert names(made, backfill.fill(request, np.array([4], np.int32), 10)) == ["a", "c", "b"]
    assert names(made, backfill.fill(request, np.array([4], np.int32), 2)) == ["a", "c"]
    assert names(made, backfill.fill(made.request("zoe"), np.array([], np.int32), 2)) == ["b", "a"]


def test_what_sources_keep_is_due_by_time_and_by_how_much_has_changed() -> None:
    staleness = Staleness(seconds=10)
    assert staleness.due(NOW, version=100, size=1_000)
    assert not staleness.due(NOW + 9_999, version=110, size=1_000)
    assert staleness.due(NOW + 9_999, version=111, size=1_000)
    assert not staleness.due(NOW + 19_998, version=111, size=1_000)
    assert staleness.due(NOW + 19_999, version=111, size=1_000)
    # A simulated world may turn its clock back.
    assert staleness.due(NOW, version=111, size=1_000)


def fitted(folder: Path, *pairs: tuple[str, str]) -> None:
    """A model of who took to what, in a file; "gone" is an item that no catalog here has."""
    users, items = zip(*pairs, strict=True)
    interactions, _, item_ids = Interactions.from_ids(users, items)
    FittedModel(ItemNeighbours().fit(interactions), tuple(item_ids), 0).save(model_file(folder, "item-neighbours"))


PAIRS = [(user, item) for user, items in {"u1": "ac", "u2": "ac", "u3": "ad", "u4": "bd"}.items() for item in items]


def model_world(folder: Path) -> World:
    made = world(d=Item(), c=Item(), b=Item(), a=Item(), hidden=Item(visible=False))
    made.models = folder  # type: ignore[attr-defined]
    made.state.act("eva", "a", 1.0)
    return made


def test_the_model_is_asked_by_what_the_user_liked_though_it_has_not_met_the_user(tmp_path: Path) -> None:
    fitted(tmp_path, *PAIRS)
    made = model_world(tmp_path)
    source, request = made.build(ModelSource, name="item-neighbours"), made.request("eva")
    retrieved = source.fetch(request)
    # With a go c twice and d once; b went with d only.
    assert names(made, retrieved) == ["c", "d"]
    assert retrieved.scores.tolist() == pytest.approx([2 / np.sqrt(3 * 2), 1 / np.sqrt(3 * 2)])
    assert why(made, source, request, "c", retrieved) == "goes with what you liked"


def test_the_model_names_nothing_that_cannot_be_shown(tmp_path: Path) -> None:
    fitted(tmp_path, *PAIRS, ("u5", "a"), ("u5", "hidden"), ("u6", "a"), ("u6", "gone"))
    made = model_world(tmp_path)
    assert names(made, made.build(ModelSource, name="item-neighbours").fetch(made.request("eva"))) == ["c", "d"]


def test_the_model_has_no_part_where_nothing_is_liked_or_no_model_is_named_or_fitted(tmp_path: Path) -> None:
    made = model_world(tmp_path)
    assert not made.build(ModelSource, name="item-neighbours").enabled(made.request("eva"))
    fitted(tmp_path, *PAIRS)
    assert made.build(ModelSource, name="item-neighbours").enabled(made.request("eva"))
    assert not made.build(ModelSource, name="item-neighbours").enabled(made.request("zoe"))
    assert not made.build(ModelSource).enabled(made.request("eva"))


def test_a_model_that_is_fitted_again_is_taken_up_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    fitted(tmp_path, *PAIRS)
    made = model_world(tmp_path)
    source, request = made.build(ModelSource, name="item-neighbours"), made.request("eva")
    fitted(tmp_path, ("u1", "a"), ("u1", "b"))
    source.refresh(NOW + 1_000)
    assert names(made, source.fetch(request)) == ["c", "d"]
    source.refresh(NOW + 11_000)
    assert names(made, source.fetch(request)) == ["b"]
    model_file(tmp_path, "item-neighbours").write_bytes(b"no model")
    with pytest.raises(SnapshotError, match="feedmill fit"):
        source.refresh(NOW + 22_000)
    assert names(made, source.fetch(request)) == ["b"]
