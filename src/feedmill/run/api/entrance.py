"""What every request passes on its way in and out: key, body, time, metrics, and errors as problems."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedmill.domain.errors import StorageError
from feedmill.run.api.bodies import Disconnected, read_body
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.keys import KeyCheck
from feedmill.run.api.metrics import ApiMetrics
from feedmill.run.api.problems import Refusal, answer, internal, refusal, unavailable

_WITH_BODY = {"POST", "PUT", "PATCH"}
NO_ROUTE = "none"


class Entrance:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, *, limits: ApiConfig, keys: KeyCheck, metrics: ApiMetrics) -> None:
        self._app = app
        self._limits = limits
        self._keys = keys
        self._metrics = metrics
        self._log: Any = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # Routes are matched on the path as it was sent, so that an id may hold an encoded slash.
        inner = {**scope, "path": scope["raw_path"].decode("latin-1")}
        try:
            await self._pass(inner, receive, sending)
        except Disconnected:
            pass
        except Exception as error:
            if status:
                raise
            await answer(self._refusal(error, inner))(scope, receive, sending)
        finally:
            route = getattr(inner.get("route"), "path", NO_ROUTE)
            self._metrics.count_request(scope["method"], route, status, started)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._keys(scope["path"], scope["headers"])
        if scope["method"] in _WITH_BODY:
            receive = _Whole(await read_body(scope, receive, self._limits), receive)
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await self._app(scope, receive, send)
        except TimeoutError:
            raise unavailable(
                f"there was no answer within {self._limits.request_seconds:g} seconds; what was sent may still be"
                " written, and may be sent again"
            ) from None

    def _refusal(self, error: Exception, scope: Scope) -> Refusal:
        refused = refusal(error)
        if refused is None:
            request_id = secrets.token_hex(8)
            self._log.error(
                "a request failed", request=request_id, method=scope["method"], path=scope["path"], exc_info=error
            )
            return internal(request_id)
        if isinstance(error, StorageError):
            self._log.error("the disk refuses", reason=str(error))
        return refused


class _Whole:
    """An ASGI `receive` of a body that was read already."""

    def __init__(self, body: bytes, then: Receive) -> None:
        self._body: bytes | None = body
        self._then = then

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._then()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
