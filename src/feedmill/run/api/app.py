"""The HTTP application over a live engine."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Sequence

import msgspec
from fastapi import FastAPI
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from feedmill import __version__
from feedmill.run.api import catalog, problems
from feedmill.run.api.calls import Calls
from feedmill.run.api.catalog import Catalog
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.document import make_document
from feedmill.run.api.entrance import Entrance
from feedmill.run.api.events import Events
from feedmill.run.api.feeds import Feeds
from feedmill.run.api.health import Health
from feedmill.run.api.keys import KeyCheck
from feedmill.run.api.metrics import ApiMetrics
from feedmill.run.api.page import make_page
from feedmill.run.api.routes import Route
from feedmill.run.local.live import Live


def make_app(
    live: Live,
    *,
    api_key: str | None = None,
    config: ApiConfig | None = None,
    collectors: Sequence[Collector] = (),
) -> FastAPI:
    """The application, which may be called while the engine still starts.

    With an `api_key` every request but those of `/health/` must carry it. `collectors` add to `/metrics`.
    """
    limits = config or ApiConfig()
    metrics = ApiMetrics(live, collectors)
    calls = Calls(live, limits.workers)
    routes = [
        *Events(live, calls, limits, metrics).routes(),
        *Catalog(catalog.items(live), live, calls, limits).routes(),
        *Catalog(catalog.users(live), live, calls, limits).routes(),
        *Feeds(live, calls).routes(),
        *Health(live, calls, metrics).routes(),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        calls.close()

    # FastAPI's own documentation pages load their scripts from elsewhere, and its own document knows no msgspec.
    app = FastAPI(
        title="Feedmill",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _http_problem},
    )
    _add(app, routes)
    _document(app, routes, keyed=api_key is not None)
    app.add_middleware(Entrance, limits=limits, keys=KeyCheck(api_key), metrics=metrics)
    return app


def _add(app: FastAPI, routes: Sequence[Route]) -> None:
    for route in routes:
        app.add_api_route(
            route.path, route.handler, methods=[route.method], include_in_schema=False, response_model=None
        )


def _document(app: FastAPI, routes: Sequence[Route], *, keyed: bool) -> None:
    document = functools.cache(lambda: make_document(routes, keyed=keyed))
    encoded = functools.cache(lambda: msgspec.json.encode(document()))
    page = functools.cache(lambda: make_page(document()))

    async def openapi(request: Request) -> Response:
        return Response(encoded(), media_type="application/json")

    async def docs(request: Request) -> Response:
        return Response(page(), media_type="text/html")

    app.openapi = document  # type: ignore[method-assign]
    for path, handler in (("/openapi.json", openapi), ("/docs", docs)):
        app.add_api_route(path, handler, methods=["GET"], include_in_schema=False, response_model=None)


async def _http_problem(request: Request, error: Exception) -> Response:
    """What the router refuses: no such route, or another method."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        matching = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
        methods = sorted({method for route in matching for method in route.methods})
        error = HTTPException(405, headers={"Allow": ", ".join(methods)})
    refused = problems.refusal(error)
    if refused is None:
        raise error
    return problems.answer(refused)
