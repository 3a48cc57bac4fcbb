"""A route: what it answers, and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Schema = Mapping[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Content:
    """A body: what it is, and an example of it."""

    schema: Schema
    example: Any
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    name: str
    """Its operation id: `postEvents`."""
    group: str
    summary: str
    description: str
    answers: Mapping[int, tuple[str, Content]]
    """By status: what it means, and the body. Problems are not among them."""
    problems: Sequence[int] = ()
    """The statuses of the problems that are its own; those of every route are added by the document."""
    parameters: Sequence[Schema] = ()
    body: Sequence[Content] = field(default=())
    """The body by media type; none where the route takes none."""


def json_answer(value: object, status: int = 200) -> Response:
    """A response of JSON, encoded by msgspec."""
    return Response(_encode(value), status, media_type="application/json")


def ref(name: str) -> Schema:
    """A schema of the document, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, example: str) -> Schema:
    """An id in the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{description} 1 to 256 bytes of UTF-8, percent-encoded; a slash is `%2F`.",
        "schema": ref("Id"),
        "example": example,
    }


def in_query(name: str, description: str, schema: Schema, example: Any, **more: Any) -> Schema:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": example, **more}
