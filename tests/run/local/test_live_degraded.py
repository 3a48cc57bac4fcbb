"""What fails beside the feed costs the feed nothing but what it would have added."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from msgspec.structs import replace

from feedmill.domain.clock import MINUTE, SECOND, ManualClock
from feedmill.domain.records import Record
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.publisher import Publisher
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.local.answers import FeedPage, FeedRequest
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source
from feedmill.serve.retrieval.co_visitation import CoVisitationSource
from feedmill.serve.retrieval.fresh import FreshSource
from feedmill.serve.retrieval.liked import LikedSource
from feedmill.serve.retrieval.trending import TrendingSource
from feedmill.serve.retrieval.two_tower import TwoTowerSource
from feedmill.testing.serving import wait_for

OpenLive = Callable[..., Live]
Tell = Callable[[Live, Sequence[Record]], object]
Items = Callable[[int], list[Record]]
Fetch = Callable[[Source, HydratedRequest], Retrieved]
SOURCES: dict[str, type[Source]] = {
    source.name: source for source in (CoVisitationSource, LikedSource, TwoTowerSource, TrendingSource, FreshSource)
}


def ask(live: Live, user_id: str = "ann") -> FeedPage:
    page = live.feed(FeedRequest(user_id=user_id, limit=20))
    assert len({item.item_id for item in page.items}) == 20
    return page


@pytest.fixture
def hang() -> Iterator[Fetch]:
    """A fetch that does not come back before the test has ended."""
    released = threading.Event()

    def fetch(source: Source, request: HydratedRequest) -> Retrieved:
        assert released.wait(60)
        raise TimeoutError

    yield fetch
    released.set()


@pytest.fixture
def fail() -> Fetch:
    def fetch(source: Source, request: HydratedRequest) -> Retrieved:
        raise ZeroDivisionError("a bug in a source")

    return fetch


def start(open_live: OpenLive, tell: Tell, items: Items) -> Live:
    """A hundred items, of which two users like four, so that every source has something to name."""
    patient = {name: replace(getattr(FeedConfig(), name), deadline_ms=200.0) for name in SOURCES}
    feed = FeedConfig(**patient, fan_out=FanOutConfig(failures=3, pause_seconds=1_000.0))
    live = open_live(Config(feed=feed, holdout=HoldoutConfig(share=0.0)))
    tell(live, items(100))
    now = live.clock.now()
    tell(live, [Record("event", now, user, f"i{n}", "like") for user in ("ann", "bob") for n in range(4)])
    return live


@pytest.mark.parametrize("broken", SOURCES)
def test_a_source_that_fails_costs_its_items_only_and_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, open_live: OpenLive, tell: Tell, items: Items, fail: Fetch, broken: str
) -> None:
    live = start(open_live, tell, items)
    monkeypatch.setattr(SOURCES[broken], "fetch", fail)
    pages = [ask(live) for _ in range(5)]
    counts = live.counts()[f"source/{broken}"]
    assert (counts.failed, counts.refused) == (3, 2)
    assert counts.last_error == "ZeroDivisionError: a bug in a source"
    for name in SOURCES:
        assert name == broken or live.counts()[f"source/{name}"].failed == 0
    assert all(broken not in item.sources for page in pages for item in page.items)
    explained = live.explain(pages[0].request_id).trace
    assert explained is not None
    assert [stage.stage for stage in explained.stages if stage.outcome == "failed"] == [broken]


def test_a_source_that_hangs_costs_its_items_only_and_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, open_live: OpenLive, tell: Tell, items: Items, hang: Fetch
) -> None:
    live = start(open_live, tell, items)
    monkeypatch.setattr(TrendingSource, "fetch", hang)
    pages = [ask(live) for _ in range(5)]
    counts = live.counts()["source/trending"]
    assert (counts.late, counts.refused) == (3, 2)
    assert all("trending" not in item.sources for page in pages for item in page.items)
    # Whoever posts meanwhile is not held up for longer than the pages are.
    assert tell(live, [Record("event", live.clock.now(), "ann", "i50", "like")])


def test_with_all_sources_failing_the_catalogue_fills_the_page(
    monkeypatch: pytest.MonkeyPatch, open_live: OpenLive, tell: Tell, items: Items, fail: Fetch
) -> None:
    live = start(open_live, tell, items)
    for source in SOURCES.values():
        monkeypatch.setattr(source, "fetch", fail)
    assert {source for item in ask(live).items for source in item.sources} == {"catalogue"}


def test_without_a_trainer_feeds_go_on_and_say_how_old_their_parameters_are(
    open_live: OpenLive, tell: Tell, items: Items, clock: ManualClock
) -> None:
    live = open_live()
    tell(live, items(100))
    assert ask(live).freshness.parameters_age_ms is None

    def train(records: Sequence[Record]) -> None:
        """A trainer that reads all there is, publishes it, and is gone."""
        tell(live, records)
        with Engine(live.home, live.config, clock) as engine:
            channel = FileChannel(live.home.deltas)
            publisher = Publisher(channel, engine.trainer, clock, live.config.sync, timer=lambda: clock.now() / SECOND)
            rounds = iter([False, False, False])
            engine.trainer.follow(publisher, lambda seconds: next(rounds, True))
        wait_for(lambda: live.status().freshness.parameters_position == live.status().freshness.state_position)

    train([Record("event", clock.now(), "ann", f"i{n}", "like") for n in range(4)])
    first = live.status().freshness
    assert (first.parameters_step > 0, first.parameters_age_ms) == (True, 0)
    # Dead for a minute: what is told meanwhile is in the feeds at once, and is not learned.
    for seconds in (20, 40, 60):
        clock.advance(20 * SECOND)
        tell(live, [Record("event", clock.now(), "bob", f"i{seconds}", "like")])
        freshness = ask(live).freshness
        assert freshness.parameters_age_ms == seconds * SECOND
        assert freshness.parameters_position == first.parameters_position < freshness.state_position
    train([Record("event", clock.now(), "bob", "i3", "like")])
    last = live.status().freshness
    assert last.parameters_age_ms == 0
    assert last.parameters_step > first.parameters_step
    clock.advance(MINUTE)
    assert ask(live).freshness.parameters_age_ms == MINUTE
