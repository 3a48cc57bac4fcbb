"""What a connection may do: not be slow for ever, not send without end, not be one of too many."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from feedmill.run.api.config import ApiConfig
from feedmill.run.local.live import Live

HURRIED = ApiConfig(header_seconds=0.3, body_seconds=0.3, keep_alive_seconds=1, max_connections=3, max_body_bytes=1_000)
HEAD = b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def hurried(serve, live: Live) -> Iterator:
    with serve(live, config=HURRIED) as server:
        yield server


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    connection.settimeout(10)
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def split(answer: bytes) -> tuple[int, bytes, dict]:
    """The status, the headers, and the problem."""
    head, body = answer.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head.lower(), json.loads(body)


def test_headers_that_never_end_are_cut_off_with_an_answer(hurried) -> None:
    with hurried.connect() as connection:
        began = time.monotonic()
        connection.sendall(HEAD)
        status, head, problem = split(read_all(connection))
        assert 0.2 < time.monotonic() - began < 5
        assert (status, problem["type"]) == (408, "urn:feedmill:problem:too-slow")
        assert b"connection: close" in head


def test_a_header_that_drips_is_cut_off_too(hurried) -> None:
    with hurried.connect() as connection:
        connection.settimeout(0.02)
        connection.sendall(HEAD)
        answer = b""
        give_up = time.monotonic() + 5
        while not answer and time.monotonic() < give_up:
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65_536)
        assert split(answer)[0] == 408


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_that_says_nothing_is_closed(hurried, said: bytes) -> None:
    with hurried.connect() as connection:
        connection.sendall(said)
        assert read_all(connection)[:13] in (b"", b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed_and_a_second_request_on_it_has_its_own_time(hurried) -> None:
    request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with hurried.connect() as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            time.sleep(0.2)
        connection.sendall(request[:20])
        assert split(read_all(connection))[0] == 408


def test_a_body_that_never_ends_is_cut_off_with_an_answer(hurried) -> None:
    with hurried.connect() as connection:
        connection.sendall(HEAD + b'content-length: 50\r\n\r\n{"user_id":')
        status, _, problem = split(read_all(connection))
        assert (status, problem["type"]) == (408, "urn:feedmill:problem:too-slow")
        assert "11 bytes came" in problem["detail"]


def test_a_body_that_is_refused_for_its_length_is_not_waited_for_long(hurried) -> None:
    with hurried.connect() as connection:
        connection.sendall(HEAD + b"content-length: 1001\r\n\r\n[")
        answer = connection.recv(65_536)
        assert split(answer)[0] == 413
        connection.sendall(b"[")
        assert read_all(connection) == b""


def test_the_rest_of_a_body_that_was_refused_is_read_and_the_connection_goes_on(hurried) -> None:
    body = b" " * 300_000
    with hurried.connect() as connection:
        connection.sendall(HEAD + b"content-length: 300000\r\n\r\n" + body)
        assert split(connection.recv(65_536))[0] == 413
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_headers_without_bounds_are_refused(served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + 66 * (b"x-filler: " + b"y" * 1_000 + b"\r\n"))
        status, _, problem = split(read_all(connection))
        assert (status, problem["type"]) == (431, "urn:feedmill:problem:headers-too-large")


@pytest.mark.parametrize("said", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused(served, said: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(said)
        assert split(read_all(connection))[0] == 400


def test_connections_beyond_the_limit_are_told_to_come_back_and_health_is_still_answered(hurried) -> None:
    with httpx.Client(base_url=hurried.url) as first, httpx.Client(base_url=hurried.url) as second:
        assert first.get("/v1/status").status_code == second.get("/v1/status").status_code == 200
        with httpx.Client(base_url=hurried.url) as third, httpx.Client(base_url=hurried.url) as fourth:
            assert third.get("/v1/status").status_code == 200
            assert fourth.get("/health/live").status_code == 200
            refused = fourth.get("/v1/status")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["type"] == "urn:feedmill:problem:unavailable"


def test_a_client_that_leaves_in_the_middle_costs_nothing(hurried) -> None:
    with hurried.connect() as connection:
        connection.sendall(HEAD + b"content-length: 50\r\n\r\n{")
    assert httpx.get(f"{hurried.url}/health/live").status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(serve, live: Live) -> None:
    with serve(live, config=ApiConfig(request_seconds=1e-6)) as server:
        response = httpx.post(f"{server.url}/v1/events", json={"user_id": "u", "item_id": "i", "action": "like"})
        assert response.status_code == 503
        assert response.json()["type"] == "urn:feedmill:problem:unavailable"
        assert "sent again" in response.json()["detail"]
