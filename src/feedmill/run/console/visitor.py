"""Knows a browser again: its tabs share one person."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from nicegui import app, ui

COOKIE = "feedmill_person"


def recognise_visitors() -> None:
    """Gives each browser a random name for as long as it stays open. Call it before the server starts."""

    @app.middleware("http")
    async def name_visitor(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        known = request.cookies.get(COOKIE)
        request.state.visitor = known or secrets.token_hex(12)
        response = await answer(request)
        if known is None and request.url.path == "/":
            response.set_cookie(COOKIE, request.state.visitor, httponly=True, samesite="strict")
        return response


def visitor() -> str:
    """The name of the browser that the page is being built for."""
    return str(ui.context.client.request.state.visitor)
