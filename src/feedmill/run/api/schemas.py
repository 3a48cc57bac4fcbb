"""The JSON Schemas of what applications send, and an example of each.

They say what a schema can. That an id has at most 256 *bytes*, and that nothing happens later than five minutes from
now, is said in the descriptions, and checked by `feedmill.stream.validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from feedmill.domain.records import Item, User
from feedmill.run.api.routes import Schema, ref
from feedmill.stream.validation import MAX_EMBEDDING, MAX_LIST, MAX_NUMBER, MAX_PAGE, MAX_TEXT

_NO_NUL = "^[^\\u0000]*$"
_INTEGER_64 = {"minimum": -(2**63 - 1), "maximum": 2**63 - 1}
_YEAR_1800, _YEAR_2200 = -5_364_662_400_000, 7_258_118_400_000


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, Any], required: list[str], description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_ID = ref("Id")
_TEXT = {"type": "string", "maxLength": MAX_TEXT, "pattern": _NO_NUL}
_IDS = {"type": "array", "items": _ID, "maxItems": MAX_LIST}
_SCALARS = {
    "type": "object",
    "maxProperties": MAX_LIST,
    "propertyNames": _ID,
    "additionalProperties": {
        "anyOf": [_TEXT, {"type": "integer", **_INTEGER_64}, ref("Number"), {"type": "boolean"}, {"type": "null"}]
    },
}


def _time(earliest: int, latest: int, description: str) -> Schema:
    return {
        "description": f"{description} Milliseconds since 1970, or ISO 8601 (UTC where it names no zone).",
        "anyOf": [
            {"type": "integer", "minimum": earliest, "maximum": latest},
            {"type": "string", "format": "date-time"},
        ],
    }


_WHEN = _or_null(_time(0, _YEAR_2200, "When it happened: from 1970 to five minutes from now. Now, where it is absent."))
_CONTEXT = _or_null({**_SCALARS, "description": "What the application wants to have kept with it."})
_ANSWERED = _or_null({**_ID, "description": "The request id of the page that it happened on."})
_KNOWN_BY = _or_null(
    {**_ID, "description": "The idempotency key; derived from the content where there is a timestamp."}
)

_EVENT = _object(
    {
        "kind": {"const": "event"},
        "user_id": _ID,
        "item_id": _ID,
        "action": {
            **_ID,
            "description": "The application's own word; `actions` in the configuration says what it means.",
        },
        "value": _or_null({**ref("Number"), "description": "Seconds watched, stars, amounts."}),
        "timestamp": _WHEN,
        "event_id": _KNOWN_BY,
        "request_id": _ANSWERED,
        "context": _CONTEXT,
    },
    ["user_id", "item_id", "action"],
    "A user did something to an item.",
)
_SEEN = _object(
    {
        "kind": {"const": "seen"},
        "user_id": _ID,
        "item_id": _ID,
        "timestamp": _WHEN,
        "event_id": _KNOWN_BY,
        "request_id": _ANSWERED,
        "context": _CONTEXT,
        "outcomes": _or_null(
            {
                "type": "object",
                "description": "Action to value, where all that followed is known already.",
                "maxProperties": MAX_LIST,
                "propertyNames": _ID,
                "additionalProperties": ref("Number"),
            }
        ),
    },
    ["kind", "user_id", "item_id"],
    "An item was shown to a user.",
)
_SERVED = _object(
    {
        "kind": {"const": "served"},
        "user_id": _ID,
        "request_id": _ID,
        "items": {
            "type": "array",
            "maxItems": MAX_PAGE,
            "description": "Each item once.",
            "items": {
                "anyOf": [
                    _ID,
                    _object(
                        {
                            "item_id": _ID,
                            "position": _or_null({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}),
                            "source": _or_null(_ID),
                            "score": _or_null(ref("Number")),
                        },
                        ["item_id"],
                        "A position, where more than its place is known.",
                    ),
                ]
            },
        },
        "surface": _or_null(_ID),
        "timestamp": _WHEN,
        "context": _CONTEXT,
    },
    ["kind", "user_id", "request_id", "items"],
    "A page that the application composed by itself.",
)
_RELATED = {
    "user_id": _ID,
    "target_id": _ID,
    "target_kind": _or_null({**_ID, "description": "`user` where it is absent."}),
    "action": {**_ID, "not": {"const": "delete"}},
    "timestamp": _WHEN,
    "event_id": _KNOWN_BY,
}
_USER_FIELDS = {
    "created_at": _or_null(_time(_YEAR_1800, _YEAR_2200, "No later than five minutes from now.")),
    "interests": _or_null({**_IDS, "description": "Tags, categories or topics that the user has declared."}),
    "attributes": _or_null(_SCALARS),
}
_AUDIENCE = _object(
    {
        "users": _or_null(_IDS),
        "attributes": _or_null(
            {"type": "object", "maxProperties": MAX_LIST, "propertyNames": _ID, "additionalProperties": _IDS}
        ),
        "max_views": _or_null({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}),
    },
    [],
    "Who may see it, and how often.",
)
_ITEM_FIELDS = {
    "title": _or_null(_TEXT),
    "author_id": _or_null(_ID),
    "created_at": _or_null(_time(_YEAR_1800, _YEAR_2200, "No later than five minutes from now.")),
    "expires_at": _or_null(_time(0, _YEAR_2200, "From then on it is in no feed.")),
    "categories": _or_null(_IDS),
    "tags": _or_null(_IDS),
    "text": _or_null(_TEXT),
    "duration": _or_null({"type": "number", "minimum": 0, "maximum": MAX_NUMBER, "description": "Seconds."}),
    "embedding": _or_null({"type": "array", "items": ref("Number"), "minItems": 1, "maxItems": MAX_EMBEDDING}),
    "attributes": _or_null(_SCALARS),
    "visible": _or_null({"type": "boolean"}),
    "audience": _or_null(_AUDIENCE),
}


def _bodies(kind: str, fields: Mapping[str, Any]) -> dict[str, Schema]:
    key, name = f"{kind}_id", kind.capitalize()
    sent = {"kind": {"const": kind}, key: _ID, **fields, "timestamp": _WHEN}
    whole = f"The whole of what is known of the {kind} from now on."
    return {
        f"{name}Upsert": _object(sent, [key], whole),
        f"{name}Fields": _object(sent, [], f"{whole} The id is that of the path."),
        f"{name}Patch": _object(
            {**sent, "attributes": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
            [],
            "A JSON Merge Patch: null removes a field.",
        ),
        name: _object({key: _ID, **fields}, [key, *fields], f"What is known of {kind}."),
    }


SCHEMAS: Mapping[str, Schema] = {
    "Id": {
        "type": "string",
        "description": "An application's own id: 1 to 256 bytes of UTF-8 without NUL.",
        "minLength": 1,
        "maxLength": 256,
        "pattern": "^[^\\u0000]+$",
    },
    "Number": {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
    "Scalars": _SCALARS,
    "ActionEvent": _EVENT,
    "SeenEvent": _SEEN,
    "ServedEvent": _SERVED,
    "Relation": _object(
        {"kind": {"const": "relation"}, **_RELATED},
        ["kind", "user_id", "target_id", "action"],
        "A user follows, blocks ... another.",
    ),
    "Retraction": _object(
        {"kind": {"const": "retraction"}, **_RELATED},
        ["kind", "user_id", "target_id", "action"],
        "The end of a relation.",
    ),
    "Event": {
        "oneOf": [ref(name) for name in ("ActionEvent", "SeenEvent", "ServedEvent", "Relation", "Retraction")],
        "description": "Without a `kind`, it is an action.",
    },
    **_bodies("item", _ITEM_FIELDS),
    **_bodies("user", _USER_FIELDS),
    "RankBody": _object(
        {
            "user_id": _ID,
            "item_ids": {**_IDS, "minItems": 1, "uniqueItems": True},
            "surface": _ID,
            "context": _SCALARS,
            "request_id": _ID,
        },
        ["user_id", "item_ids"],
        "Candidates that are to be put in order.",
    ),
}
LINES: Schema = {"type": "string", "description": "JSON Lines: one object a line."}

EVENT_EXAMPLE = {
    "user_id": "ada",
    "item_id": "lisbon",
    "action": "like",
    "timestamp": 1_651_161_600_000,
    "request_id": "r-1",
    "context": {"device": "phone"},
}
SEEN_EXAMPLE = {"kind": "seen", "user_id": "ada", "item_id": "porto", "request_id": "r-1"}
ITEM_EXAMPLE = {
    "item_id": "lisbon",
    "title": "A week in Lisbon",
    "author_id": "bea",
    "categories": ["travel"],
    "tags": ["sea", "trams"],
    "duration": 64.5,
    "attributes": {"language": "en"},
}
USER_EXAMPLE = {"user_id": "ada", "interests": ["travel"], "attributes": {"country": "PT"}}
DEFAULTS = {"item": msgspec.structs.asdict(Item()), "user": msgspec.structs.asdict(User())}


def lines(*values: object) -> str:
    """JSON Lines."""
    return "".join(msgspec.json.encode(value).decode() + "\n" for value in values)
