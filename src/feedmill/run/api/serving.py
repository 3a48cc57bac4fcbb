"""The server under the application: uvicorn, with bounds on what a connection may do."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Literal

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feedmill.run.api.config import ApiConfig
from feedmill.run.api.keys import OPEN
from feedmill.run.api.problems import MEDIA_TYPE, Refusal, answer, malformed, unavailable

MAX_HEADER_BYTES = 64 * 1024
_DRAIN_SECONDS = 10


def make_server(app: FastAPI, config: ApiConfig) -> uvicorn.Server:
    """A server that is ready to `run(sockets=[...])`; setting its `should_exit` stops it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_protocol(config),
            ws="none",
            loop="auto",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            backlog=config.backlog,
            timeout_keep_alive=config.keep_alive_seconds,  # type: ignore[arg-type]
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )


def _protocol(config: ApiConfig) -> type[HttpToolsProtocol]:
    return type("BoundedProtocol", (Bounded,), {"limits": config})


class Bounded(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for headers without an end, and keeps as many as come."""

    limits: ApiConfig
    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0
    _part: Literal["", "headers", "body"] = ""
    """What of a request is being read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.app = _Full(self.app, self.limits)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._part == "headers":
            self._bytes += len(data)
            if self._bytes > MAX_HEADER_BYTES:
                self._refuse(_headers_too_large())
                return
        if self.cycle is None or self.cycle.response_complete:
            # Headers, or the rest of a body that was refused already: the application does not wait for either.
            self._wait()

    def on_message_begin(self) -> None:
        self._part = "headers"
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._part = "body"
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._part = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(malformed("this is no HTTP/1.1 request", "request"))

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        self._bytes = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self._part == "headers":
            self._refuse(_headers_too_slow(self.limits))
        else:
            self.transport.close()

    def _refuse(self, refused: Refusal) -> None:
        """Say why, and close; the application has not seen the request."""
        if self.transport.is_closing():
            return
        body = msgspec.json.encode(refused.problem)
        head = (
            f"HTTP/1.1 {refused.problem.status} {refused.problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Full:
    """Answers in place of the application on a connection that is one too many."""

    def __init__(self, app: Any, limits: ApiConfig) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(OPEN):
            await self._app(scope, receive, send)
            return
        refused = unavailable(f"{self._limits.max_connections:,} connections are open; try again in a moment")
        refused.headers["connection"] = "close"
        await answer(refused)(scope, receive, send)


def _headers_too_large() -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers-too-large",
        f"the address and the headers are longer than {MAX_HEADER_BYTES:,} bytes",
    )


def _headers_too_slow(limits: ApiConfig) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        "too-slow",
        f"the headers were not complete after {limits.header_seconds:g} seconds",
    )
