"""Live equals replay: what a page was ranked by is, bit for bit, what a fold of the log up to there computes."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.batches import Features
from feedmill.domain.clock import DAY, HOUR, MINUTE, ManualClock
from feedmill.domain.errors import NotFound
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Item, Record, Scalar, Served, User
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.training.learner import Learner
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.run.local.answers import FeedRequest, RankRequest
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig
from feedmill.stream.features.pack import unpack
from feedmill.stream.joining.config import JoinConfig
from feedmill.stream.log.protocol import Log
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig
from feedmill.testing.serving import Serving, serving

ITEMS, USERS = 60, 25
ACTIONS = ("like", "click", "skip", "view", "long_view", "share", "hide", "rating")


class Fold:
    """A state of its own, folded from the log as far as it is asked to."""

    def __init__(self, home: Home, config: Config, log: Log) -> None:
        learning = config.learning()
        reader = FeedbackReader(learning.actions, learning.objectives)
        seen = frozenset(learning.join.served_means_seen)
        self.state = State(StateConfig(learning.features, reader, seen, learning.training.seed))
        parameters = Parameters(learning, SlotRegistry.load(home.slots), self.state.native.dense_columns)
        self._view = parameters.ranker_schema.view
        self._log = log
        self._position = 0

    def features(self, record: Record, served: Served) -> Features:
        """What the page should have been ranked by."""
        assert served.state_position >= self._position
        records, self._position = self._log.read(self._position, served.state_position - self._position)
        self.state.fold(records)
        catalog = self.state.catalog
        ordinals = [catalog.items.ids.find(item.item_id) for item in served.items]
        assert -1 not in ordinals
        user = catalog.users.ids.find(record.subject)
        return self.state.read(self._view, user, np.array(ordinals, dtype=np.int32), record.timestamp, record.context)


def logged_pages(log: Log) -> list[tuple[Record, Served]]:
    """In the order of the states that they were made from."""
    records = log.read(0, log.end())[0]
    pages = [(record, record.body) for record in records if isinstance(record.body, Served)]
    return sorted(pages, key=lambda page: page[1].state_position)


def assert_same(found: Features, wanted: Features, what: str) -> None:
    assert np.array_equal(found.offsets, wanted.offsets), what
    assert np.array_equal(found.ids, wanted.ids), what
    # As bits: a NaN or a negative zero would count too.
    assert found.dense.dtype == wanted.dense.dtype == np.float32
    assert found.dense.tobytes() == wanted.dense.tobytes(), what


def check_log(home: Home, config: Config, log: Log, afresh: int = 3) -> list[tuple[Record, Served]]:
    """Every page with features in the log; some of them against a state that is folded for them alone."""
    fold, pages = Fold(home, config, log), logged_pages(log)
    ranked = [(record, served) for record, served in pages if served.features is not None and served.items]
    for number, (record, served) in enumerate(ranked):
        assert served.features is not None
        logged = unpack(served.features, len(served.items))
        what = f"{record.request_id} for {record.subject} at {served.state_position}"
        assert_same(logged, fold.features(record, served), what)
        if number % max(1, len(ranked) // afresh) == 0:
            assert_same(logged, Fold(home, config, log).features(record, served), what)
    return pages


def check_pages(live: Live) -> list[tuple[Record, Served]]:
    # What was answered a moment ago is in the log when a later post is.
    live.submit([]).result(30)
    return check_log(live.home, live.config, live.log)


class Applications:
    """Applications that send whatever they like, at random."""

    def __init__(self, live: Live, seed: int) -> None:
        self._live = live
        self._generator = random.Random(seed)

    def send(self) -> None:
        """One post, of any kind."""
        live, draw = self._live, self._generator
        records: list[Record] = []
        for _ in range(draw.randrange(1, 12)):
            now = live.clock.now()
            user, item = f"u{draw.randrange(USERS)}", f"i{draw.randrange(ITEMS)}"
            context: dict[str, Scalar] = {"device": draw.choice(["phone", "tv"])} if draw.random() < 0.5 else {}
            at = now - draw.randrange(2 * HOUR)
            match draw.randrange(12):
                case 0:
                    records.append(Record("item", now, object=item, body=self._item()))
                case 1:
                    records.append(Record("seen", at, user, item, context=context))
                case 2:
                    records.append(
                        Record("relation", now, user, f"a{draw.randrange(10)}", "follow", object_kind="user")
                    )
                case 3:
                    records.append(
                        Record(
                            "user", now, user, body=User(interests=(f"t{draw.randrange(7)}", f"c{draw.randrange(4)}"))
                        )
                    )
                case 4 if draw.random() < 0.3:
                    records.append(Record("retraction", now, object=item, action="delete"))
                case 4 if draw.random() < 0.3:
                    records.append(Record("retraction", now, user, action="delete"))
                case 5:
                    with contextlib.suppress(NotFound):
                        live.merge_item(item, {"tags": [f"t{draw.randrange(7)}"], "title": f"New {draw.random()}"})
                case _:
                    action = draw.choice(ACTIONS)
                    value = draw.uniform(0, 5) if action in ("view", "rating") else None
                    records.append(Record("event", at, user, item, action, value, context=context))
        live.submit(records).result(30)

    def ask(self) -> None:
        """A page or a ranking, for a user who may be known, new, or never heard of."""
        live, draw = self._live, self._generator
        user = f"u{draw.randrange(USERS)}" if draw.random() < 0.8 else f"stranger-{draw.random()}"
        context: dict[str, Scalar] = {"device": draw.choice(["phone", "tv", "new"])} if draw.random() < 0.5 else {}
        if draw.random() < 0.3:
            chosen = draw.sample(range(ITEMS), draw.randrange(1, 30))
            live.rank(RankRequest(user_id=user, item_ids=tuple(f"i{n}" for n in chosen), context=context))
        else:
            surface = draw.choice(["feed", "home"])
            live.feed(FeedRequest(user_id=user, limit=draw.randrange(1, 25), surface=surface, context=context))

    def _item(self) -> Item:
        draw = self._generator
        return Item(
            title=f"Title {draw.random()}",
            author_id=f"a{draw.randrange(10)}",
            categories=(f"c{draw.randrange(4)}",),
            tags=tuple(f"t{draw.randrange(7)}" for _ in range(draw.randrange(4))),
            duration=draw.choice([None, draw.uniform(1, 900)]),
            created_at=self._live.clock.now() - draw.randrange(100 * HOUR),
        )


def at_the_same_time(live: Live, clock: ManualClock, asked: int, seed: int) -> None:
    """Two threads post while two others ask for pages, and time passes."""
    enough = threading.Event()

    def post(number: int) -> None:
        application = Applications(live, number)
        while not enough.is_set():
            application.send()

    def ask(number: int) -> None:
        application = Applications(live, number)
        for _ in range(asked // 2):
            application.ask()
            clock.advance(137)

    with ThreadPoolExecutor(4) as threads:
        posting = [threads.submit(post, seed + number) for number in range(2)]
        asking = [threads.submit(ask, seed + 10 + number) for number in range(2)]
        try:
            for future in asking:
                future.result(120)
        finally:
            enough.set()
        for future in posting:
            future.result(120)


@pytest.fixture
def live(open_live: Callable[..., Live], settled: FeedConfig, items: Callable[[int], list[Record]]) -> Iterator[Live]:
    join = JoinConfig(served_means_seen=("home",))
    opened = open_live(Config(feed=settled, join=join, holdout=HoldoutConfig(share=0.2)))
    opened.submit(items(ITEMS)).result(30)
    yield opened
    opened.close()


def test_the_features_of_every_page_are_those_of_a_fold_up_to_there(live: Live, clock: ManualClock) -> None:
    application = Applications(live, 1)
    for _ in range(150):
        application.send()
        application.ask()
        clock.advance(40_000)
    pages = check_pages(live)
    assert len(pages) == 150
    assert {served.surface for _, served in pages} == {"feed", "home", "rank"}


def test_they_are_while_threads_post_and_ask(live: Live, clock: ManualClock) -> None:
    at_the_same_time(live, clock, 200, seed=2)
    pages = check_pages(live)
    assert len(pages) == 200
    positions = {served.state_position for _, served in pages}
    assert len(positions) > 10


def test_they_are_after_a_restart_from_the_log_and_from_a_snapshot(
    live: Live, open_live: Callable[..., Live], clock: ManualClock
) -> None:
    at_the_same_time(live, clock, 60, seed=3)
    live.close()
    from_log = open_live(live.config)
    at_the_same_time(from_log, clock, 60, seed=4)
    with Engine(live.home, live.config, clock) as engine:
        engine.catch_up()
        snapshot = engine.trainer.position
    at_the_same_time(from_log, clock, 60, seed=5)
    from_log.close()
    from_snapshot = open_live(live.config)
    assert from_snapshot.status().refused == ()
    at_the_same_time(from_snapshot, clock, 60, seed=6)
    assert 0 < snapshot < from_snapshot.log.end()
    assert len(check_pages(from_snapshot)) == 240


def test_they_are_in_processes_of_which_two_are_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--set", "training.snapshot_steps=10") as served:
        served.post("/v1/items", [{"item_id": f"i{n}", "tags": [f"t{n % 7}"]} for n in range(ITEMS)])
        for killed in ("server", "trainer", None):
            with ThreadPoolExecutor(3) as threads:
                list(threads.map(lambda seed: use(served, seed), range(3)))
            served.wait_until_learned()
            if killed == "server" or killed == "trainer":
                assert served.kill(killed)
                served.wait_until_ready()
    home = Home(tmp_path / "home", create=False)
    with contextlib.closing(SqliteLog(home.log, read_only=True)) as log:
        pages = check_log(home, Config(), log)
    assert len(pages) == 360
    assert len({served.parameters_step for _, served in pages}) > 3


def use(served: Serving, seed: int) -> None:
    """Forty pages for a user or another, and what they do in between."""
    draw = random.Random(seed)
    for _ in range(40):
        user, item = f"u{draw.randrange(USERS)}", f"i{draw.randrange(ITEMS)}"
        page = served.feed(user, f"limit={draw.randrange(1, 25)}")
        shown = [
            {"kind": "seen", "user_id": user, "item_id": one["item_id"], "request_id": page["request_id"]}
            for one in page["items"]
        ]
        done = [
            {"user_id": user, "item_id": one["item_id"], "action": draw.choice(ACTIONS[:6])}
            for one in page["items"]
            if draw.random() < 0.3
        ]
        served.post("/v1/events", shown + done)
        method = draw.choice(["PUT", "PATCH", "PATCH", "GET"])
        value = None if method == "GET" else {"tags": [f"t{draw.randrange(7)}"], "author_id": f"a{draw.randrange(5)}"}
        assert served.ask(method, f"/v1/items/{item}", value).status == 200


def test_they_are_on_a_log_that_ended_long_ago(live: Live, clock: ManualClock) -> None:
    application = Applications(live, 7)
    for _ in range(20):
        application.send()
    end = clock.now()
    clock.advance(400 * DAY)
    for _ in range(20):
        application.ask()
        clock.advance(MINUTE)
    # Nobody has done anything since: the end of the log is the present.
    assert {end - record.timestamp < 2 * HOUR for record, _ in check_pages(live)} == {True}
    for _ in range(20):
        application.send()
        application.ask()
    assert len(check_pages(live)) == 40


def test_a_page_of_the_holdout_has_no_features_and_every_other_has(live: Live) -> None:
    arms = {f"u{number}": live.feed(FeedRequest(user_id=f"u{number}")).arm for number in range(100)}
    live.submit([]).result(30)
    for record, served in logged_pages(live.log):
        assert (served.features is None) == (arms[record.subject] == "popularity")
    assert {"popularity", "feedmill"} == set(arms.values())


def test_an_example_is_learned_from_the_features_that_ranked_it(live: Live, clock: ManualClock) -> None:
    user = next(f"u{n}" for n in range(100) if live.config.holdout.arm_of(f"u{n}") == "feedmill")
    page = live.feed(FeedRequest(user_id=user, limit=5))
    first = page.items[0].item_id
    # Much happens between the page and the report of what was seen of it; nothing of it may be in the example.
    live.submit([Record("event", clock.now(), f"v{n}", first, "like") for n in range(50)]).result(30)
    live.submit([Record("item", clock.now(), object=first, body=Item(title="Another", tags=("new",)))]).result(30)
    live.submit(
        [
            Record("seen", clock.now(), user, first, request_id=page.request_id),
            Record("event", clock.now(), user, first, "click", request_id=page.request_id),
            Record("heartbeat", clock.now() + 11 * MINUTE),
        ]
    ).result(30)
    ((record, served),) = logged_pages(live.log)
    assert served.features is not None
    logged = unpack(served.features, 5).take(np.array([0]))
    learner = Learner(live.config.learning(), SlotRegistry.load(live.home.slots))
    examples = learner.step(live.log.read(0, live.log.end())[0]).examples
    (row,) = np.flatnonzero((examples.users == hash_id(user)) & (examples.items == hash_id(first)))
    assert_same(examples.features.take(np.array([row])), logged, "the example")
    assert dict(zip(learner.config.objectives, examples.labels[row], strict=True))["click"] == 1.0
    # Which the fold would not make any more.
    late = msgspec.structs.replace(served, items=served.items[:1], state_position=live.log.end())
    assert Fold(live.home, live.config, live.log).features(record, late).dense.tobytes() != logged.dense.tobytes()
