"""Events: each is answered for itself, in order, and a retry changes nothing."""

from __future__ import annotations

import httpx

EVENT = {"user_id": "eve", "item_id": "oslo", "action": "like"}


def statuses(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [result["status"] for result in response.json()["results"]]


def test_events_are_answered_in_order(client: httpx.Client) -> None:
    known = EVENT | {"event_id": "in-order"}
    response = client.post("/v1/events", json=[known, {"user_id": "eve"}, known, EVENT])
    said = response.json()
    assert statuses(response) == ["accepted", "rejected", "duplicate", "accepted"]
    assert said["results"][1] == {
        "status": "rejected",
        "field": "item_id",
        "problem": "is missing; it must be a string",
    }
    assert (said["accepted"], said["duplicates"], said["rejected"]) == (2, 1, 1)


def test_what_was_accepted_is_in_the_log_when_it_is_answered(client: httpx.Client) -> None:
    before = client.get("/v1/status").json()["log_end"]
    position = client.post("/v1/events", json=[EVENT, EVENT]).json()["position"]
    assert position == before + 2
    assert client.get("/v1/status").json()["log_end"] == position


def test_one_object_an_array_and_json_lines_say_the_same(client: httpx.Client) -> None:
    lines = b'{"user_id":"eve","item_id":"oslo","action":"like"}\n'
    assert statuses(client.post("/v1/events", json=EVENT)) == ["accepted"]
    assert statuses(client.post("/v1/events", json=[EVENT])) == ["accepted"]
    for kind in ("application/x-ndjson", "application/jsonl"):
        response = client.post("/v1/events", content=lines * 3, headers={"content-type": kind})
        assert statuses(response) == ["accepted"] * 3


def test_a_long_post_is_answered_in_order_too(client: httpx.Client) -> None:
    events = [EVENT | {"context": {"text": "x" * 300}} if n % 2 else {} for n in range(400)]
    assert statuses(client.post("/v1/events", json=events)) == ["rejected", "accepted"] * 200


def test_a_retry_with_the_same_key_changes_nothing(client: httpx.Client) -> None:
    key = {"idempotency-key": "batch-1"}
    assert statuses(client.post("/v1/events", json=[EVENT, EVENT], headers=key)) == ["accepted", "accepted"]
    assert statuses(client.post("/v1/events", json=[EVENT, EVENT], headers=key)) == ["duplicate", "duplicate"]


def test_a_key_that_is_used_for_other_events_loses_none(client: httpx.Client) -> None:
    key = {"idempotency-key": "batch-2"}
    assert statuses(client.post("/v1/events", json=[EVENT], headers=key)) == ["accepted"]
    assert statuses(client.post("/v1/events", json=[EVENT | {"action": "hide"}], headers=key)) == ["accepted"]


def test_a_key_leaves_events_alone_that_have_an_id(client: httpx.Client) -> None:
    own = EVENT | {"event_id": "own"}
    assert statuses(client.post("/v1/events", json=own, headers={"idempotency-key": "batch-3"})) == ["accepted"]
    assert statuses(client.post("/v1/events", json=own, headers={"idempotency-key": "batch-4"})) == ["duplicate"]


def test_a_key_that_is_too_long_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/events", json=EVENT, headers={"idempotency-key": "x" * 257})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


def test_seen_served_and_relations_are_taken_too(client: httpx.Client) -> None:
    events = [
        {"kind": "seen", "user_id": "eve", "item_id": "oslo", "outcomes": {"click": 1}},
        {"kind": "served", "user_id": "eve", "request_id": "own-page", "items": ["oslo"]},
        {"kind": "relation", "user_id": "eve", "target_id": "bob", "action": "follow"},
        {"kind": "retraction", "user_id": "eve", "target_id": "bob", "action": "follow"},
    ]
    assert statuses(client.post("/v1/events", json=events)) == ["accepted"] * 4
