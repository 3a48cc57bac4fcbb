"""How life ends: with its time, with its world, with its disk, and with what nobody foresaw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from feedmill.domain.clock import ScaledClock, SystemClock
from feedmill.run.demo.life import Life
from feedmill.run.demo.setting import START, Setting
from feedmill.testing.serving import wait_for
from feedmill.testing.world_server import WorldServer

STATUS = {"freshness": {"parameters_step": 0, "parameters_position": 0}, "trainer_lag": 0, "ages": {}, "held": None}


@contextmanager
def starting_server(status: dict[str, Any]) -> Iterator[str]:
    """The address of a server that is starting for ever, and says `status` of itself."""
    content = json.dumps({"starting": True, **status}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def lived(setting: Setting, url: str, clock: ScaledClock, processes: Path) -> Iterator[tuple[Life, threading.Event]]:
    ended = threading.Event()
    life = Life(setting, url, clock, processes, ended=ended.set)
    life.start()
    try:
        yield life, ended
    finally:
        life.stop()


class BreakingClock(SystemClock):
    """A clock that breaks when it is told to."""

    broken = False

    def now(self) -> int:
        if self.broken:
            raise RuntimeError("the clock has stopped")
        return super().now()


def test_who_cannot_tell_any_more_ends_it_and_says_why(tmp_path: Path) -> None:
    system = BreakingClock()
    clock = ScaledClock(START, system.now(), 1440.0, system)
    with starting_server(STATUS) as url, lived(Setting(users=20), url, clock, tmp_path / "none.json") as (life, ended):
        system.broken = True
        assert ended.wait(20)
        assert str(life.failure) == "the clock has stopped"


def test_who_cannot_watch_the_server_any_more_ends_it_and_says_why(tmp_path: Path) -> None:
    clock = Setting().clock()
    with starting_server({}) as url, lived(Setting(users=20), url, clock, tmp_path / "none.json") as (life, ended):
        assert ended.wait(20)
        assert isinstance(life.failure, KeyError)


def test_a_disk_that_is_nearly_full_ends_it_and_is_no_failure(
    tmpfs: Callable[[str], AbstractContextManager[Path]],
) -> None:
    clock = Setting().clock()
    with (
        tmpfs("size=90m") as place,
        starting_server(STATUS) as url,
        lived(Setting(users=20), url, clock, place / "none.json") as (life, ended),
    ):
        assert ended.wait(20)
        assert life.failure is None
        assert [said for _, said in life.told().notes] == [
            "Less than 100 MB are free on the disk: the demonstration ends"
        ]


def test_its_time_is_over_in_the_middle_of_a_long_step(served: WorldServer, setting: Setting) -> None:
    # A step of ten minutes takes 25 seconds.
    slow = msgspec.structs.replace(setting, day_seconds=3600.0, seconds=1.0)
    begun = time.monotonic()
    with lived(slow, served.url, slow.clock(), served.home.processes) as (life, ended):
        life.shock("cats")
        assert ended.wait(60)
        assert time.monotonic() - begun < 20
        report = life.report(served.url)
    assert 1 <= report.seconds < 10
    assert report.notes == ("Everyone now wants cats",)
    assert life.failure is None


def test_a_world_that_has_ended_says_so_and_nothing_can_be_done_to_it(served: WorldServer, setting: Setting) -> None:
    short = msgspec.structs.replace(setting, days=1)
    with lived(short, served.url, served.clock, served.home.processes) as (life, ended):
        wait_for(lambda: life.told().ended or ended.is_set(), 60)
        assert life.failure is None
        life.shock("cats")
        said = [
            "The world has come to its last day; the phone goes on",
            "The world has ended: nothing can be done to it any more",
        ]
        wait_for(lambda: [sentence for _, sentence in life.told().notes][-2:] == said)
        assert not ended.is_set()
    assert life.failure is None
