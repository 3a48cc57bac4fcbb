"""`POST /v1/events`: what users did and saw, durable before it is answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import Record
from feedmill.run.api import schemas
from feedmill.run.api.bodies import JSON, LINES, decode_many, media_type
from feedmill.run.api.calls import Calls
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.metrics import ApiMetrics
from feedmill.run.api.problems import FieldProblem, invalid
from feedmill.run.api.queries import Query
from feedmill.run.api.routes import Content, Route, json_answer, ref
from feedmill.run.local.live import Live
from feedmill.stream.validation import DELETE, check_id

KEY_HEADER = "Idempotency-Key"
_LONG = 64 * 1024
"""Bytes of a body that takes longer to decode and validate than the event loop should be held up (about 2 ms)."""
_LISTED = 100
"""Problems that one answer lists when everything was refused."""


class EventResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event."""

    status: Literal["accepted", "duplicate", "rejected"]
    field: str = ""
    """What is wrong, where it was rejected."""
    problem: str = ""


class EventsAnswer(msgspec.Struct, frozen=True):
    """What became of a post of events."""

    position: int
    """The log position after them."""
    accepted: int
    duplicates: int
    rejected: int
    results: list[EventResult]
    """One an event, in order."""


class Validated(NamedTuple):
    """The records of a post, and what was wrong with the others."""

    records: list[Record]
    refused: dict[int, InvalidRecord]
    """By place."""
    single: bool
    """The body was one object, so that its fields need no place in front."""

    def problems(self) -> Sequence[FieldProblem]:
        """The first of what was wrong, with the place in front of the field."""
        chosen = list(self.refused.items())[:_LISTED]
        return [
            FieldProblem(error.field if self.single else f"[{at}].{error.field}", error.problem) for at, error in chosen
        ]


def validate_all(values: Sequence[object], make: Callable[[int, object], Record], *, single: bool) -> Validated:
    """Records of what is valid. Raises Refusal (422) where nothing is."""
    records: list[Record] = []
    refused: dict[int, InvalidRecord] = {}
    for at, value in enumerate(values):
        try:
            records.append(make(at, value))
        except InvalidRecord as error:
            refused[at] = error
    validated = Validated(records, refused, single)
    if not records:
        problems = validated.problems()
        listed = f"; the first {_LISTED} are listed" if len(refused) > _LISTED else ""
        raise invalid(problems, "" if single else f"nothing was accepted: {len(refused):,} were refused{listed}")
    return validated


class Events:
    """The routes of events."""

    def __init__(self, live: Live, calls: Calls, limits: ApiConfig, metrics: ApiMetrics) -> None:
        self._live = live
        self._calls = calls
        self._limits = limits
        self._metrics = metrics

    async def post(self, request: Request) -> Response:
        Query(request, ())
        kind = media_type(request, JSON, *LINES)
        keys = request.headers.getlist(KEY_HEADER)
        if len(keys) > 1:
            raise InvalidRecord(KEY_HEADER, "is given more than once")
        key = check_id(KEY_HEADER, keys[0]) if keys else ""
        body = await request.body()

        def read() -> Validated:
            return self._read(body, kind, key)

        validated = await self._calls.decode(read) if len(body) > _LONG else read()
        ingested = await self._calls.submit(validated.records)
        refused = validated.refused
        answers = iter(ingested.answers)
        results = [
            EventResult("rejected", refused[at].field, refused[at].problem)
            if at in refused
            else _DUPLICATE
            if next(answers) == "duplicate"
            else _ACCEPTED
            for at in range(len(validated.records) + len(refused))
        ]
        duplicates = ingested.answers.count("duplicate")
        accepted = len(validated.records) - duplicates
        self._metrics.count_events(accepted, duplicates, len(refused))
        return json_answer(EventsAnswer(ingested.position, accepted, duplicates, len(refused), results))

    def _read(self, body: bytes, kind: str, key: str) -> Validated:
        values = decode_many(body, kind, self._limits)
        single = kind == JSON and body.lstrip()[:1] == b"{"
        record = self._live.validator.record
        post = _post_id(key, body) if key else b""

        def make(at: int, value: object) -> Record:
            if type(value) is dict and "kind" in value:
                _belongs_here(value)
            return record(value, default_event_id=_event_id(post, at) if post else "")

        return validate_all(values, make, single=single)

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/v1/events",
                self.post,
                "postEvents",
                "events",
                "Send what users did and saw",
                "One event, a JSON array of them, or JSON Lines. Each is accepted, known already, or rejected;"
                " the answer comes when the accepted ones are on disk and in the users' next feeds. A retry changes"
                f" nothing where events carry an `event_id` or a `timestamp`, or the request an `{KEY_HEADER}`.",
                answers={
                    200: (
                        "Durable, and what became of each event.",
                        Content(
                            ref("EventsAnswer"),
                            {
                                "position": 4711,
                                "accepted": 1,
                                "duplicates": 0,
                                "rejected": 1,
                                "results": [
                                    {"status": "accepted"},
                                    {
                                        "status": "rejected",
                                        "field": "item_id",
                                        "problem": "is missing; it must be a string",
                                    },
                                ],
                            },
                        ),
                    )
                },
                problems=(408, 413, 415, 422),
                parameters=[
                    {
                        "name": KEY_HEADER,
                        "in": "header",
                        "description": "Recognises a retry: events with neither `event_id` nor `timestamp` are known"
                        " again by this key, if the same body comes again.",
                        "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[!-~]+$"},
                        "example": "batch-2026-11-21-0001",
                    }
                ],
                body=[
                    Content(
                        {"oneOf": [{"type": "array", "items": ref("Event"), "minItems": 1}, ref("Event")]},
                        [schemas.EVENT_EXAMPLE, schemas.SEEN_EXAMPLE],
                    ),
                    *(Content(schemas.LINES, schemas.lines(schemas.EVENT_EXAMPLE), kind) for kind in LINES[:1]),
                ],
            )
        ]


_ACCEPTED = EventResult("accepted")
_DUPLICATE = EventResult("duplicate")


def _belongs_here(value: dict[str, object]) -> None:
    match value:
        case {"kind": "item" | "user" as kind}:
            raise InvalidRecord("kind", f"a {kind} does not go here; POST it to /v1/{kind}s, or PUT /v1/{kind}s/ID")
        case {"kind": "retraction", "action": action} if action == DELETE:
            raise InvalidRecord("action", "a deletion does not go here; DELETE /v1/items/ID or /v1/users/ID")


def _post_id(key: str, body: bytes) -> bytes:
    """What tells a post from others. The body is in it, so that a key that is used for another post by mistake does
    not make new events look like old ones."""
    return hashlib.blake2b(msgspec.msgpack.encode((key, body)), digest_size=16).digest()


def _event_id(post: bytes, at: int) -> str:
    """The event id of an event that came without one."""
    return "~" + hashlib.blake2b(post + at.to_bytes(8, "little"), digest_size=16).hexdigest()
