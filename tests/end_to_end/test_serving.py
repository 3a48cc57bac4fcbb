"""`feedmill serve` as a process: what is posted counts at once, and a restart forgets nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from feedmill.serve.trace_store import TraceStore
from feedmill.testing.serving import Serving, serving, wait_for

ITEMS = 120


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of 120 items without holdout."""
    with serving(tmp_path_factory.mktemp("serving") / "home", "--set", "holdout.share=0") as opened:
        fill(opened)
        yield opened


def fill(served: Serving) -> None:
    answer = served.post("/v1/items", [{"item_id": f"i{n}"} for n in range(ITEMS)])
    assert answer["accepted"] == ITEMS


def ids(page: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in page["items"]]


def without_age(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "freshness": {**page["freshness"], "parameters_age_ms": None}}


def test_an_event_is_in_its_users_next_feed_while_others_post_and_ask(served: Serving) -> None:
    def use(user: str) -> None:
        hidden: set[str] = set()
        for number in range(50):
            top = ids(served.feed(user, "limit=5"))[0]
            posted = served.post("/v1/events", {"user_id": user, "item_id": top, "action": "hide"})
            hidden.add(top)
            page = served.feed(user, "limit=5")
            assert hidden.isdisjoint(ids(page)), number
            assert page["freshness"]["state_position"] >= posted["position"]

    with ThreadPoolExecutor(4) as threads:
        for used in [threads.submit(use, f"user-{number}") for number in range(4)]:
            used.result(120)


def test_metrics_say_how_long_events_took_into_the_state_and_into_the_parameters(served: Serving) -> None:
    def counts() -> dict[str, float]:
        lines = served.ask("GET", "/metrics").body.decode().splitlines()
        sides = ("state", "trained", "served")
        names = {side: f"feedmill_event_to_{side}_seconds_count " for side in sides}
        return {side: float(line.split()[-1]) for side in sides for line in lines if line.startswith(names[side])}

    served.wait_until_learned()
    before = counts()
    events = [{"user_id": f"aged-{n}", "item_id": f"i{n % ITEMS}", "action": "like"} for n in range(300)]
    assert served.post("/v1/events", events)["accepted"] == 300
    wait_for(lambda: counts()["state"] == before["state"] + 300)
    wait_for(lambda: counts()["served"] >= before["served"] + 300)
    assert counts()["trained"] >= before["trained"] + 300
    ages = served.get("/v1/status")["ages"]
    assert 0 < ages["to_state"]["p50"] <= ages["to_trained"]["p50"] <= ages["to_served"]["p50"] < 60_000


def test_a_post_that_is_sent_again_changes_nothing(served: Serving) -> None:
    def position() -> int:
        return int(served.get("/v1/status")["log_end"])

    known = {"user_id": "ann", "item_id": "i1", "action": "click", "event_id": "click-1"}
    assert served.post("/v1/events", known)["accepted"] == 1
    after = position()
    assert served.post("/v1/events", known)["duplicates"] == 1
    unnamed = [{"user_id": "ann", "item_id": f"i{n}", "action": "click"} for n in range(3)]
    first, again, other = (
        served.ask("POST", "/v1/events", unnamed, headers={"Idempotency-Key": key}).json for key in ("k1", "k1", "k2")
    )
    assert [(one["accepted"], one["duplicates"]) for one in (first, again, other)] == [(3, 0), (0, 3), (3, 0)]
    # Without either, the same words are said twice.
    assert [served.post("/v1/events", unnamed)["accepted"] for _ in range(2)] == [3, 3]
    assert position() == after + 12
    item = {"title": "The same"}
    assert served.ask("PUT", "/v1/items/i1", item).status == served.ask("PUT", "/v1/items/i1", item).status == 200
    assert position() == after + 13


def test_cursors_and_request_ids_of_others_are_told_apart(served: Serving) -> None:
    page = served.feed("ann", "request_id=mine&limit=5")
    for path, status, field in (
        (f"/v1/feed/bob?cursor={page['cursor']}", 409, "cursor"),
        ("/v1/feed/bob?request_id=mine", 409, "request_id"),
        ("/v1/feed/ann?cursor=nonsense", 422, "cursor"),
    ):
        reply = served.ask("GET", path)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), path
        assert field in reply.body.decode()
    assert served.ask("POST", "/v1/rank", {"user_id": "ann", "item_ids": ["i1"], "request_id": "mine"}).status == 409


def test_while_the_trainer_stands_still_feeds_go_on_and_say_how_old_their_parameters_are(served: Serving) -> None:
    served.post("/v1/events", {"user_id": "cid", "item_id": "i1", "action": "like"})
    served.wait_until_learned()
    trainer = served.pid("trainer")
    assert trainer is not None
    os.kill(trainer, signal.SIGSTOP)
    try:
        before = served.feed("cid", "limit=5")["freshness"]
        posted = served.post("/v1/events", {"user_id": "cid", "item_id": "i2", "action": "like"})
        wait_for(lambda: served.feed("cid", "limit=5")["freshness"]["parameters_age_ms"] > 2_000)
        meanwhile = served.feed("cid", "limit=5")["freshness"]
        assert meanwhile["parameters_position"] == before["parameters_position"] < posted["position"]
        assert meanwhile["state_position"] >= posted["position"]
        age = next(
            float(line.rsplit(" ", 1)[1])
            for line in served.ask("GET", "/metrics").body.decode().splitlines()
            if line.startswith("feedmill_parameters_age_seconds")
        )
        assert age >= meanwhile["parameters_age_ms"] / 1000
    finally:
        os.kill(trainer, signal.SIGCONT)
    served.wait_until_learned()
    wait_for(lambda: served.feed("cid", "limit=5")["freshness"]["parameters_age_ms"] < 2_000)


def test_after_kill_9_a_session_goes_on_and_a_request_gets_its_page_again(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--set", "holdout.share=0") as served:
        fill(served)
        first = served.feed("ann", "request_id=first&limit=50")
        second = served.feed("ann", f"cursor={first['cursor']}&limit=50")
        ranked = served.post("/v1/rank", {"user_id": "ann", "item_ids": ["i3", "i1", "i2"], "request_id": "ranked"})
        explained = served.get("/v1/explain/first?item_id=i7")
        posted = served.post("/v1/events", {"user_id": "ann", "item_id": ids(first)[0], "action": "hide"})
        # Traces are written some time after the answer, which need not survive; here they have been.
        with contextlib.closing(TraceStore(tmp_path / "home" / "traces.sqlite")) as traces:
            wait_for(lambda: traces.get("first") is not None)
        assert served.kill("server")
        served.wait_until_ready()
        assert without_age(served.feed("ann", "request_id=first&limit=50")) == without_age(first)
        assert without_age(served.feed("ann", f"cursor={first['cursor']}&limit=50")) == without_age(second)
        again = served.post("/v1/rank", {"user_id": "ann", "item_ids": ["i3", "i1", "i2"], "request_id": "ranked"})
        assert again["items"] == ranked["items"]
        third = served.feed("ann", f"cursor={second['cursor']}&limit=50")
        # Twenty are left, and none of them was on a page before.
        assert len({*ids(first), *ids(second), *ids(third)}) == ITEMS
        assert third["cursor"] == ""
        assert third["freshness"]["state_position"] >= posted["position"]
        assert served.get("/v1/explain/first?item_id=i7") == explained


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_seconds_and_nothing_is_lost(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "home") as served:
        fill(served)
        page = served.feed("ann", "limit=5")
        events = [{"user_id": f"u{n % 40}", "item_id": f"i{n % ITEMS}", "action": "like"} for n in range(2_000)]
        posted = served.post("/v1/events", events)
        assert posted["accepted"] == 2_000
        served.wait_until_learned()
        begun = time.monotonic()
        served.process.send_signal(number)
        assert served.process.wait(20) == 0
        seconds = time.monotonic() - begun
        assert "Traceback" not in served.said()
    print(f"ended after {seconds:.2f} s")
    # Learned to the end, it has left a snapshot from which the next one goes on.
    with serving(tmp_path / "home") as again:
        status = again.get("/v1/status")
        assert status["log_end"] >= posted["position"]
        assert status["trainer_lag"] <= 1
        assert status["refused"] == []
        assert again.get(f"/v1/explain/{page['request_id']}")["items"] == page["items"]
        print(f"ready again after {again.ready_seconds:.2f} s")


def test_what_is_in_flight_when_it_is_told_to_stop_is_answered_or_refused_never_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as served:
        fill(served)
        acknowledged: list[str] = []

        def post(thread: int) -> None:
            for number in range(10_000):
                name = f"{thread}-{number}"
                event = {"user_id": "ann", "item_id": "i1", "action": "like", "event_id": name}
                try:
                    reply = served.ask("POST", "/v1/events", event, timeout=10)
                except OSError:
                    return
                if reply.status != 200:
                    assert reply.status == 503
                    return
                acknowledged.append(name)

        with ThreadPoolExecutor(4) as threads:
            posting = [threads.submit(post, thread) for thread in range(4)]
            wait_for(lambda: len(acknowledged) > 200)
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(40) == 0
            for one in posting:
                one.result(60)
        # Nothing had to be ended by force.
        assert "is killed" not in served.said()
    with serving(home) as again:
        events = [{"user_id": "ann", "item_id": "i1", "action": "like", "event_id": name} for name in acknowledged]
        assert again.post("/v1/events", events)["duplicates"] == len(acknowledged)
