"""What is measured of how soon a feed knows an event, against a server that is told what to answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from feedmill.client import Client
from feedmill.domain.clock import MINUTE, ManualClock
from feedmill.domain.records import Record
from feedmill.run.demo.http_policy import HttpPolicy
from feedmill.run.demo.measures import Measures

SEEN = Record("seen", MINUTE, "u", "i", event_id="e", request_id="r", outcomes={"watched": 0.5})


@dataclass
class Answering:
    """Feeds that know of what stands before `known`; events get position 7."""

    url: str
    known: int = 7
    feeds: list[str] = field(default_factory=list)


@pytest.fixture
def answering() -> Iterator[Answering]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer({"position": 7, "results": []})

        def do_GET(self) -> None:
            answering.feeds.append(self.path)
            freshness = {"state_position": answering.known}
            self._answer({"request_id": "r", "items": [], "freshness": freshness})

        def _answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answering = Answering(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield answering
        server.shutdown()
        thread.join()


@dataclass
class Asking:
    policy: HttpPolicy
    measures: Measures
    seconds: list[float]


@pytest.fixture
def asking(answering: Answering) -> Iterator[Asking]:
    seconds = [0.0]
    measures = Measures()
    with Client(answering.url) as client:
        policy = HttpPolicy(client, ManualClock(MINUTE), measures, threading.Event(), timer=lambda: seconds[0])
        yield Asking(policy, measures, seconds)
        policy.close()


def test_a_feed_that_knows_the_event_says_how_old_it_is(asking: Asking) -> None:
    asking.policy.observe([SEEN])
    asking.seconds[0] = 0.25
    asking.policy.slate(["u"], 2 * MINUTE, 1)
    assert asking.measures.event_to_feed(lately=True).p50 == pytest.approx(250)
    assert asking.measures.missed() == 0


def test_a_feed_that_does_not_know_the_event_is_counted(answering: Answering, asking: Asking) -> None:
    answering.known = 6
    asking.policy.observe([SEEN])
    asking.policy.slate(["u"], 2 * MINUTE, 1)
    assert asking.measures.event_to_feed(lately=True).p50 is None
    assert asking.measures.missed() == 1


def test_who_comes_in_a_later_step_says_nothing_of_it(answering: Answering, asking: Asking) -> None:
    asking.policy.observe([SEEN])
    asking.policy.begin_step()
    asking.policy.slate(["u"], 2 * MINUTE, 1)
    assert len(answering.feeds) == 1
    assert asking.measures.event_to_feed(lately=True).p50 is None
    assert asking.measures.missed() == 0
