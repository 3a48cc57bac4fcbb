"""Sessions and requests that come again: nothing repeats, and who asks twice gets the same answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import Conflict, InvalidRecord
from feedmill.domain.records import Record, Served
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.local.answers import FeedPage, FeedRequest, RankRequest
from feedmill.run.local.config import ServingConfig
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig

OpenLive = Callable[..., Live]
Tell = Callable[[Live, Sequence[Record]], object]
Items = Callable[[int], list[Record]]


@pytest.fixture
def live(open_live: OpenLive, tell: Tell, items: Items) -> Live:
    """Fifty items, and a user who likes three."""
    opened = open_live()
    tell(opened, items(50))
    tell(opened, [Record("event", opened.clock.now(), "ann", f"i{n}", "like") for n in range(3)])
    return opened


def ask(live: Live, user_id: str = "ann", **changes: object) -> FeedPage:
    return live.feed(msgspec.convert({"user_id": user_id, "limit": 7, **changes}, FeedRequest))


def ids(page: FeedPage) -> list[str]:
    return [item.item_id for item in page.items]


def without_age(page: FeedPage) -> FeedPage:
    """What is promised to stay: how old the parameters were is not."""
    freshness = msgspec.structs.replace(page.freshness, parameters_age_ms=None)
    return msgspec.structs.replace(page, freshness=freshness)


def logged(live: Live, request_id: str) -> list[Record]:
    live.submit([]).result(30)
    records = live.log.read(0, live.log.end())[0]
    return [record for record in records if record.kind == "served" and record.request_id == request_id]


@pytest.mark.parametrize("holdout", [0.0, 0.5])
@pytest.mark.parametrize("limit", [7, 10, 50, 60])
def test_a_session_shows_all_that_there_is_once_and_then_ends(
    open_live: OpenLive, settled: FeedConfig, tell: Tell, items: Items, limit: int, holdout: float
) -> None:
    live = open_live(Config(feed=settled, holdout=HoldoutConfig(holdout)))
    tell(live, items(50))
    page = ask(live, limit=limit)
    assert page.arm == ("popularity" if holdout else "feedmill")
    shown = ids(page)
    while page.cursor:
        # What was shown is seen, and liked: that must not bring it back, nor hide what is still to come.
        last, now = page.items[-1].item_id, live.clock.now()
        tell(live, [Record("seen", now, "ann", item_id, request_id=page.request_id) for item_id in ids(page)])
        tell(live, [Record("event", now, "ann", last, "like", request_id=page.request_id)])
        page = ask(live, limit=limit, cursor=page.cursor)
        shown += ids(page)
    assert page.cursor == ""
    assert len(shown) == len(set(shown)) == 50


def test_a_session_goes_on_after_a_restart_without_repeats(live: Live, open_live: OpenLive) -> None:
    page = ask(live, limit=20)
    second = ask(live, limit=20, cursor=page.cursor)
    live.close()
    again = open_live()
    assert without_age(ask(again, limit=20, cursor=page.cursor)) == without_age(second)
    third = ask(again, limit=20, cursor=second.cursor)
    assert len({*ids(page), *ids(second), *ids(third)}) == 50
    assert third.cursor == ""


def test_a_session_is_seen_through_to_its_first_page(live: Live) -> None:
    first = ask(live, limit=1)
    page, shown = first, ids(first)
    for _ in range(49):
        page = ask(live, limit=1, cursor=page.cursor)
        shown += ids(page)
    assert len(set(shown)) == 50


def test_the_same_request_id_gives_the_same_page_whatever_happened_since(
    live: Live, tell: Tell, clock: ManualClock
) -> None:
    page = ask(live, request_id="r")
    tell(live, [Record("event", clock.now(), "ann", item_id, "hide") for item_id in ids(page)])
    clock.advance(60_000)
    assert ask(live, request_id="r") == page
    assert set(ids(ask(live))).isdisjoint(ids(page))
    assert len(logged(live, "r")) == 1


def test_it_does_after_a_restart_with_the_same_order_scores_and_reasons(live: Live, open_live: OpenLive) -> None:
    page, short = ask(live, request_id="r"), ask(live, request_id="short", limit=60)
    assert short.note
    live.close()
    again = open_live()
    assert without_age(ask(again, request_id="r")) == without_age(page)
    assert without_age(ask(again, request_id="short", limit=60)) == without_age(short)


def test_it_does_when_it_has_long_been_forgotten_in_memory(
    open_live: OpenLive, settled: FeedConfig, tell: Tell, items: Items
) -> None:
    live = open_live(Config(feed=settled, serving=ServingConfig(recent_items=40)))
    tell(live, items(50))
    first = ask(live, request_id="r0")
    for number in range(1, 6):
        ask(live, request_id=f"r{number}")

    assert without_age(ask(live, request_id="r0")) == without_age(first)


def test_requests_with_one_id_at_the_same_time_get_one_page(live: Live) -> None:
    with ThreadPoolExecutor(8) as threads:
        for name in (f"r{number}" for number in range(20)):
            pages = list(threads.map(lambda _, name=name: ask(live, request_id=name), range(8)))
            assert all(without_age(page) == without_age(pages[0]) for page in pages)
            assert len(logged(live, name)) == 1


def test_the_same_cursor_gives_the_same_page_twice(live: Live, tell: Tell) -> None:
    first = ask(live)
    second = ask(live, cursor=first.cursor)
    tell(live, [Record("event", live.clock.now(), "ann", "i9", "like")])
    assert ask(live, cursor=first.cursor) == second
    # Another question is another page, and of the same session.
    longer = ask(live, cursor=first.cursor, limit=9)
    assert len(longer.items) == 9
    assert longer.request_id != second.request_id
    assert set(ids(longer)).isdisjoint(ids(first))


def test_a_cursor_or_a_request_id_of_another_user_is_a_conflict(live: Live) -> None:
    page = ask(live, request_id="r")
    with pytest.raises(Conflict, match="cursor: it belongs to the session of another user"):
        ask(live, "bob", cursor=page.cursor)
    with pytest.raises(Conflict, match="request_id: 'r' was another request, for the user 'ann'"):
        ask(live, "bob", request_id="r")
    with pytest.raises(Conflict, match="on the surface 'feed'"):
        ask(live, surface="home", request_id="r")
    with pytest.raises(Conflict, match="request_id"):
        live.rank(RankRequest(user_id="ann", item_ids=("i1",), request_id="r"))


@pytest.mark.parametrize("cursor", ["x", "%%", "MQ", "MXNvbWV0aGluZw"])
def test_a_cursor_that_no_page_gave_is_refused_by_name(live: Live, cursor: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        ask(live, cursor=cursor)
    assert refused.value.field == "cursor"


def test_a_ranking_asked_for_again_is_the_same_also_after_a_restart(live: Live, open_live: OpenLive) -> None:
    asked = RankRequest(user_id="ann", item_ids=("i9", "i1", "i30"), request_id="ranking")
    ranked = live.rank(asked)
    assert {item.item_id for item in ranked.items} == {"i9", "i1", "i30"}
    assert live.rank(asked) == ranked
    live.close()
    assert open_live().rank(asked).items == ranked.items


def test_a_page_is_logged_with_its_session_and_its_positions(live: Live) -> None:
    first = ask(live, request_id="one", context={"device": "tv"})
    second = ask(live, cursor=first.cursor)
    (record,), (following,) = logged(live, "one"), logged(live, second.request_id)
    assert isinstance(record.body, Served)
    assert isinstance(following.body, Served)
    assert [item.item_id for item in record.body.items] == ids(first)
    assert [item.position for item in record.body.items] == [1, 2, 3, 4, 5, 6, 7]
    assert record.context == {"device": "tv", "surface": "feed"}
    assert (record.body.previous, following.body.previous) == ("", "one")
    # Fifty items and three likes stood in the log before.
    assert record.body.state_position == first.freshness.state_position == 53


def test_a_request_id_with_another_question_is_a_conflict(live: Live, tell: Tell, items: Items) -> None:
    ask(live, "ann", request_id="r")
    with pytest.raises(Conflict, match="request_id: 'r' was another request"):
        ask(live, "ann", request_id="r", exclude=("i1",))
    live.rank(RankRequest(user_id="ann", item_ids=("i1", "i2"), request_id="k"))
    with pytest.raises(Conflict, match="request_id: 'k' was another request"):
        live.rank(RankRequest(user_id="ann", item_ids=("i3",), request_id="k"))


def test_a_ranking_is_the_same_after_a_restart_with_what_was_left_out(
    open_live: OpenLive, tell: Tell, items: Items
) -> None:
    live = open_live()
    tell(live, items(10))
    asked = RankRequest(user_id="ann", item_ids=("i1", "nothing", "i2"), request_id="k")
    ranked = live.rank(asked)
    assert [left.item_id for left in ranked.left_out] == ["nothing"]
    live.close()
    again = open_live().rank(asked)
    assert (again.items, again.left_out) == (ranked.items, ranked.left_out)
