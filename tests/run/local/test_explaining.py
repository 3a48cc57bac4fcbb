"""Why a page is what it is: from the log always, from its trace completely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from feedmill.domain.clock import DAY, HOUR, MINUTE, ManualClock
from feedmill.domain.errors import NotFound
from feedmill.domain.records import Item, Record
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.local.answers import FeedPage, FeedRequest, PageExplanation
from feedmill.run.local.config import ServingConfig
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.retrieval.fresh import FreshConfig
from feedmill.testing.serving import wait_for

OpenLive = Callable[..., Live]
Tell = Callable[[Live, Sequence[Record]], object]
Items = Callable[[int], list[Record]]
ITEMS = 200
DEFAULT = ServingConfig()


@pytest.fixture
def start(open_live: OpenLive, settled: FeedConfig) -> OpenLive:
    """`start(ServingConfig(trace_share=...))`: an engine whose page has candidates of every fate."""

    def opened(serving: ServingConfig = DEFAULT) -> Live:
        feed = replace(settled, fresh=FreshConfig(limit=20), trending=replace(settled.trending, limit=ITEMS))
        return open_live(Config(feed=feed, holdout=HoldoutConfig(share=0.0), serving=serving))

    return opened


@pytest.fixture
def fill(tell: Tell, items: Items, clock: ManualClock) -> Callable[[Live], None]:
    """Two hundred items; thirty are liked; ann has hidden i1, has seen i2, and blocks the author of i3 and i13."""

    def told(live: Live) -> None:
        now = clock.now() - HOUR
        tell(live, items(ITEMS))
        tell(live, [Record("event", now, f"u{n}", f"i{n}", "like") for n in range(30)])
        tell(live, [Record("event", now, "ann", "i1", "hide"), Record("seen", now, "ann", "i2")])
        tell(live, [Record("relation", now, "ann", "a3", "block", object_kind="user")])
        # What is popular is looked up again after some seconds only.
        clock.advance(MINUTE)

    return told


def ask(live: Live) -> FeedPage:
    page = live.feed(FeedRequest(user_id="ann", limit=5, request_id="r"))
    live.submit([]).result(30)
    return page


def fates(live: Live) -> dict[str, PageExplanation]:
    return {f"i{n}": live.explain("r", f"i{n}") for n in range(ITEMS)}


def outcome(explained: PageExplanation) -> str:
    assert explained.item is not None
    return explained.item.outcome


def test_every_item_has_a_fate_and_they_add_up(start: OpenLive, fill: Callable[[Live], None]) -> None:
    live = start()
    fill(live)
    page = ask(live)
    explained = live.explain("r")
    assert explained.items == page.items
    assert (explained.user_id, explained.surface, explained.arm) == ("ann", "feed", page.arm)
    assert (explained.at, explained.state_position) == (live.clock.now(), page.freshness.state_position)
    assert explained.note == ""
    assert explained.trace is not None
    assert {stage.kind for stage in explained.trace.stages} >= {"source", "filter", "scorer", "selector"}
    found = fates(live)
    counted = Counter(map(outcome, found.values()))
    assert counted["shown"] == 5
    assert set(counted) == {"shown", "ranked_below", "removed", "not_a_candidate"}
    assert counted["shown"] + counted["ranked_below"] + counted["removed"] == explained.trace.candidates
    assert counted["removed"] == sum(removed.count for removed in explained.trace.removed)
    removed_by = {
        name: one.item.removal.stage for name, one in found.items() if one.item is not None and one.item.removal
    }
    assert removed_by["i1"] == "hidden"
    assert removed_by["i2"] == "seen"
    assert removed_by["i3"] == removed_by["i13"] == "blocked_authors"
    for name, one in found.items():
        assert one.item is not None
        assert (one.item.item_id, one.item.title) == (name, f"Title {name[1:]}")
        assert one.item.sentence
    shown = {item.item_id: item for item in page.items}
    for name, item in shown.items():
        told = found[name].item
        assert told is not None
        assert (told.rank, told.sources) == (item.position, item.sources)
        assert item.why in told.sentence
    below = [one.item for one in found.values() if one.item and one.item.outcome == "ranked_below"]
    ranks = sorted(item.rank for item in below if item.rank is not None)
    assert ranks == list(range(6, 6 + counted["ranked_below"]))


def test_an_item_that_does_not_exist_and_a_page_that_was_not_served_are_not_found(
    start: OpenLive, fill: Callable[[Live], None]
) -> None:
    live = start()
    fill(live)
    ask(live)
    with pytest.raises(NotFound, match="there is no item 'nothing'"):
        live.explain("r", "nothing")
    with pytest.raises(NotFound, match="no page was answered to a request 'never'"):
        live.explain("never")


def test_it_is_the_same_after_a_restart(start: OpenLive, fill: Callable[[Live], None], tell: Tell) -> None:
    live = start()
    fill(live)
    ask(live)
    before, explained = fates(live), live.explain("r")
    live.close()
    again = start()
    # What is edited meanwhile changes titles, and nothing of what was decided then.
    tell(again, [Record("item", again.clock.now(), object="i7", body=Item(title="Another"))])
    after = fates(again)
    assert {name: outcome(one) for name, one in after.items()} == {name: outcome(one) for name, one in before.items()}
    assert again.explain("r").trace == explained.trace
    assert after["i7"].item is not None
    assert after["i7"].item.title == "Another"


def test_without_a_trace_it_says_what_was_served_and_that_the_rest_was_not_kept(
    start: OpenLive, fill: Callable[[Live], None]
) -> None:
    live = start(ServingConfig(trace_share=0.0))
    fill(live)
    page = ask(live)
    assert not page.traced
    explained = live.explain("r", page.items[0].item_id)
    assert explained.items == page.items
    assert explained.trace is None
    assert "was not kept" in explained.note
    assert "serving.trace_share" in explained.note
    assert outcome(explained) == "shown"
    other = next(f"i{n}" for n in range(ITEMS) if f"i{n}" not in {item.item_id for item in page.items})
    with pytest.raises(NotFound, match=f"item '{other}' is not on this page, and .* was not kept"):
        live.explain("r", other)


def test_of_a_share_of_pages_a_trace_is_kept_and_each_says_whether(
    start: OpenLive, fill: Callable[[Live], None]
) -> None:
    live = start(ServingConfig(trace_share=0.5))
    fill(live)
    pages = [live.feed(FeedRequest(user_id="ann", limit=5, request_id=f"r{n}")) for n in range(200)]
    # 100 are expected, with a standard deviation of 7.
    assert 70 < sum(page.traced for page in pages) < 130
    for page in pages[:20]:
        assert (live.explain(page.request_id).trace is not None) == page.traced


def test_a_trace_is_kept_for_some_days(start: OpenLive, fill: Callable[[Live], None], clock: ManualClock) -> None:
    live = start(ServingConfig(trace_days=3.0))
    fill(live)
    page = ask(live)
    clock.advance(3 * DAY - HOUR)
    assert live.explain("r").trace is not None
    clock.advance(2 * HOUR)
    wait_for(lambda: live.explain("r").trace is None)
    explained = live.explain("r")
    assert explained.items == page.items
    assert "not there any more" in explained.note
    assert "serving.trace_days" in explained.note


@pytest.mark.parametrize("content", [b"", b"nothing that SQLite knows" * 500])
def test_a_damaged_file_of_traces_costs_the_traces_that_were_in_it(
    start: OpenLive, fill: Callable[[Live], None], content: bytes
) -> None:
    live = start()
    fill(live)
    page = ask(live)
    live.close()
    live.home.traces.write_bytes(content)
    again = start()
    explained = again.explain("r")
    assert explained.items == page.items
    assert explained.trace is None
    assert explained.note
    assert again.feed(FeedRequest(user_id="ann", request_id="later")).traced
    assert again.explain("later").trace is not None
    again.close()
    assert start().explain("later").trace is not None


def test_so_does_one_that_is_deleted(start: OpenLive, fill: Callable[[Live], None]) -> None:
    live = start()
    fill(live)
    ask(live)
    live.close()
    for path in live.home.path.glob("traces.sqlite*"):
        path.unlink()
    again = start()
    assert "not there any more" in again.explain("r").note
    assert again.feed(FeedRequest(user_id="ann", request_id="later")).traced
    assert again.explain("later").trace is not None
