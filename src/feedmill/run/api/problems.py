"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from feedmill.domain.errors import (
    Conflict,
    FeedmillError,
    InvalidArgument,
    InvalidRecord,
    NotFound,
    StorageError,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"

ProblemType = Literal[
    "urn:feedmill:problem:malformed",
    "urn:feedmill:problem:unauthorized",
    "urn:feedmill:problem:cross-site",
    "urn:feedmill:problem:not-found",
    "urn:feedmill:problem:no-such-route",
    "urn:feedmill:problem:method-not-allowed",
    "urn:feedmill:problem:too-slow",
    "urn:feedmill:problem:conflict",
    "urn:feedmill:problem:too-large",
    "urn:feedmill:problem:misdirected",
    "urn:feedmill:problem:media-type",
    "urn:feedmill:problem:invalid",
    "urn:feedmill:problem:headers-too-large",
    "urn:feedmill:problem:internal",
    "urn:feedmill:problem:unavailable",
    "urn:feedmill:problem:storage",
]


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field."""

    field: str
    """As the caller named it; with the place in front where a body holds several: `[3].user_id`."""
    problem: str


class Problem(msgspec.Struct, frozen=True):
    """Why a request was not answered."""

    type: ProblemType
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


class Refusal(FeedmillError):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        name: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        kind: ProblemType = msgspec.convert(f"urn:feedmill:problem:{name}", ProblemType)
        self.problem = Problem(kind, status.phrase, status.value, detail, tuple(errors))
        self.headers = dict(headers or {})


def malformed(detail: str, field: str = "body") -> Refusal:
    """400: what came cannot be read at all."""
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed", detail, [FieldProblem(field, detail)])


def invalid(errors: Sequence[FieldProblem], detail: str = "") -> Refusal:
    """422: what came can be read, and says what cannot be."""
    said = detail or "; ".join(f"{error.field}: {error.problem}" for error in errors)
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", said, errors)


def too_large(detail: str) -> Refusal:
    """413."""
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def unavailable(detail: str, *, after_seconds: int = 1, name: str = "unavailable") -> Refusal:
    """503: the same request may succeed later."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, name, detail, headers={"retry-after": str(after_seconds)})


def refusal(error: Exception) -> Refusal | None:
    """How an error is answered; None for one that nobody raised on purpose."""
    match error:
        case Refusal():
            return error
        case InvalidRecord():
            return invalid([FieldProblem(error.field, error.problem)])
        case InvalidArgument():
            return invalid([], str(error))
        case NotFound():
            return Refusal(HTTPStatus.NOT_FOUND, "not-found", str(error))
        case Conflict():
            return Refusal(HTTPStatus.CONFLICT, "conflict", str(error))
        case Unavailable():
            return unavailable(str(error))
        case StorageError():
            return unavailable(str(error), after_seconds=10, name="storage")
        case HTTPException(status_code=404):
            return Refusal(HTTPStatus.NOT_FOUND, "no-such-route", "there is nothing here; /docs lists what there is")
        case HTTPException(status_code=405):
            headers = dict(error.headers or {})
            return Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method-not-allowed",
                f"this route knows only {headers.get('Allow', 'other methods')}",
                headers=headers,
            )
    return None


def internal(request_id: str) -> Refusal:
    """500, without what happened: that is in the log."""
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        f"an error that nobody expected; the server's log has it as request {request_id}",
    )


def answer(refused: Refusal) -> Response:
    """The response that says it."""
    return Response(
        msgspec.json.encode(refused.problem), refused.problem.status, headers=refused.headers, media_type=MEDIA_TYPE
    )
