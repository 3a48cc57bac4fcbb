"""Bodies: read within bounds of size and time, and decoded to what JSON can say."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope

from feedmill.run.api.config import ApiConfig
from feedmill.run.api.problems import FieldProblem, Refusal, invalid, malformed, too_large

JSON = "application/json"
LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
MERGE = "application/merge-patch+json"

_decode = msgspec.json.Decoder().decode
_decode_lines = msgspec.json.Decoder().decode_lines
_AT_BYTE = re.compile(r" \(byte (\d+)\)$")


class Disconnected(Exception):
    """The client went away before it had said everything. Nobody is there to be answered."""


async def read_body(scope: Scope, receive: Receive, limits: ApiConfig) -> bytes:
    """The whole body. Raises Refusal: 413 as soon as it is known to be too large, 408 when it takes too long."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limits.max_body_bytes:
            raise _too_long(limits)
        if name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise _wrong_type(f"Content-Encoding {value.decode('latin-1')} is not read; send the body as it is")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.max_body_bytes:
                    raise _too_long(limits)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "too-slow",
            f"the body was not complete after {limits.body_seconds:g} seconds ({size:,} bytes came);"
            " send less at a time",
            headers={"connection": "close"},
        ) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def media_type(request: Request, *allowed: str) -> str:
    """The content type of the body. Raises Refusal (415) for one that is not allowed, and where there is none.

    None is what a page of another site may send without asking first; `application/json` is not.
    """
    given = request.headers.get("content-type", "")
    essence, _, parameters = given.partition(";")
    essence = essence.strip().lower()
    if essence not in allowed:
        what = f"a body of {given[:80]!r}" if given else "a body without a content type"
        raise _wrong_type(f"{what} is not read; send `Content-Type: {allowed[0]}`", allowed)
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]*)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise _wrong_type(f"JSON is read in UTF-8 only, not in {charset[1][:40]!r}", allowed)
    return essence


def decode(body: bytes) -> object:
    """One JSON value. Raises Refusal (400), saying at which byte."""
    try:
        return _decode(body)
    except (ValueError, RecursionError) as error:
        raise malformed(_explain(body, error)) from None


def decode_lines(body: bytes) -> list[object]:
    """JSON Lines. Raises Refusal (400), saying in which line and at which byte of it."""
    try:
        return _decode_lines(body)
    except (ValueError, RecursionError) as error:
        first = error
    for number, line in enumerate(body.split(b"\n"), 1):
        try:
            if line.strip():
                _decode(line)
        except (ValueError, RecursionError) as error:
            raise malformed(f"line {number}: {_explain(line, error)}") from None
    raise malformed(_explain(body, first))


def decode_object(body: bytes) -> dict[str, object]:
    """One JSON object. Raises Refusal: 400 for what is no JSON, 422 for JSON that is something else."""
    value = decode(body)
    if not isinstance(value, dict):
        raise invalid([FieldProblem("body", f"must be a JSON object, is {_kind(value)}")])
    return value


def decode_many(body: bytes, kind: str, limits: ApiConfig) -> list[object]:
    """The objects of a post: of a JSON array, of JSON Lines, or the one.

    Raises Refusal: 400 for what is no JSON, 413 for too many, 422 for none, or for what is no object or list.
    """
    value = decode_lines(body) if kind in LINES else decode(body)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise invalid([FieldProblem("body", f"must be a JSON array of objects, is {_kind(value)}")])
    if not value:
        raise invalid([FieldProblem("body", "must hold at least one object")])
    if len(value) > limits.max_events:
        raise too_large(f"{len(value):,} in one post; send at most {limits.max_events:,} at a time")
    return value


def _explain(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "the body is empty; it must be JSON"
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return f"not UTF-8 (byte {wrong.start})"
    said = str(error)
    if said == "Input data was truncated":
        return f"the JSON ends too early (after {len(body)} bytes), or holds half of a surrogate pair"
    where = _AT_BYTE.search(said)
    if where is None:
        return said
    start = int(where[1])
    line = body.count(b"\n", 0, start) + 1
    return f"{said[: where.start()]} (line {line}, byte {start})"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", str: "a string", list: "an array", int: "a number", float: "a number"}[type(value)]


def _too_long(limits: ApiConfig) -> Refusal:
    return too_large(f"the body is longer than {limits.max_body_bytes:,} bytes; send it in parts")


def _wrong_type(detail: str, allowed: tuple[str, ...] = ()) -> Refusal:
    headers = {"accept-post": ", ".join(allowed)} if allowed else {}
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type", detail, headers=headers)
