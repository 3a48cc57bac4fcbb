"""The client against a server: a real one for what it says, and one that fails as it is told for what it does then."""

from __future__ import annotations

import contextlib
import http.server
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feedmill import client as module
from feedmill.client import Client, FeedmillConnectionError, FeedmillHTTPError, Refused
from feedmill.domain.clock import SystemClock
from feedmill.run.api.app import make_app
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.events import EventsAnswer
from feedmill.run.api.serving import make_server
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local import answers
from feedmill.run.local.live import Live

ITEMS = [{"item_id": f"i{number}", "title": f"Item {number}", "tags": ["sea"]} for number in range(40)]
PATIENCE = 20.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    engine = Live(Home(tmp_path_factory.mktemp("client") / "home"), Config(), SystemClock())
    engine.start()
    yield engine
    engine.close()


@contextlib.contextmanager
def serving(live: Live, port: int = 0, **app: Any) -> Iterator[str]:
    config = ApiConfig()
    server = make_server(make_app(live, config=config, **app), config)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield "http://{}:{}".format(*listening.getsockname())
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


@pytest.fixture(scope="module")
def url(live: Live) -> Iterator[str]:
    with serving(live) as address, Client(address) as client:
        assert client.put_items(ITEMS)["accepted"] == len(ITEMS)
        yield address


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def actions(live: Live, user: str) -> list[tuple[str, str, str]]:
    """What the log has of a user: kind, item and action."""
    records, _ = live.log.read(0, 1_000_000)
    wanted = ("event", "seen")
    return [(one.kind, one.object, one.action) for one in records if one.subject == user and one.kind in wanted]


@dataclass
class Flaky:
    """A server that answers as it is told, status by status, and then accepts everything."""

    statuses: list[int | None] = field(default_factory=list)
    """None closes the connection without an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    rejects: frozenset[str] = frozenset()
    """Items whose events are rejected."""
    bodies: list[list[dict[str, Any]]] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def items(self) -> list[list[str]]:
        return [[event["item_id"] for event in body] for body in self.bodies]


@contextlib.contextmanager
def flaky(flaky: Flaky) -> Iterator[Flaky]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            flaky.arrived.append(time.monotonic())
            flaky.bodies.append(events)
            assert flaky.hold.wait(PATIENCE)
            status = flaky.statuses.pop(0) if flaky.statuses else 200
            if status is None:
                self.close_connection = True
                return
            bad = [at for at, event in enumerate(events) if event["item_id"] in flaky.rejects]
            if status == 200 and "poison" in flaky.rejects and bad:
                status = 400
            answer: dict[str, Any] = {"title": "Trouble", "status": status, "detail": "as told", "errors": []}
            if status == 422:
                answer["errors"] = [{"field": f"[{at}].item_id", "problem": "is bad"} for at in range(len(events))]
            if status == 200:
                refused = {"status": "rejected", "field": "item_id", "problem": "is bad"}
                results = [refused if at in bad else {"status": "accepted"} for at in range(len(events))]
                answer = {"position": 1, "accepted": 1, "duplicates": 0, "rejected": len(bad), "results": results}
            body = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**flaky.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *values: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    flaky.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield flaky
    finally:
        flaky.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_tracked_like_is_in_the_log_after_a_flush_and_the_page_is_explained(client: Client, live: Live) -> None:
    page = client.feed("ada", limit=5, context={"device": "phone"}, exclude=["i1", "i2"])
    shown = [item["item_id"] for item in page["items"]]
    assert len(shown) == 5
    assert not {"i1", "i2"} & set(shown)
    client.seen("ada", shown[0], page["request_id"])
    client.track("ada", shown[0], "view", 12.5, page["request_id"])
    client.track("ada", shown[0], "like", request_id=page["request_id"], context={"device": "phone"})
    assert client.flush(PATIENCE)
    assert actions(live, "ada") == [("seen", shown[0], ""), ("event", shown[0], "view"), ("event", shown[0], "like")]
    assert (client.pending, client.dropped, client.refused) == (0, 0, 0)
    explanation = client.explain(page["request_id"], shown[0])
    assert explanation["item"] is not None
    assert explanation["item"]["outcome"] == "shown"


def test_pages_go_on_without_repeats_until_there_is_nothing_left(client: Client) -> None:
    pages = list(client.pages("bob", limit=15))
    shown = [item["item_id"] for page in pages for item in page["items"]]
    assert len(shown) == len(set(shown))
    assert len(pages) >= 2


def test_the_same_request_id_gives_the_same_page(client: Client) -> None:
    first, again = (client.feed("cid", limit=3, request_id="a page/of mine") for _ in range(2))
    assert first["items"] == again["items"]


def test_candidates_are_ranked_and_similar_items_found(client: Client) -> None:
    ranked = client.rank("ada", ["i3", "i4"], surface="search")
    assert sorted(item["item_id"] for item in ranked["items"]) == ["i3", "i4"]
    assert all(item["item_id"] != "i3" for item in client.similar("i3", limit=3))


def test_items_and_users_are_put_changed_read_and_deleted(client: Client) -> None:
    odd = "caf\u00e9/7?#%"
    assert client.put_item(odd, {"title": "A", "tags": ["x"]})["status"] == "accepted"
    assert client.put_item(odd, {"title": "A", "tags": ["x"]})["status"] == "unchanged"
    assert client.patch_item(odd, {"title": "B"})["status"] == "accepted"
    assert (client.get_item(odd)["title"], client.get_item(odd)["tags"]) == ("B", ["x"])
    client.delete_item(odd)
    with pytest.raises(FeedmillHTTPError, match="404") as missing:
        client.get_item(odd)
    assert missing.value.status == 404
    client.put_user("dan", {"interests": ["sea"]})
    client.patch_user("dan", {"attributes": {"country": "PT"}})
    assert client.get_user("dan")["attributes"] == {"country": "PT"}
    client.delete_user("dan")
    assert client.put_users([{"user_id": "eve"}, {"user_id": ""}])["rejected"] == 1
    assert client.status()["items"] >= len(ITEMS)


def test_events_that_are_sent_are_in_the_log_at_once(client: Client, live: Live) -> None:
    event = {"user_id": "fay", "item_id": "i1", "action": "like", "event_id": "e-1"}
    assert client.send([event])["accepted"] == 1
    assert client.send([event])["duplicates"] == 1
    assert actions(live, "fay") == [("event", "i1", "like")]


def test_a_refusal_names_the_field(client: Client) -> None:
    with pytest.raises(FeedmillHTTPError) as refused:
        client.put_item("x", {"title": 7})
    assert (refused.value.status, refused.value.errors[0]["field"]) == (422, "title")
    assert "title" in str(refused.value)


def test_the_key_is_sent(live: Live) -> None:
    with serving(live, api_key="secret") as address:
        with Client(address, "secret") as allowed:
            assert allowed.status()["version"]
        with Client(address, "wrong") as refused, pytest.raises(FeedmillHTTPError, match="401"):
            refused.status()


def test_a_refused_event_is_reported_and_the_others_are_kept(url: str, live: Live) -> None:
    reported: list[Refused] = []
    with Client(url, on_error=reported.append) as client:
        client.track("gil", "i1", "like")
        client.track("gil", "", "like")
        client.track("gil", "i2", "like", float(10**300))
        client.track("gil", "i3", "like")
        assert client.flush(PATIENCE)
        assert client.refused == 2
    assert [(one.field, one.event["item_id"]) for one in reported] == [("item_id", ""), ("value", "i2")]
    assert actions(live, "gil") == [("event", "i1", "like"), ("event", "i3", "like")]


def test_where_all_are_refused_each_is_reported(url: str) -> None:
    reported: list[Refused] = []
    with Client(url, on_error=reported.append) as client:
        client.track("", "i1", "like")
        client.track("gil", "i1", "")
    assert [one.field for one in reported] == ["user_id", "action"]


def test_a_server_that_starts_again_costs_a_call_nothing(live: Live) -> None:
    with serving(live) as address:
        client = Client(address)
        client.status()
    with serving(live, int(address.rpartition(":")[2])), client:
        assert client.status()["version"]


def test_nobody_there_is_said_by_name() -> None:
    with Client("http://127.0.0.1:9", timeout=2) as client:
        with pytest.raises(FeedmillConnectionError, match=r"no answer from http://127\.0\.0\.1:9"):
            client.feed("ada")
        client.track("ada", "i1", "like")
        assert not client.flush(0.05)
        client.close(0.05)
        assert (client.pending, client.dropped) == (0, 1)
        with pytest.raises(RuntimeError, match="closed"):
            client.track("ada", "i1", "like")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://example.com", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must be"):
        Client(url)


def test_what_json_cannot_say_is_refused_at_once() -> None:
    with Client() as client:
        with pytest.raises(ValueError):
            client.track("ada", "i1", "view", float("nan"))
        with pytest.raises(ValueError):
            client.track("\ud800", "i1", "like")
        with pytest.raises(TypeError):
            client.track("ada", "i1", "like", context={"x": object()})  # type: ignore[dict-item]
        assert client.pending == 0


@pytest.mark.parametrize("trouble", [401, 403, 404, 408, 429, 500, 503, None])
def test_a_batch_that_meets_trouble_comes_again_unchanged(trouble: int | None) -> None:
    with flaky(Flaky([trouble, trouble])) as server, Client(server.url, interval=0.0) as client:
        client.track("ada", "i1", "like")
        until(lambda: client.pending == 0)
        # A connection that was kept may take one more try.
        assert len(server.bodies) >= 3
        assert all(body == server.bodies[0] for body in server.bodies)
        assert len(server.bodies[0][0]["event_id"]) == 32
        assert abs(server.bodies[0][0]["timestamp"] / 1000 - time.time()) < PATIENCE


def test_a_server_that_says_when_is_not_asked_before() -> None:
    with flaky(Flaky([503], {"Retry-After": "1"})) as server, Client(server.url, interval=0.0) as client:
        client.track("ada", "i1", "like")
        assert client.flush(PATIENCE)
        first, second = server.arrived
        assert second - first >= 1.0


def test_events_go_in_batches_and_in_order() -> None:
    with flaky(Flaky()) as server, Client(server.url, batch=4, interval=60.0) as client:
        for number in range(10):
            client.track("ada", f"i{number}", "like")
        assert client.flush(PATIENCE)
        assert server.items == [["i0", "i1", "i2", "i3"], ["i4", "i5", "i6", "i7"], ["i8", "i9"]]


def test_a_full_buffer_lets_the_oldest_go_and_counts_them(caplog: pytest.LogCaptureFixture) -> None:
    with flaky(Flaky()) as server, Client(server.url, buffer=3, batch=1, interval=0.0) as client:
        server.hold.clear()
        client.track("ada", "i0", "like")
        until(lambda: len(server.bodies) == 1)
        for number in range(1, 8):
            client.track("ada", f"i{number}", "like")
        assert (client.dropped, client.pending) == (4, 4)
        server.hold.set()
        assert client.flush(PATIENCE)
        assert server.items == [["i0"], ["i5"], ["i6"], ["i7"]]
    assert [record.message for record in caplog.records] == ["3 events wait to be sent, the oldest are dropped"]


def test_a_full_buffer_blocks_where_that_is_wanted() -> None:
    with flaky(Flaky()) as server, Client(server.url, buffer=2, batch=1, interval=0.0, when_full="block") as client:
        server.hold.clear()

        def track() -> None:
            for number in range(6):
                client.track("ada", f"i{number}", "like")

        teller = threading.Thread(target=track)
        teller.start()
        until(lambda: client.pending == 3)
        assert teller.is_alive()
        server.hold.set()
        teller.join(PATIENCE)
        assert client.flush(PATIENCE)
        assert (client.dropped, [item for body in server.items for item in body]) == (0, [f"i{n}" for n in range(6)])


def test_a_callback_may_track_when_the_buffer_is_full() -> None:
    def tell_again(refused: Refused) -> None:
        for item in ("i1", "i2", "i3"):
            client.track("ada", item, "like")
        # It cannot wait for itself.
        assert not client.flush()

    with (
        flaky(Flaky(rejects=frozenset({"x"}))) as server,
        Client(server.url, buffer=1, interval=0.0, when_full="block", on_error=tell_again) as client,
    ):
        client.track("ada", "x", "like")
        until(lambda: client.pending == 0)
        assert (client.refused, client.dropped) == (1, 0)
        assert [item for body in server.items for item in body] == ["x", "i1", "i2", "i3"]


def test_an_event_that_cannot_be_read_does_not_cost_the_others() -> None:
    reported: list[Refused] = []
    with (
        flaky(Flaky(rejects=frozenset({"poison"}))) as server,
        Client(server.url, batch=8, interval=60.0, on_error=reported.append) as client,
    ):
        for item in ("a", "b", "c", "poison", "d", "e", "f", "g"):
            client.track("ada", item, "like")
        assert client.flush(PATIENCE)
        assert [one.event["item_id"] for one in reported] == ["poison"]
        accepted = [body for body in server.items if "poison" not in body]
        assert [item for body in accepted for item in body] == ["a", "b", "c", "d", "e", "f", "g"]


def test_refused_events_are_logged_once_for_each_field(caplog: pytest.LogCaptureFixture) -> None:
    with flaky(Flaky(rejects=frozenset({"x"}))) as server, Client(server.url) as client:
        for _ in range(5):
            client.track("ada", "x", "like")
        assert client.flush(PATIENCE)
        assert client.refused == 5
    assert [record.message for record in caplog.records] == ["an event was refused: item_id: is bad"]


def test_a_callback_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(refused: Refused) -> None:
        raise RuntimeError("no")

    caplog.set_level(logging.CRITICAL)
    with flaky(Flaky(rejects=frozenset({"x"}))) as server, Client(server.url, on_error=fail) as client:
        client.track("ada", "x", "like")
        client.track("ada", "y", "like")
        assert client.flush(PATIENCE)
        assert (client.refused, client.pending) == (1, 0)


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The file alone, as an application would copy it.
    prelude = f"import sys; sys.path.insert(0, {str(Path(module.__file__).parent)!r}); from client import Client\n"
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", prelude + program, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_what_waits_is_sent_when_the_interpreter_exits(url: str, live: Live) -> None:
    program = "client = Client(sys.argv[1], interval=60.0)\nfor n in range(1200): client.track('hal', f'i{n}', 'like')"
    ended = run(program, url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert actions(live, "hal") == [("event", f"i{number}", "like") for number in range(1200)]


def test_an_exit_does_not_wait_for_ever() -> None:
    program = "client = Client('http://127.0.0.1:9', exit_timeout=0.2)\nclient.track('hal', 'i1', 'like')"
    ended = run(program)
    assert ended.returncode == 0
    assert "the client closed with 1 events that it could not send" in ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_sends_its_own_events_and_none_of_its_parents(url: str, live: Live) -> None:
    program = """
import os, warnings
warnings.simplefilter("ignore")
client = Client(sys.argv[1], interval=60.0)
client.status()
client.track("ivy", "parent", "like")
child = os.fork()
if child == 0:
    client.track("ivy", "child", "like")
    client.close()
    os._exit(0 if client.dropped == 0 else 1)
assert os.waitpid(child, 0)[1] == 0
assert client.flush(20) and client.dropped == 0
"""
    ended = run(program, url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(actions(live, "ivy")) == [("event", "child", "like"), ("event", "parent", "like")]


@pytest.mark.parametrize(
    ("typed", "struct"),
    [
        (module.FeedPage, answers.FeedPage), (module.RankedPage, answers.RankedPage),
        (module.SimilarItem, answers.SimilarItem), (module.PageExplanation, answers.PageExplanation),
        (module.PageItem, answers.PageItem), (module.Freshness, answers.Freshness),
        (module.Status, answers.LiveStatus), (module.EventsAnswer, EventsAnswer),
    ],
)  # fmt: skip
def test_the_answers_are_those_of_the_server(typed: type, struct: type[msgspec.Struct]) -> None:
    assert set(typed.__annotations__) == set(struct.__struct_fields__)
