from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedmill.domain.clock import DAY
from feedmill.domain.errors import ConfigError
from feedmill.domain.records import Audience, Item, User
from feedmill.serve.filters.blocked_authors import BlockedAuthorsFilter
from feedmill.serve.filters.excluded import ExcludedFilter
from feedmill.serve.filters.expired import ExpiredFilter
from feedmill.serve.filters.hidden import HiddenFilter
from feedmill.serve.filters.negative_feedback import NegativeFeedbackConfig, NegativeFeedbackFilter
from feedmill.serve.filters.seen import SeenFilter
from feedmill.serve.filters.visibility import VisibilityFilter
from feedmill.serve.pipeline.readers import Int32s, UInt16s
from feedmill.serve.pipeline.stages import Filter
from feedmill.testing.pipeline_contract import NOW, MemoryState, World


def world(**items: Item) -> World:
    made = World(items=0)
    for item_id, item in items.items():
        made.catalog.items.put(item_id, item)
    return made


def removed(made: World, stage: Filter, user_id: str = "ann", **request: Any) -> dict[str, str]:
    """What the filter removes of all items, and why."""
    candidates = made.candidates()
    verdict = stage.judge(made.request(user_id, **request), candidates)
    return {
        made.catalog.items.ids.names[candidates.items[row]]: verdict.reasons[verdict.codes[row]]
        for row in np.flatnonzero(~verdict.kept)
    }


def test_seen_removes_what_has_been_shown_often_enough() -> None:
    made = world(a=Item(), b=Item(), c=Item())
    made.state.show("ann", "a", "b", "b")
    assert removed(made, made.build(SeenFilter)) == {"a": "you have seen it", "b": "you have seen it"}
    assert list(removed(made, made.build(SeenFilter, views=2))) == ["b"]
    assert removed(made, made.build(SeenFilter), "zoe") == {}


def test_hidden_removes_what_the_user_has_hidden() -> None:
    made = world(a=Item(), b=Item())
    made.state.act("ann", "b", -1.0, hides=True)
    assert removed(made, made.build(HiddenFilter)) == {"b": "you have hidden it"}
    assert removed(made, made.build(HiddenFilter), "bob") == {}


def test_expired_removes_items_from_the_moment_at_which_they_expire() -> None:
    made = world(a=Item(expires_at=NOW), b=Item(expires_at=NOW + 1), c=Item())
    assert list(removed(made, made.build(ExpiredFilter))) == ["a"]


def test_excluded_removes_what_the_request_names_and_ignores_what_does_not_exist() -> None:
    made = world(a=Item(), b=Item())
    assert list(removed(made, made.build(ExcludedFilter), exclude=frozenset({"b", "nothing"}))) == ["b"]


def test_excluded_removes_what_stood_on_the_pages_before() -> None:
    made = world(a=Item(), b=Item(), c=Item())
    asked = {"exclude": frozenset({"b"}), "shown": frozenset({"b", "c"})}
    assert removed(made, made.build(ExcludedFilter), **asked) == {
        "b": "the request excludes it",
        "c": "it stands on a page before this one",
    }


def test_blocked_authors_removes_all_items_of_those_whom_the_user_blocks() -> None:
    made = world(a=Item(author_id="eve"), b=Item(author_id="bea"), c=Item())
    made.state.relate("ann", "block", "eve")
    assert removed(made, made.build(BlockedAuthorsFilter)) == {"a": "you have blocked its author"}
    assert removed(made, made.build(BlockedAuthorsFilter), "bob") == {}


def test_negative_feedback_removes_the_author_whom_the_user_keeps_rejecting() -> None:
    made = world(**{f"i{number}": Item(author_id="eve") for number in range(4)}, other=Item(author_id="bea"))
    made.state.act("ann", "i0", -1.0)
    assert removed(made, made.build(NegativeFeedbackFilter)) == {}
    made.state.act("ann", "i1", -1.0)
    assert set(removed(made, made.build(NegativeFeedbackFilter)).values()) == {"you keep rejecting its author"}
    assert set(removed(made, made.build(NegativeFeedbackFilter))) == {"i0", "i1", "i2", "i3"}
    # Two against one is not more than twice as many.
    made.state.act("ann", "i2", 1.0)
    assert removed(made, made.build(NegativeFeedbackFilter)) == {}


def test_negative_feedback_removes_a_category_after_more_rejections_than_an_author() -> None:
    made = world(**{f"i{number}": Item(categories=("ads",)) for number in range(5)})
    for number in range(3):
        made.state.act("ann", f"i{number}", -1.0)
    assert removed(made, made.build(NegativeFeedbackFilter)) == {}
    made.state.act("ann", "i3", -1.0)
    assert removed(made, made.build(NegativeFeedbackFilter))["i4"] == "you keep rejecting its category"


def test_negative_feedback_forgets() -> None:
    made = world(a=Item(author_id="eve"), b=Item(author_id="eve"))
    for item_id in ("a", "b"):
        made.state.act("ann", item_id, -1.0, at=NOW - 30 * DAY)
    assert removed(made, made.build(NegativeFeedbackFilter)) == {}
    assert list(removed(made, made.build(NegativeFeedbackFilter, days=31))) == ["a", "b"]


def test_visibility_removes_what_is_deleted_invisible_or_known_only_by_its_id() -> None:
    made = world(a=Item(), gone=Item(), dark=Item(visible=False))
    made.catalog.items.put("gone", None)
    made.catalog.items.add("heard_of")
    assert removed(made, made.build(VisibilityFilter)) == {
        "gone": "it has been deleted, or no record describes it",
        "dark": "it is not visible",
        "heard_of": "it has been deleted, or no record describes it",
    }


def test_visibility_keeps_an_item_to_the_users_and_attributes_of_its_audience() -> None:
    made = world(
        for_ann=Item(audience=Audience(users=("ann",))),
        for_sweden=Item(audience=Audience(attributes={"country": ("SE", "NO")})),
        for_adults=Item(audience=Audience(attributes={"adult": ("true",)})),
        for_adults_in_sweden=Item(audience=Audience(attributes={"adult": ("true",), "country": ("SE",)})),
        for_the_born_of_1990=Item(audience=Audience(attributes={"born": ("1990",)})),
        for_all=Item(audience=Audience()),
    )
    made.catalog.users.put("ann", User(attributes={"adult": True, "born": 1990}))
    made.catalog.users.put("bob", User(attributes={"country": "SE", "adult": False}))
    stage = made.build(VisibilityFilter)
    assert list(removed(made, stage, "ann")) == ["for_sweden", "for_adults_in_sweden"]
    assert list(removed(made, stage, "bob")) == [
        "for_ann", "for_adults", "for_adults_in_sweden", "for_the_born_of_1990",
    ]  # fmt: skip
    assert "for_all" not in removed(made, stage, "zoe")
    assert len(removed(made, stage, "zoe")) == 5
    assert set(removed(made, stage, "zoe").values()) == {"it is for other users"}


def test_visibility_ends_when_an_item_has_been_shown_as_often_as_it_may_be() -> None:
    made = world(a=Item(audience=Audience(max_views=2)))
    made.state.show("ann", "a")
    assert removed(made, made.build(VisibilityFilter)) == {}
    made.state.show("ann", "a")
    assert removed(made, made.build(VisibilityFilter)) == {"a": "it has been shown to you as often as it may be"}
    assert removed(made, made.build(VisibilityFilter), "zoe") == {}


def test_visibility_removes_only_those_about_which_no_verdict_can_be_had() -> None:
    class Broken(MemoryState):
        def views(self, user: int, items: Int32s) -> UInt16s:
            raise OSError("the store is away")

    made = world(a=Item(), b=Item(audience=Audience(max_views=2)), c=Item(audience=Audience(users=("ann",))))
    stage = VisibilityFilter(made.catalog, Broken(made.catalog))
    assert removed(made, stage) == {"b": "whether you may see it could not be found out"}


def test_safety_filters_fail_closed_and_the_others_open() -> None:
    assert all(stage.fails_closed for stage in (VisibilityFilter, ExpiredFilter, BlockedAuthorsFilter, HiddenFilter))
    assert not any(stage.fails_closed for stage in (SeenFilter, ExcludedFilter, NegativeFeedbackFilter))


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="author_rejections"):
        NegativeFeedbackConfig(author_rejections=0)
    with pytest.raises(ConfigError, match="days"):
        NegativeFeedbackConfig(days=float("nan"))
