"""What is asked wrongly gets a clear answer: which field, which byte, which way instead."""

from __future__ import annotations

import httpx
import pytest

EVENT = {"user_id": "ada", "item_id": "lisbon", "action": "like"}
JSON = {"content-type": "application/json"}


def problem(response: httpx.Response, status: int, name: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    said = response.json()
    assert set(said) == {"type", "title", "status", "detail", "errors"}
    assert said["type"] == f"urn:feedmill:problem:{name}"
    assert said["status"] == status
    return said


def fields(said: dict) -> list[str]:
    return [error["field"] for error in said["errors"]]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the body is empty"),
        (b'{"user_id":\n NaN}', "line 2, byte 13"),
        (b'[{"user_id": "ada"}', "ends too early (after 19 bytes)"),
        (b'{"user_id": "\xff"}', "not UTF-8 (byte 13)"),
        (b'{"user_id": "\\ud800"}', "surrogate"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b"1e999", "out of range"),
        (b"1" * 5_000, "out of range"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/items", "/v1/users", "/v1/rank"])
def test_what_is_no_json_is_refused_with_the_place(client: httpx.Client, path: str, body: bytes, detail: str) -> None:
    response = client.post(path, content=body, headers=JSON)
    assert detail in problem(response, 400, "malformed")["detail"]


def test_json_lines_are_refused_with_the_line(client: httpx.Client) -> None:
    body = b'{"user_id": "ada"}\n\n{"user_id": }\n'
    response = client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})
    assert problem(response, 400, "malformed")["detail"].startswith("line 3: ")


@pytest.mark.parametrize("body", ["null", "3", '"a"', "true", "[]"])
def test_json_that_holds_no_object_is_invalid(client: httpx.Client, body: str) -> None:
    assert fields(problem(client.post("/v1/events", content=body, headers=JSON), 422, "invalid")) == ["body"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "user_id"),
        (EVENT | {"action": 3}, "action"),
        (EVENT | {"action": ""}, "action"),
        (EVENT | {"item_id": "x" * 257}, "item_id"),
        (EVENT | {"item_id": "é" * 129}, "item_id"),
        (EVENT | {"item_id": "a\0b"}, "item_id"),
        (EVENT | {"value": 10**60}, "value"),
        (EVENT | {"timestamp": 10**30}, "timestamp"),
        (EVENT | {"timestamp": -1}, "timestamp"),
        (EVENT | {"timestamp": "tomorrow"}, "timestamp"),
        (EVENT | {"context": {"a": [1]}}, "context.a"),
        (EVENT | {"colour": "red"}, "colour"),
        (EVENT | {"kind": "wish"}, "kind"),
        (EVENT | {"kind": "item"}, "kind"),
        ({"kind": "retraction", "action": "delete", "item_id": "lisbon"}, "action"),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_its_field(client: httpx.Client, event: dict, field: str) -> None:
    assert fields(problem(client.post("/v1/events", json=event), 422, "invalid")) == [field]
    assert fields(problem(client.post("/v1/events", json=[event, event]), 422, "invalid")) == [
        f"[0].{field}",
        f"[1].{field}",
    ]


def test_an_item_among_events_is_shown_its_own_route(client: httpx.Client) -> None:
    said = problem(client.post("/v1/events", json={"kind": "user", "user_id": "ada"}), 422, "invalid")
    assert "/v1/users" in said["errors"][0]["problem"]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/items", "/v1/rank"])
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
        {"content-type": ""},
        {},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_another_content_type_is_refused(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    problem(client.post(path, content=b"{}", headers=headers), 415, "media-type")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "127.9.9.9", "[::1]:8000", "[::1]", "localhost:"]
)
def test_without_a_key_this_machine_may_ask_by_any_of_its_own_names(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "192.168.0.7", "[::2]", "::1", ""]
)
@pytest.mark.parametrize("path", ["/v1/feed/ada", "/metrics", "/docs", "/nothing"])
def test_without_a_key_a_name_that_is_not_of_this_machine_is_refused(
    client: httpx.Client, host: str, path: str
) -> None:
    said = problem(client.get(path, headers={"host": host}), 421, "misdirected")
    assert "FEEDMILL_API_KEY" in said["detail"]
    assert client.get("/health/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 200), ("same-origin", 200), ("none", 200)]
)
def test_without_a_key_a_page_of_another_site_is_refused(client: httpx.Client, site: str, status: int) -> None:
    headers = {"sec-fetch-site": site}
    assert client.get("/v1/feed/ada", headers=headers).status_code == status
    response = client.post("/v1/events", json=EVENT, headers=headers)
    assert response.status_code == status
    if status == 403:
        assert "FEEDMILL_API_KEY" in problem(response, 403, "cross-site")["detail"]


def test_a_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    said = problem(client.post("/v1/events", content=b" " * 200_001), 413, "too-large")
    assert "200,000 bytes" in said["detail"]


def test_a_body_over_the_limit_is_refused_also_when_it_does_not_say_its_length(client: httpx.Client) -> None:
    problem(client.post("/v1/events", content=(b" " * 50_000 for _ in range(5))), 413, "too-large")


def test_more_events_than_a_post_may_hold_are_refused(client: httpx.Client) -> None:
    problem(client.post("/v1/events", json=[EVENT] * 501), 413, "too-large")
    assert client.post("/v1/events", json=[EVENT] * 500).json()["accepted"] == 500


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("limit=2.0", "limit"),
        ("limit=" + "9" * 5_000, "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=1&limit=1", "limit"),
        ("limt=1", "limt"),
        ("surface=", "surface"),
        ("surface=a%00", "surface"),
        ("exclude=a&exclude=", "exclude"),
        ("request_id=" + "x" * 257, "request_id"),
        ("context=3", "context"),
        ("context={", "context"),
        ("context=" + "[" * 5_000, "context"),
        ('context={"a":{}}', "context.a"),
    ],
)
def test_a_query_that_is_not_understood_is_refused_by_its_parameter(
    client: httpx.Client, query: str, field: str
) -> None:
    assert fields(problem(client.get(f"/v1/feed/ada?{query}"), 422, "invalid")) == [field]


def test_a_cursor_that_was_never_given_is_no_server_error(client: httpx.Client) -> None:
    assert client.get("/v1/feed/ada", params={"cursor": "made up"}).status_code in (409, 422)


@pytest.mark.parametrize("path", ["/v1/feed/%FF", "/v1/items/%C3", "/v1/feed/ada?limit=%FF"])
def test_an_address_that_is_no_utf_8_is_refused(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 400, "malformed")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/item/1", "/v1/feed/", "/v1/feed/a/b", "/v1/events/", "/docs/"])
def test_an_unknown_route_is_a_problem(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404, "no-such-route")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/events", "POST"),
        ("POST", "/v1/items/lisbon", "DELETE, GET, PATCH, PUT"),
        ("PUT", "/v1/feed/ada", "GET"),
        ("DELETE", "/docs", "GET"),
    ],
)
def test_a_method_that_a_route_does_not_have_is_answered_with_those_that_it_has(
    client: httpx.Client, method: str, path: str, allow: str
) -> None:
    response = client.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allow


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"item_ids": ["a"]}, "user_id"),
        ({"user_id": "ada"}, "item_ids"),
        ({"user_id": "ada", "item_ids": []}, "item_ids"),
        ({"user_id": "ada", "item_ids": ["a", "b", "a"]}, "item_ids[2]"),
        ({"user_id": "ada", "item_ids": ["a", 3]}, "item_ids[1]"),
        ({"user_id": "ada", "item_ids": [str(n) for n in range(1_001)]}, "item_ids"),
        ({"user_id": "ada", "item_ids": ["a"], "limit": 3}, "limit"),
        ({"user_id": "ada", "item_ids": ["a"], "request_id": None}, "request_id"),
    ],
)
def test_a_ranking_that_cannot_be_is_refused_by_its_field(client: httpx.Client, body: dict, field: str) -> None:
    assert fields(problem(client.post("/v1/rank", json=body), 422, "invalid")) == [field]
