"""The feed on the state that folds real records."""

from __future__ import annotations

import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record, User
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.page import Page
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import Request
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig

NOW = 1_700_000_000_000
ACTIONS = {
    "like": Action(meaning="positive"),
    "skip": Action(meaning="negative"),
    "hide": Action(meaning="negative", hides=True),
}
OBJECTIVES = {"like": Objective("like")}


@pytest.fixture
def state() -> State:
    """A hundred items of ten authors; nobody has done anything."""
    made = State(StateConfig(FeatureConfig(), FeedbackReader(ACTIONS, OBJECTIVES)))
    made.fold(
        [
            Record(
                "item",
                NOW - DAY,
                object=f"i{number}",
                body=Item(
                    title=f"Title {number}",
                    author_id=f"a{number % 10}",
                    categories=(f"c{number % 4}",),
                    created_at=NOW - number * HOUR,
                ),
            )
            for number in range(100)
        ]
    )
    return made


def did(user_id: str, action: str, *item_ids: str) -> list[Record]:
    return [Record("event", NOW - HOUR, subject=user_id, object=item_id, action=action) for item_id in item_ids]


def seen(user_id: str, *item_ids: str) -> list[Record]:
    return [Record("seen", NOW - HOUR, subject=user_id, object=item_id) for item_id in item_ids]


def recommend(state: State, user_id: str, limit: int = 20) -> Page:
    feed = Feed(state.catalog, state, Models(objectives=OBJECTIVES), FeedConfig(fan_out=FanOutConfig(parallel=False)))
    return feed.recommend(Request(user_id=user_id, now=NOW, limit=limit, request_id="r"))


def ids(page: Page) -> list[str]:
    return [item.item_id for item in page.items]


def test_a_user_of_whom_nothing_is_known_is_shown_what_others_like(state: State) -> None:
    for number in range(5):
        state.fold(did(f"u{number}", "like", "i40", "i41"))
    page = recommend(state, "new")
    assert {"i40", "i41"} <= set(ids(page)[:4])
    assert len(set(ids(page))) == 20
    assert next(item.why for item in page.items if item.item_id == "i40") == "trending today"


def test_one_like_leads_to_what_goes_with_it(state: State) -> None:
    for number in range(5):
        state.fold(did(f"u{number}", "like", "i50", "i77"))
    state.fold(did("ann", "like", "i50"))
    page = recommend(state, "ann")
    assert ids(page)[0] == "i77"
    assert page.items[0].why == "people who liked Title 50 watched this"
    assert "i50" not in ids(page)


def test_what_was_seen_hidden_or_blocked_does_not_come_back_while_there_is_anything_else(state: State) -> None:
    state.fold(seen("ann", "i0", "i1"))
    state.fold(did("ann", "hide", "i2"))
    state.fold([Record("relation", NOW, subject="ann", object="a3", action="block")])
    state.fold(did("ann", "skip", "i14", "i24"))
    page = recommend(state, "ann", limit=50)
    left = {f"i{number}" for number in range(100) if number % 10 not in (3, 4)} - {"i0", "i1", "i2"}
    assert set(ids(page)) <= left
    # Two skips of an author's items and no like: the author is out. So is one whom the user has blocked.
    everything = recommend(state, "ann", limit=100)
    fresh = [item.item_id for item in everything.items if not item.repeated]
    assert set(fresh) == left
    assert {item.item_id for item in everything.items if item.repeated} == {"i0", "i1"}


def test_followed_authors_and_declared_interests_are_in_the_first_page(state: State) -> None:
    state.fold([
        Record("user", NOW, subject="ann", body=User(interests=("c2",))),
        Record("relation", NOW, subject="ann", object="a7", action="follow"),
    ])  # fmt: skip
    reasons = {item.why for item in recommend(state, "ann").items}
    assert {"new from an author you follow", "matches c2, one of your interests"} <= reasons


def test_an_item_that_is_deleted_is_gone_from_the_next_page(state: State) -> None:
    first = ids(recommend(state, "ann"))
    state.fold([Record("retraction", NOW, object=first[0], action="delete")])
    assert first[0] not in ids(recommend(state, "ann", limit=100))
