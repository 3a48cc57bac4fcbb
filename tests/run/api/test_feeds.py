"""Feeds over HTTP: what was posted is in the next one, and a request id is one page."""

from __future__ import annotations

import sqlite3
import threading

import httpx
import pytest

from feedmill.run.local.live import Live


@pytest.fixture(autouse=True)
def items(client: httpx.Client) -> None:
    client.post("/v1/items", json=[{"item_id": f"f{n}", "title": f"F {n}", "tags": ["sea"]} for n in range(8)])


def ids(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return [item["item_id"] for item in page.json()["items"]]


def test_a_feed_has_as_many_items_as_were_asked_for_and_none_that_was_excluded(client: httpx.Client) -> None:
    shown = ids(client.get("/v1/feed/new", params={"limit": 6, "exclude": ["f0", "f1"]}))
    assert sorted(shown) == ["f2", "f3", "f4", "f5", "f6", "f7"]


def test_a_session_repeats_nothing(client: httpx.Client) -> None:
    first = client.get("/v1/feed/pages", params={"limit": 4})
    second = client.get("/v1/feed/pages", params={"limit": 4, "cursor": first.json()["cursor"]})
    assert sorted(ids(first) + ids(second)) == [f"f{n}" for n in range(8)]


def test_an_event_is_in_the_next_feed(client: httpx.Client) -> None:
    posted = client.post("/v1/events", json={"user_id": "hider", "item_id": "f3", "action": "hide"}).json()
    page = client.get("/v1/feed/hider", params={"limit": 8})
    assert "f3" not in ids(page)
    assert page.json()["freshness"]["state_position"] >= posted["position"]


def test_a_request_id_is_one_page_of_one_user(client: httpx.Client) -> None:
    first = client.get("/v1/feed/same", params={"request_id": "one", "limit": 3})
    client.post("/v1/events", json={"user_id": "same", "item_id": ids(first)[0], "action": "hide"})
    assert client.get("/v1/feed/same", params={"request_id": "one", "limit": 3}).json() == first.json()
    other = client.get("/v1/feed/other", params={"request_id": "one"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:feedmill:problem:conflict")


def test_candidates_come_back_in_order_or_with_the_reason(client: httpx.Client) -> None:
    body = {"user_id": "ranked", "item_ids": ["f5", "f1", "unknown"], "request_id": "rank/1", "context": {"a": 1}}
    said = client.post("/v1/rank", json=body).json()
    assert {item["item_id"] for item in said["items"]} == {"f1", "f5"}
    assert "unknown" in str(said["left_out"])


def test_a_page_is_explained_also_when_its_id_holds_a_slash(client: httpx.Client) -> None:
    page = client.get("/v1/feed/why", params={"request_id": "a/b", "limit": 2})
    said = client.get("/v1/explain/a%2Fb", params={"item_id": ids(page)[0]}).json()
    assert (said["request_id"], said["user_id"], said["item"]["outcome"]) == ("a/b", "why", "shown")
    assert client.get("/v1/explain/never").status_code == 404


def test_a_feed_does_not_wait_behind_those_that_wait_for_the_disk(client: httpx.Client, live: Live) -> None:
    patched: list[int] = []

    def patch(number: int) -> None:
        patched.append(client.patch(f"/v1/items/f{number}", json={"duration": 3.5}).status_code)

    disk = sqlite3.connect(live.home.log, isolation_level=None)
    disk.execute("BEGIN IMMEDIATE")
    try:
        writers = [threading.Thread(target=patch, args=(number,)) for number in range(8)]
        for writer in writers:
            writer.start()
        assert len(ids(client.get("/v1/feed/hasty", params={"limit": 6}))) == 6
        assert patched == []
    finally:
        disk.execute("ROLLBACK")
        disk.close()
    for writer in writers:
        writer.join()
    assert patched == [200] * 8
