"""The OpenAPI document, made of the routes and of the structs that they answer with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from feedmill import __version__
from feedmill.run.api import problems
from feedmill.run.api.catalog import BulkAnswer, StoredAnswer
from feedmill.run.api.events import EventsAnswer
from feedmill.run.api.feeds import SimilarItems
from feedmill.run.api.health import Alive, Readiness
from feedmill.run.api.keys import OPEN
from feedmill.run.api.problems import Problem
from feedmill.run.api.routes import Content, Route, ref
from feedmill.run.api.schemas import SCHEMAS
from feedmill.run.local.answers import FeedPage, LiveStatus, PageExplanation, RankedPage

ANSWERS = (
    Alive,
    BulkAnswer,
    EventsAnswer,
    FeedPage,
    LiveStatus,
    PageExplanation,
    Problem,
    RankedPage,
    Readiness,
    SimilarItems,
    StoredAnswer,
)
_OMIT_DEFAULTS = {"EventResult", "StoredResult"}
_MEANING = {
    400: "What came cannot be read: malformed JSON, text that is no UTF-8.",
    401: "The key is missing or wrong.",
    403: "The server has no key, and a page of another site asks.",
    404: "There is no such user, item or request.",
    408: "The body came too slowly.",
    409: "The request id, or the cursor, belongs to another request.",
    413: "Too many bytes, or too many at once.",
    415: "The content type is missing, or is not read here.",
    421: "The server has no key, and is asked by a name that is not of this machine.",
    422: "What came can be read, and says what cannot be; `errors` names the fields.",
    500: "A defect of the server; its log says more. None is known.",
    503: "The server is starting or stopping, has more to do than it can, or its disk refuses. Try again later.",
}
_NAMES = {
    400: "malformed",
    401: "unauthorized",
    403: "cross-site",
    404: "not-found",
    408: "too-slow",
    409: "conflict",
    413: "too-large",
    415: "media-type",
    421: "misdirected",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}
_WITH_RETRY_AFTER = 503


def make_document(routes: Iterable[Route], *, keyed: bool) -> dict[str, Any]:
    """The document as OpenAPI 3.1; `keyed` says whether the server wants a key."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, keyed, is_open=route.path.startswith(OPEN)
        )
    components: dict[str, Any] = {"schemas": _schemas()}
    if keyed:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Feedmill",
            "version": __version__,
            "description": "The recommendation engine that learns while it serves."
            " Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": components,
    }


def _operation(route: Route, keyed: bool, *, is_open: bool) -> dict[str, Any]:
    entrance = () if is_open else (401,) if keyed else (403, 421)
    statuses = {*route.problems, 400, 500, 503, *entrance}
    answers: dict[str, Any] = {
        str(status): {"description": text, "content": _content([content]), **_headers(status)}
        for status, (text, content) in route.answers.items()
    }
    for status in sorted(statuses):
        answers[str(status)] = _merge(answers.get(str(status)), _problem(status))
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.group],
        "summary": route.summary,
        "description": route.description,
        "parameters": list(route.parameters),
        "responses": dict(sorted(answers.items())),
        "security": [{"key": []}] if keyed and not is_open else [],
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _content(bodies: Iterable[Content]) -> dict[str, Any]:
    return {body.media_type: {"schema": body.schema, "example": body.example} for body in bodies}


def _problem(status: int) -> dict[str, Any]:
    example = {
        "type": f"urn:feedmill:problem:{_NAMES[status]}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _MEANING[status],
        "errors": [{"field": "user_id", "problem": "is missing; it must be a string"}] if status == 422 else [],
    }
    content = _content([Content(ref("Problem"), example, problems.MEDIA_TYPE)])
    return {"description": _MEANING[status], "content": content, **_headers(status)}


def _headers(status: int) -> dict[str, Any]:
    if status == _WITH_RETRY_AFTER:
        after = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}}
        return {"headers": {"Retry-After": after}}
    if status == 401:
        challenge = {"description": "What is wanted.", "required": True, "schema": {"type": "string"}}
        return {"headers": {"WWW-Authenticate": challenge}}
    return {}


def _merge(own: dict[str, Any] | None, general: dict[str, Any]) -> dict[str, Any]:
    return general if own is None else {**own, "content": {**own["content"], **general["content"]}}


def _schemas() -> dict[str, Any]:
    _, made = msgspec.json.schema_components(ANSWERS, ref_template="#/components/schemas/{name}")
    for name, schema in made.items():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
            if name not in _OMIT_DEFAULTS:
                # A default is written out like any other value.
                schema["required"] = list(schema["properties"])
    return {**_without_defaults(made), **SCHEMAS}


def _without_defaults(schema: Any) -> Any:
    """The schema without `default`, which says what a missing field would mean; in an answer none is missing."""
    if isinstance(schema, Mapping):
        return {
            key: _without_defaults(value)
            for key, value in schema.items()
            if not (key == "default" and "properties" not in schema and not isinstance(value, Mapping))
        }
    if isinstance(schema, list | tuple):
        return [_without_defaults(value) for value in schema]
    return schema
