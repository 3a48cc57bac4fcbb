"""A disk that is full, or fills up, or may not be written: nothing that was acknowledged is lost, and feeds go on."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedmill.domain.clock import SystemClock
from feedmill.domain.errors import StorageError
from feedmill.domain.records import Item, Record
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local.answers import FeedRequest
from feedmill.run.local.live import Live
from feedmill.testing.command_line import COMMAND
from feedmill.testing.serving import Serving, serving, wait_for

Mount = Callable[[str], contextlib.AbstractContextManager[Path]]
ITEMS = 60


@contextlib.contextmanager
def full(place: Path) -> Iterator[None]:
    """No room on the disk until the block ends."""
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


def fill(served: Serving) -> None:
    assert served.post("/v1/items", [{"item_id": f"i{n}"} for n in range(ITEMS)])["accepted"] == ITEMS


def refused(home: Path) -> str:
    """The one line that `feedmill serve` ends with."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("FEEDMILL_")}
    command = [str(COMMAND), "serve", "--home", str(home), "--port", "0"]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("feedmill: ")]
    return str(line)


def event(name: str) -> dict[str, str]:
    return {"user_id": "somebody", "item_id": "i1", "action": "like", "event_id": name}


@pytest.mark.timeout(120)
def test_a_disk_that_becomes_full_costs_posts_and_no_feed_until_there_is_room(tmpfs: Mount) -> None:
    with tmpfs("size=64m") as place:
        home = place / "home"
        acknowledged: list[str] = []

        def post(name: str) -> int:
            reply = served.ask("POST", "/v1/events", [event(f"{name}-{n}") for n in range(20)])
            if reply.status == 200:
                acknowledged.extend(f"{name}-{n}" for n in range(20))
            else:
                assert reply.headers["content-type"] == "application/problem+json"
                assert "full" in reply.json["detail"]
            return reply.status

        with serving(home) as served:
            fill(served)
            assert post("before") == 200
            end = served.get("/v1/status")["log_end"]
            with full(place):
                # What the log has room for in its own file may still be taken: it is on disk then.
                statuses = [post(f"full-{number}") for number in range(200)]
                assert set(statuses) <= {200, 503}
                assert statuses[-50:] == [503] * 50
                put = served.ask("PUT", "/v1/items/new", {"title": "x" * 50_000})
                assert put.status == 503
                for number in range(20):
                    page = served.feed(f"u{number}", "limit=20")
                    assert len({item["item_id"] for item in page["items"]}) == 20
                assert served.ask("GET", "/health/ready").status == 200
            assert post("after") == 200
            assert served.ask("PUT", "/v1/items/new", {"title": "x" * 50_000}).status == 200
            assert served.get("/v1/items/new")["title"] == "x" * 50_000
            assert served.get("/v1/status")["log_end"] > end
            assert "Traceback" not in served.said()
            served.wait_until_learned()
        with serving(home) as again:
            answer = again.post("/v1/events", [event(name) for name in acknowledged])
            assert answer["duplicates"] == len(acknowledged)
            # What was refused was not taken in behind the application's back.
            refused = [f"full-{number}-0" for number, status in enumerate(statuses) if status == 503]
            assert again.post("/v1/events", [event(name) for name in refused])["accepted"] == len(refused)


def test_pages_that_the_disk_does_not_take_are_answered_and_counted(tmpfs: Mount) -> None:
    with tmpfs("size=64m") as place, contextlib.ExitStack() as opened:
        live = Live(Home(place / "home"), Config(), SystemClock())
        live.start()
        opened.callback(live.close)
        live.submit([Record("item", 1, object=f"i{n}", body=Item()) for n in range(ITEMS)]).result(30)
        with full(place):
            # The file of the log has some room of its own, which pages of fifty items soon have filled.
            pages = [live.feed(FeedRequest(user_id=f"u{n}", limit=50)) for n in range(200)]
            with pytest.raises(StorageError, match="full"):
                live.submit([Record("item", 1, object="i0", body=Item(title="x" * 50_000))]).result(30)
        assert all(len(page.items) == 50 for page in pages)
        live.submit([]).result(30)
        logged = sum(record.kind == "served" for record in live.log.read(0, live.log.end())[0])
        assert live.unlogged_pages > 0
        assert live.unlogged_pages + logged == 200
        # As long as it is remembered, a request that comes again gets its page, in the log or not.
        last = pages[-1]
        again = live.feed(FeedRequest(user_id=last.user_id, limit=50, request_id=last.request_id))
        assert again.items == last.items


def test_a_server_does_not_start_on_a_disk_that_may_not_be_written_and_says_so(tmpfs: Mount) -> None:
    with tmpfs("size=32m") as place:
        home = place / "home"
        Home(home)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        line = refused(home)
        assert str(home) in line
        assert "read-only" in line
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        with serving(home) as served:
            fill(served)


def test_a_server_that_starts_on_a_full_disk_says_so_or_serves_what_it_has(tmpfs: Mount) -> None:
    with tmpfs("size=64m") as place:
        home = place / "home"
        with full(place):
            line = refused(home)
            assert str(home) in line
            assert "full" in line
        with serving(home) as served:
            fill(served)
            served.feed("ann")
            served.wait_until_learned()
        with full(place):
            line = refused(home)
            assert str(home) in line
            assert "full" in line
        with serving(home) as served:
            assert served.get("/v1/status")["items"] == ITEMS
            wait_for(lambda: len(served.feed("ann")["items"]) == 20)
