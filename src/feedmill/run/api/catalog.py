"""`/v1/items` and `/v1/users`: what the application says of them. Writes are durable before they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import Item, Record, User
from feedmill.run.api import schemas
from feedmill.run.api.bodies import JSON, LINES, MERGE, decode_many, decode_object, media_type
from feedmill.run.api.calls import Calls
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.events import validate_all
from feedmill.run.api.queries import Query, path_id
from feedmill.run.api.routes import Content, Route, in_path, json_answer, ref
from feedmill.run.local.live import Live
from feedmill.stream.ingest import Ingested
from feedmill.stream.validation import DELETE


class StoredResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one item or user."""

    status: Literal["accepted", "unchanged", "rejected"]
    """`unchanged`: the same was known already, so nothing was written."""
    field: str = ""
    """What is wrong, where it was rejected."""
    problem: str = ""


class StoredAnswer(msgspec.Struct, frozen=True):
    """What became of a change."""

    position: int
    """The log position after it."""
    status: Literal["accepted", "unchanged"]


class BulkAnswer(msgspec.Struct, frozen=True):
    """What became of a post of items or users."""

    position: int
    """The log position after them."""
    accepted: int
    unchanged: int
    rejected: int
    results: list[StoredResult]
    """One an item or user, in order."""


@dataclass(frozen=True, slots=True)
class Family:
    """What tells items and users apart here."""

    kind: Literal["item", "user"]
    read: Callable[[str], Item | User]
    merge: Callable[[str, Mapping[str, object]], Ingested]
    example: Mapping[str, Any]
    patch: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.kind}_id"


class Catalog:
    """The routes of items, or those of users."""

    def __init__(self, family: Family, live: Live, calls: Calls, limits: ApiConfig) -> None:
        self._family = family
        self._live = live
        self._calls = calls
        self._limits = limits

    async def put(self, request: Request) -> Response:
        name = self._name(request)
        media_type(request, JSON)
        record = self._live.validator.record(self._fields(name, await request.body()) | self._identity(name))
        return _stored(await self._calls.submit([record]))

    async def patch(self, request: Request) -> Response:
        name = self._name(request)
        media_type(request, MERGE, JSON)
        fields = self._fields(name, await request.body())
        return _stored(await self._calls.wait(self._family.merge, name, fields))

    async def get(self, request: Request) -> Response:
        name = self._name(request)
        found = await self._calls.call(self._family.read, name)
        return json_answer({self._family.key: name, **msgspec.structs.asdict(found)})

    async def delete(self, request: Request) -> Response:
        name = self._name(request)
        await self._calls.call(self._family.read, name)
        record = self._live.validator.record({"kind": "retraction", "action": DELETE, self._family.key: name})
        return _stored(await self._calls.submit([record]))

    async def post(self, request: Request) -> Response:
        Query(request, ())
        kind = media_type(request, JSON, *LINES)
        body = await request.body()

        def make(at: int, value: object) -> Record:
            if not isinstance(value, dict):
                return self._live.validator.record(value)
            self._same("kind", self._family.kind, value)
            return self._live.validator.record(value | {"kind": self._family.kind})

        single = kind == JSON and body.lstrip()[:1] == b"{"
        validated = await self._calls.decode(
            lambda: validate_all(decode_many(body, kind, self._limits), make, single=single)
        )
        ingested = await self._calls.submit(validated.records)
        refused = validated.refused
        answers = iter(ingested.answers)
        results = [
            StoredResult("rejected", refused[at].field, refused[at].problem)
            if at in refused
            else _UNCHANGED
            if next(answers) == "unchanged"
            else _ACCEPTED
            for at in range(len(validated.records) + len(refused))
        ]
        unchanged = ingested.answers.count("unchanged")
        accepted = len(validated.records) - unchanged
        return json_answer(BulkAnswer(ingested.position, accepted, unchanged, len(refused), results))

    def _name(self, request: Request) -> str:
        Query(request, ())
        return path_id(request, self._family.key)

    def _identity(self, name: str) -> dict[str, object]:
        return {"kind": self._family.kind, self._family.key: name}

    def _fields(self, name: str, body: bytes) -> dict[str, object]:
        """The fields of a body, without those that the path says already."""
        fields = decode_object(body)
        for key, said in self._identity(name).items():
            self._same(key, str(said), fields)
            fields.pop(key, None)
        return fields

    def _same(self, key: str, said: str, fields: Mapping[str, object]) -> None:
        if fields.get(key, said) != said:
            raise InvalidRecord(key, f"must be {said!r:.60}, as the path says, or be left out")

    def routes(self) -> list[Route]:
        family = self._family
        one, schema = family.kind, family.kind.capitalize()
        many = f"/v1/{one}s"
        single = f"{many}/{{{family.key}}}"
        place = [in_path(family.key, f"The application's id of the {one}.", family.example[family.key])]
        stored = {200: ("Durable, and in force.", Content(ref("StoredAnswer"), {"position": 17, "status": "accepted"}))}
        whole = {name: value for name, value in family.example.items() if name != family.key}
        counts = {"position": 17, "accepted": 1, "unchanged": 0, "rejected": 0, "results": [{"status": "accepted"}]}
        return [
            Route(
                "POST",
                many,
                self.post,
                f"post{schema}s",
                f"{one}s",
                f"Send {one}s",
                f"A JSON array of {one}s, JSON Lines, or one. Each is the whole of what is known of it from now on.",
                {200: ("Durable, and what became of each.", Content(ref("BulkAnswer"), counts))},
                (408, 413, 415, 422),
                body=[
                    Content(
                        {
                            "oneOf": [
                                {"type": "array", "items": ref(f"{schema}Upsert"), "minItems": 1},
                                ref(f"{schema}Upsert"),
                            ]
                        },
                        [family.example],
                    ),
                    Content(schemas.LINES, schemas.lines(family.example), LINES[0]),
                ],
            ),
            Route(
                "GET",
                single,
                self.get,
                f"get{schema}",
                f"{one}s",
                f"What is known of {_a(one)}",
                "As it was sent last, with what has been merged into it. It can be sent back with PUT.",
                {200: ("It is known.", Content(ref(schema), {**schemas.DEFAULTS[one], **family.example}))},
                (404, 422),
                place,
            ),
            Route(
                "PUT",
                single,
                self.put,
                f"put{schema}",
                f"{one}s",
                f"Send {_a(one)}",
                "The whole of what is known of it from now on; what is left out is forgotten.",
                stored,
                (408, 413, 415, 422),
                place,
                [Content(ref(f"{schema}Fields"), whole)],
            ),
            Route(
                "PATCH",
                single,
                self.patch,
                f"patch{schema}",
                f"{one}s",
                f"Change some of {_a(one)}",
                "A JSON Merge Patch (RFC 7396): what is named is set, null removes, what is left out stays.",
                stored,
                (404, 408, 413, 415, 422),
                place,
                [Content(ref(f"{schema}Patch"), family.patch, kind) for kind in (MERGE, JSON)],
            ),
            Route(
                "DELETE",
                single,
                self.delete,
                f"delete{schema}",
                f"{one}s",
                f"Remove {_a(one)}",
                "From the catalog, and so from every feed. What happened with it stays in the log.",
                stored,
                (404, 422),
                place,
            ),
        ]


def items(live: Live) -> Family:
    """The family of items."""
    return Family(
        "item", live.item, live.merge_item, schemas.ITEM_EXAMPLE, {"tags": ["sea", "storm"], "duration": None}
    )


def users(live: Live) -> Family:
    """The family of users."""
    return Family("user", live.user, live.merge_user, schemas.USER_EXAMPLE, {"attributes": {"country": "PT"}})


_ACCEPTED = StoredResult("accepted")
_UNCHANGED = StoredResult("unchanged")


def _stored(ingested: Ingested) -> Response:
    return json_answer(
        StoredAnswer(ingested.position, "unchanged" if ingested.answers == ["unchanged"] else "accepted")
    )


def _a(kind: str) -> str:
    return "an item" if kind == "item" else f"a {kind}"
