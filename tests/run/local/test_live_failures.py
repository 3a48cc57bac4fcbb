"""What goes wrong beside a request costs what it must, and is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import StorageError, Unavailable
from feedmill.domain.records import Record
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local.answers import FeedRequest
from feedmill.run.local.live import Live
from feedmill.stream.log.protocol import Appended
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.state.state import State
from feedmill.testing.serving import wait_for

NOW = 1_700_000_000_000


def like(event_id: str) -> Record:
    return Record("event", NOW, "ada", "i1", "like", event_id=event_id)


@pytest.fixture
def failing_sync(monkeypatch: pytest.MonkeyPatch) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """`with failing_sync():` appends reach the disk and report an error all the same."""
    append = SqliteLog.append

    def append_and_fail(log: SqliteLog, records: Sequence[Record]) -> Appended:
        append(log, records)
        raise StorageError("the disk failed in the very moment of the sync")

    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(SqliteLog, "append", append_and_fail)
            yield

    return failing


def test_an_append_that_fails_after_it_reached_the_disk_is_folded_when_it_is_sent_again(
    open_live: Callable[..., Live], failing_sync: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    live = open_live()
    with failing_sync(), pytest.raises(StorageError):
        live.submit([like("a")]).result(10)
    assert live.submit([like("a")]).result(10).answers == ["duplicate"]
    status = live.status()
    assert (status.freshness.state_position, status.users) == (1, 1)


def test_records_that_a_failed_append_left_are_folded_before_those_that_follow(
    open_live: Callable[..., Live], failing_sync: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    live = open_live()
    with failing_sync(), pytest.raises(StorageError):
        live.submit([like("a"), like("b")]).result(10)
    assert live.submit([like("c")]).result(10).position == 3
    assert live.status().freshness.state_position == 3


def test_a_fold_that_fails_half_way_ends_all_answers_and_is_told(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    live = Live(Home(tmp_path / "home", clock=clock), Config(), clock, on_failure=told.append)
    live.start()
    try:

        def fail(*_: Any) -> None:
            raise MemoryError("no memory")

        monkeypatch.setattr(State, "fold", fail)
        with pytest.raises(MemoryError):
            live.submit([like("a")]).result(10)
        assert [str(error) for error in told] == ["no memory"]
        with pytest.raises(Unavailable, match="the state is broken"):
            live.feed(FeedRequest(user_id="ada"))
    finally:
        live.close()
    monkeypatch.undo()
    again = Live(Home(tmp_path / "home", clock=clock), Config(), clock)
    again.start()
    assert again.status().freshness.state_position == 1
    again.close()


def test_what_fails_beside_requests_is_counted_and_tried_again(
    open_live: Callable[..., Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    from feedmill.learn.sync.follower import Follower

    live = open_live()
    poll = Follower.poll

    def fail(follower: Follower) -> bool:
        raise OSError("too many open files")

    monkeypatch.setattr(Follower, "poll", fail)
    wait_for(lambda: live.failures >= 2)
    polled = []
    monkeypatch.setattr(Follower, "poll", lambda follower: polled.append(1) or poll(follower))
    wait_for(lambda: polled)
    assert len(live.feed(FeedRequest(user_id="ada")).items) == 0


def test_a_start_that_is_stopped_leaves_nothing_behind(tmp_path: Path, clock: ManualClock) -> None:
    home = Home(tmp_path / "home", clock=clock)
    live = Live(home, Config(), clock)
    live.close()
    with pytest.raises(Unavailable, match="stopped while it was starting"):
        live.start()
    other = Live(home, Config(), clock)
    other.start()
    other.close()
