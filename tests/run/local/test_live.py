"""The live engine: what it has been told is in the next answer, and what it has answered is learned from."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from feedmill.domain.clock import MINUTE, ManualClock
from feedmill.domain.errors import HomeError, NotFound, Unavailable
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Item, Record, User
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.run.local.answers import FeedRequest
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig
from feedmill.stream.ingest import Ingested
from feedmill.testing.serving import wait_for

OpenLive = Callable[..., Live]
Tell = Callable[[Live, Sequence[Record]], Ingested]
Items = Callable[[int], list[Record]]
ITEMS = 400


@pytest.fixture
def live(open_live: OpenLive, tell: Tell, items: Items) -> Live:
    opened = open_live()
    tell(opened, items(ITEMS))
    return opened


@pytest.fixture
def under_load(live: Live) -> Iterator[None]:
    """Others post all the while."""
    enough = threading.Event()

    def post(seed: int) -> None:
        draw = random.Random(seed)
        while not enough.is_set():
            now = live.clock.now()
            others = [(f"other-{draw.randrange(500)}", f"i{draw.randrange(ITEMS)}") for _ in range(50)]
            events = [Record("event", now, user, item, draw.choice(["like", "click"])) for user, item in others]
            live.submit(events).result(30)

    with ThreadPoolExecutor(2) as threads:
        posting = [threads.submit(post, seed) for seed in range(2)]
        yield
        enough.set()
        for future in posting:
            future.result(30)


@pytest.mark.usefixtures("under_load")
def test_an_event_is_in_its_users_next_feed_always(live: Live, tell: Tell, clock: ManualClock) -> None:
    # Who rejects all that an author has made, or a category, is shown no more of it: here there are none.
    tell(live, [Record("item", clock.now(), object=f"i{number}", body=Item()) for number in range(ITEMS)])

    def use(user: str) -> None:
        hidden: set[str] = set()
        for _ in range(60):
            page = live.feed(FeedRequest(user_id=user, limit=10))
            assert hidden.isdisjoint(item.item_id for item in page.items)
            top = page.items[0].item_id
            posted = tell(live, [Record("event", clock.now(), user, top, "hide")])
            hidden.add(top)
            assert live.feed(FeedRequest(user_id=user)).freshness.state_position >= posted.position

    with ThreadPoolExecutor(5) as threads:
        for used in [threads.submit(use, f"user-{number}") for number in range(5)]:
            used.result(120)


@pytest.mark.usefixtures("under_load")
def test_an_item_is_as_it_was_last_described_always(live: Live, tell: Tell, clock: ManualClock) -> None:
    for number in range(100):
        tell(live, [Record("item", clock.now(), object="i7", body=Item(title=f"Take {number}", visible=False))])
        assert live.item("i7").title == f"Take {number}"
        live.merge_item("i7", {"visible": True, "tags": [f"t{number}"]})
        assert live.item("i7") == Item(title=f"Take {number}", tags=(f"t{number}",))
    tell(live, [Record("retraction", clock.now(), object="i7", action="delete")])
    with pytest.raises(NotFound, match="i7"):
        live.item("i7")
    with pytest.raises(NotFound, match="i7"):
        live.merge_item("i7", {"title": "gone"})


def test_changes_of_one_item_at_the_same_time_are_all_kept(live: Live) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: live.merge_item("i1", {"attributes": {f"key-{n}": n}}), range(60)))
    assert live.item("i1").attributes == {f"key-{n}": n for n in range(60)}


def test_what_was_said_of_an_item_and_a_user_is_there_after_a_restart(
    live: Live, open_live: OpenLive, tell: Tell, clock: ManualClock
) -> None:
    live.merge_item("i1", {"title": "Another"})
    tell(live, [Record("user", clock.now(), "ann", body=User(interests=("t1",)))])
    live.merge_user("ann", {"attributes": {"country": "PT"}})
    tell(live, [Record("retraction", clock.now(), object="i2", action="delete")])
    end = live.status().log_end
    live.close()
    again = open_live()
    assert again.status().log_end == end
    assert (again.status().items, again.item("i1").title) == (ITEMS - 1, "Another")
    assert again.user("ann") == User(interests=("t1",), attributes={"country": "PT"})
    with pytest.raises(NotFound, match="i2"):
        again.item("i2")


def test_an_event_that_is_posted_again_changes_nothing(live: Live, open_live: OpenLive, tell: Tell) -> None:
    like = Record("event", live.clock.now(), "ann", "i1", "like", event_id="e1")
    assert tell(live, [like]).answers == ["accepted"]
    position = live.status().log_end
    assert tell(live, [like, like]).answers == ["duplicate", "duplicate"]
    assert live.status().log_end == position
    live.close()
    assert tell(open_live(), [like]).answers == ["duplicate"]


def test_what_is_shown_then_seen_and_liked_is_learned_from_when_silence_has_lasted(
    live: Live, tell: Tell, clock: ManualClock
) -> None:
    page = live.feed(FeedRequest(user_id="ann", limit=5, request_id="r"))
    first, second = page.items[0].item_id, page.items[1].item_id
    now = clock.now()
    tell(live, [Record("seen", now, "ann", item_id, request_id="r") for item_id in (first, second)])
    tell(live, [Record("event", now, "ann", first, "click", request_id="r")])
    # Items, the page, two seen and a click; nothing is learned of them while their window of ten minutes is open.
    end = ITEMS + 4
    assert live.log.end() == end
    assert _learned(live) == {}
    clock.advance(11 * MINUTE)
    wait_for(lambda: live.log.end() > end)
    assert _learned(live) == {first: 1.0, second: 0.0}


def test_before_it_has_started_and_after_it_has_ended_it_says_so(open_live: OpenLive, clock: ManualClock) -> None:
    live = open_live()
    live.close()
    for ask in (lambda: live.feed(FeedRequest(user_id="ann")), lambda: live.submit([]), lambda: live.item("i1")):
        with pytest.raises(Unavailable):
            ask()
    waiting = Live(Home(live.home.path), live.config, clock)
    with pytest.raises(Unavailable, match="the server is not ready: opening the home"):
        waiting.feed(FeedRequest(user_id="ann"))
    assert waiting.status().starting == "opening the home"
    waiting.close()


def test_a_home_that_another_has_is_told_and_can_be_had_when_it_is_free(live: Live, clock: ManualClock) -> None:
    second = Live(Home(live.home.path), live.config, clock)
    with pytest.raises(HomeError, match="log"):
        second.start()
    assert live.feed(FeedRequest(user_id="ann")).items
    live.close()
    second.start()
    try:
        assert second.status().items == ITEMS
        assert second.feed(FeedRequest(user_id="ann")).items
    finally:
        second.close()


@pytest.mark.parametrize("damage", ["cut", "emptied", "deleted"])
def test_a_snapshot_that_is_damaged_is_named_and_the_log_is_folded_instead(
    live: Live, open_live: OpenLive, tell: Tell, clock: ManualClock, damage: str
) -> None:
    tell(live, [Record("event", clock.now(), f"u{n % 7}", f"i{n % 50}", "like") for n in range(300)])
    with Engine(live.home, live.config, clock) as engine:
        engine.catch_up()
    asked = FeedRequest(user_id="u1", limit=20)
    assert live.feed(asked).items
    live.close()
    (snapshot,) = [path for path in live.home.snapshots.iterdir() if (path / "manifest.json").exists()]
    for path in snapshot.iterdir():
        if path.name != "manifest.json":
            if damage == "deleted":
                path.unlink()
            else:
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "cut" else b"")
    again = open_live()
    (refused, *_) = again.status().refused
    assert str(snapshot) in refused
    assert again.status().log_end == 701
    # Who has liked an item has seen it.
    liked = {f"i{n % 50}" for n in range(300) if n % 7 == 1}
    assert liked.isdisjoint(item.item_id for item in again.feed(asked).items)


def test_a_share_of_users_gets_the_order_of_popularity(
    open_live: OpenLive, settled: FeedConfig, tell: Tell, items: Items, clock: ManualClock
) -> None:
    live = open_live(Config(feed=settled, holdout=HoldoutConfig(share=0.3)))
    tell(live, items(50))
    # The item n has n + 1 likes: i49 is the most popular.
    tell(live, [Record("event", clock.now(), f"fan-{k}", f"i{n}", "like") for n in range(50) for k in range(n + 1)])
    clock.advance(MINUTE)
    pages = [live.feed(FeedRequest(user_id=f"u{n}", limit=10)) for n in range(200)]
    held_out = [page for page in pages if page.arm == "popularity"]
    # 60 are expected, with a standard deviation of 6.5.
    assert 35 < len(held_out) < 85
    for page in held_out:
        assert [item.item_id for item in page.items] == [f"i{n}" for n in range(49, 39, -1)]
        assert all(item.probability is None for item in page.items)
    again = [live.feed(FeedRequest(user_id=page.user_id, limit=1)).arm for page in pages[:50]]
    assert again == [page.arm for page in pages[:50]]


def test_without_a_share_nobody_does(live: Live) -> None:
    assert live.config.holdout.share == 0
    assert {live.feed(FeedRequest(user_id=f"u{n}", limit=1)).arm for n in range(100)} == {"feedmill"}


def _learned(live: Live) -> dict[str, float]:
    """What a trainer has of ann when it has read the log: the click labels by item."""
    learner = Learner(live.config.learning(), SlotRegistry.load(live.home.slots))
    examples = learner.step(live.log.read(0, live.log.end())[0]).examples
    names = {hash_id(f"i{n}"): f"i{n}" for n in range(ITEMS)}
    click = list(live.config.objectives).index("click")
    of_ann = np.flatnonzero(examples.users == hash_id("ann")).tolist()
    return {names[int(examples.items[row])]: float(examples.labels[row, click]) for row in of_ann}
