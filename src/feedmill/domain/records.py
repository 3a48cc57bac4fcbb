"""Records: everything that changes what Feedmill knows, in one envelope.

A record is immutable. It is stored as a MessagePack array, so fields are only ever added at the end, with a default.
None can be part of a cycle, so the garbage collector leaves them alone (`gc=False`): a server holds a great many.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["event", "user", "item", "relation", "retraction", "served", "seen", "heartbeat"]
Scalar = str | int | float | bool | None

SCHEMA_VERSION = 1


class Audience(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who may see an item, and how often. Empty means everybody, without a limit."""

    users: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}
    """For each named user attribute, the values that may see the item."""
    max_views: int | None = None
    """How often one user may see it."""


class Item(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="item"):
    """What the application says of an item. An upsert carries all of it."""

    title: str = ""
    author_id: str | None = None
    created_at: int | None = None
    """UTC milliseconds."""
    expires_at: int | None = None
    """UTC milliseconds; from then on the item is in no feed."""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    text: str = ""
    duration: float | None = None
    """Seconds."""
    embedding: tuple[float, ...] | None = None
    attributes: dict[str, Scalar] = {}
    visible: bool = True
    audience: Audience | None = None


class User(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="user"):
    """What the application says of a user. An upsert carries all of it."""

    created_at: int | None = None
    interests: tuple[str, ...] = ()
    """Tags, categories or topics that the user has declared."""
    attributes: dict[str, Scalar] = {}


class ServedItem(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One position of a served page: enough to answer the page again, and to say why."""

    item_id: str
    position: int
    """From 1, at the top."""
    why: str = ""
    """The clause that the user was given, without a full stop."""
    score: float = 0.0
    predictions: dict[str, float] = {}
    probability: float | None = None
    """Where exploration chose the item: the probability that it did. None at positions that are deterministic."""
    sources: tuple[str, ...] = ()
    """Which sources named it."""
    repeated: bool = False
    """The user had seen it, and it was shown only because the page would have been short without."""


class Served(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="served"):
    """A page that was answered to a request."""

    items: tuple[ServedItem, ...]
    surface: str = "feed"
    state_position: int = 0
    """The log position up to which the features were folded."""
    policy_version: str = ""
    arms: dict[str, str] = {}
    features: bytes | None = None
    """The features that ranked the page, a row an item in the order of `items`, as `feedmill.stream.features.pack`
    writes them."""
    previous: str = ""
    """The request id of the page before in the session; empty on the first."""
    parameters_step: int = 0
    """Steps that the parameters had learned."""
    parameters_position: int = 0
    """The log position up to which they had learned."""
    limit: int = 0
    """How many items were asked for; 0 where that is not known."""
    note: str = ""
    """Where the page is shorter than asked for or repeats what the user has seen: by how much."""
    traced: bool = False
    """Whether all candidates were kept beside the log."""
    asked: str = ""
    """A digest of what was asked for: the same request id with another question is another request."""
    left_out: dict[str, str] = {}
    """Of a ranking: the candidates that were not ranked, and why."""


def served_event_id(request_id: str) -> str:
    """The `event_id` of the `served` record of a request: a page is in the log once, and can be found by its request.

    No id that an application sends may hold a NUL, so none is ever the same.
    """
    return f"served\0{request_id}"


Body = Item | User | Served


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record of the log.

    `event`: `subject` did `action` to `object`, with `value` where the action has one (seconds watched, stars).
    `seen`: `object` was shown to `subject`; `outcomes` holds what the user did with it, where the source has joined
    that already (imports of impression logs). `served`: `body` is the page of `request_id`. `item`, `user`: `body` is
    the whole of what is known of `object` or `subject` from now on. `relation`: `subject` does `action`
    (`follow`, `block`) to `object`, until a `retraction` of the same; a `retraction` with action `delete` removes the
    user or item. `heartbeat`: only moves the log's watermark to `timestamp`.
    """

    kind: Kind
    timestamp: int
    """When it happened, UTC milliseconds."""
    subject: str = ""
    object: str = ""
    action: str = ""
    value: float | None = None
    event_id: str = ""
    """The idempotency key. Empty where the record cannot be recognised again."""
    request_id: str = ""
    context: dict[str, Scalar] = {}
    outcomes: dict[str, float] | None = None
    """Action to value, on `seen` records of sources that know what followed; None where actions come later."""
    body: Body | None = None
    received_at: int = 0
    subject_kind: str = "user"
    object_kind: str = "item"
    tenant: str = ""
    schema_version: int = SCHEMA_VERSION


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)

encode_record = _encoder.encode
"""A record to the bytes that the log keeps."""
decode_record = _decoder.decode
"""The bytes that the log keeps to a record."""
