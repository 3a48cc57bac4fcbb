"""Untrusted input becomes records, or an InvalidRecord that names the field.

What a record may hold: ids of 1 to 256 bytes of UTF-8; numbers that are finite in single precision, as the columns
keep them; times from 1970 to five minutes from now (an item may be as old as 1800 and expire until 2200); text of at
most 100,000 characters; lists and mappings of bounded length.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NoReturn

import msgspec

from feedmill.domain.clock import MINUTE, Clock, format_time
from feedmill.domain.errors import InvalidRecord
from feedmill.domain.ids import MAX_ID_BYTES
from feedmill.domain.records import Audience, Item, Record, Scalar, Served, ServedItem, User, served_event_id

MAX_TEXT = 100_000
"""Characters of one text."""
MAX_LIST = 1_000
"""Tags, categories, interests, members of an audience, attributes of one record."""
MAX_EMBEDDING = 4_096
MAX_PAGE = 1_000
"""Items of one served page."""
MAX_FUTURE = 5 * MINUTE
MAX_NUMBER = 3.4028234663852886e38
"""The largest float32: columns are single precision, and a value must stay finite there."""
DELETE = "delete"
"""The action of a retraction that removes a user or an item."""

Unit = Literal["s", "ms", "us", "ns"]
Fields = Mapping[str, object]

_MAX_INTEGER = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1800 = -5_364_662_400_000
_YEAR_2200 = 7_258_118_400_000
_PER_MILLISECOND: dict[Unit, tuple[int, int]] = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}


def check_id(field: str, value: object) -> str:
    """An application id: a string of 1 to 256 bytes of UTF-8 without NUL."""
    if not isinstance(value, str):
        _wrong_type(field, value, "a string")
    size = len(value) if value.isascii() else len(_encoded(field, value))
    if not 1 <= size <= MAX_ID_BYTES:
        raise InvalidRecord(field, f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8, is {size}")
    if "\0" in value:
        raise InvalidRecord(field, "must not contain a NUL character")
    return value


def check_number(field: str, value: object) -> float:
    """A finite number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong_type(field, value, "a number")
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        shown = value if isinstance(value, float) else f"an integer of {value.bit_length()} bits"
        raise InvalidRecord(field, f"must be finite and at most {MAX_NUMBER:.3g} in size, is {shown}")
    return float(value)


def check_text(field: str, value: object) -> str:
    """Text of at most 100,000 characters without NUL."""
    if not isinstance(value, str):
        _wrong_type(field, value, "a string")
    if len(value) > MAX_TEXT:
        raise InvalidRecord(field, f"must be at most {MAX_TEXT:,} characters long, is {len(value):,}")
    if not value.isascii():
        _encoded(field, value)
    if "\0" in value:
        raise InvalidRecord(field, "must not contain a NUL character")
    return value


def check_strings(field: str, value: object) -> tuple[str, ...]:
    """A list of at most 1,000 strings, each as an id is."""
    return tuple(check_id(f"{field}[{i}]", text) for i, text in enumerate(_bounded_list(field, value, MAX_LIST)))


def check_embedding(field: str, value: object) -> tuple[float, ...]:
    """A list of 1 to 4,096 finite numbers."""
    numbers = _bounded_list(field, value, MAX_EMBEDDING)
    if not numbers:
        raise InvalidRecord(field, "must not be empty; leave it out where there is none")
    return tuple(check_number(f"{field}[{i}]", number) for i, number in enumerate(numbers))


def check_scalars(field: str, value: object) -> dict[str, Scalar]:
    """A mapping from names to strings, numbers, booleans or null."""
    checked: dict[str, Scalar] = {}
    for name, scalar in _bounded_mapping(field, value).items():
        where = f"{field}.{_named(name)}"
        check_id(where if name else field, name)
        if scalar is None or isinstance(scalar, bool):
            checked[name] = scalar
        elif isinstance(scalar, str):
            checked[name] = check_text(where, scalar)
        elif isinstance(scalar, int):
            if not -_MAX_INTEGER <= scalar <= _MAX_INTEGER:
                raise InvalidRecord(where, "must be an integer of at most 64 bits; send it as a string")
            checked[name] = scalar
        elif isinstance(scalar, float):
            checked[name] = check_number(where, scalar)
        else:
            _wrong_type(where, scalar, "a string, a number, a boolean or null")
    return checked


def read_time(field: str, value: object, unit: Unit = "ms") -> int:
    """A moment as UTC milliseconds, not yet held against any bounds.

    A number counts `unit`s since 1970; a string is ISO 8601, UTC where it names no zone; a datetime has a zone.
    """
    if isinstance(value, bool):
        _wrong_type(field, value, "a time")
    if isinstance(value, int):
        numerator, denominator = _PER_MILLISECOND[unit]
        return value * numerator // denominator
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRecord(field, f"must be finite, is {value}")
        numerator, denominator = _PER_MILLISECOND[unit]
        return round(value * numerator / denominator)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            shown = value if len(value) <= 40 else value[:40] + "..."
            raise InvalidRecord(field, f"must be a time as ISO 8601 writes it, is {shown!r}") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidRecord(field, "must be a datetime with a time zone")
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        _wrong_type(field, value, "a time: milliseconds since 1970, or ISO 8601")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def check_between(field: str, milliseconds: int, earliest: int, latest: int) -> int:
    """The time itself, if it lies in [earliest, latest]."""
    if earliest <= milliseconds <= latest:
        return milliseconds
    try:
        shown = format_time(milliseconds)
    except (OverflowError, ValueError, OSError):
        shown = "thousands of years away"
    raise InvalidRecord(
        field,
        f"must lie between {format_time(earliest)} and {format_time(latest)}, is {shown}"
        " (is it in another unit than was assumed?)",
    )


def derive_event_id(user_id: str, item_id: str, action: str, timestamp: int, *more: str) -> str:
    """The idempotency key of an event that came with a timestamp and without an id of its own.

    `more` is whatever else tells two events of a source apart. 128 bits of BLAKE2b, because a collision would drop an
    event, and the ids come from strangers.
    """
    content = msgspec.msgpack.encode((user_id, item_id, action, timestamp, *more))
    return "~" + hashlib.blake2b(content, digest_size=16).hexdigest()


class Validator:
    """Makes records of the fields that an application sends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._makers: dict[str, Callable[[Fields], Record]] = {
            "event": self.event,
            "seen": self.seen,
            "served": self.served,
            "user": self.user,
            "item": self.item,
            "relation": self.relation,
            "retraction": self.retraction,
        }

    def record(self, fields: object, default_event_id: str = "") -> Record:
        """The record of a mapping whose `kind` says what it is; `event` where it does not.

        `default_event_id` is for a record that has no `event_id` and none could be derived for: a request that is
        repeated with the same one changes nothing the second time.
        """
        if not isinstance(fields, Mapping):
            _wrong_type("record", fields, "an object")
        kind = fields.get("kind", "event")
        maker = self._makers.get(kind) if isinstance(kind, str) else None
        if maker is None:
            raise InvalidRecord("kind", f"must be one of {', '.join(self._makers)}, is {_shown(kind)}")
        record = maker({name: value for name, value in fields.items() if name != "kind"})
        if record.event_id or not default_event_id:
            return record
        return msgspec.structs.replace(record, event_id=default_event_id)

    def event(self, fields: Fields) -> Record:
        """`user_id` did `action` to `item_id`.

        Without an `event_id` one is derived from user, item, action and `timestamp`. With neither the event happens
        now and its `event_id` stays empty: it cannot be recognised when it comes again.
        """
        _known(fields, _EVENT)
        user_id, item_id = check_id("user_id", fields.get("user_id")), check_id("item_id", fields.get("item_id"))
        action = check_id("action", fields.get("action"))
        timestamp, event_id = self._identity(fields, user_id, item_id, action)
        value = fields.get("value")
        return Record(
            "event",
            timestamp,
            user_id,
            item_id,
            action,
            None if value is None else check_number("value", value),
            event_id,
            _optional_id(fields, "request_id") or "",
            check_scalars("context", _given(fields, "context", {})),
        )

    def seen(self, fields: Fields) -> Record:
        """`item_id` was shown to `user_id`; `outcomes` holds what followed, if all of it is known."""
        _known(fields, _SEEN)
        user_id, item_id = check_id("user_id", fields.get("user_id")), check_id("item_id", fields.get("item_id"))
        timestamp, event_id = self._identity(fields, user_id, item_id, "seen")
        given = fields.get("outcomes")
        outcomes = None if given is None else _bounded_mapping("outcomes", given)
        return Record(
            "seen",
            timestamp,
            user_id,
            item_id,
            event_id=event_id,
            request_id=_optional_id(fields, "request_id") or "",
            context=check_scalars("context", _given(fields, "context", {})),
            outcomes=None
            if outcomes is None
            else {
                check_id("outcomes", action): check_number(f"outcomes.{action}", value)
                for action, value in outcomes.items()
            },
        )

    def served(self, fields: Fields) -> Record:
        """The page of `request_id`, which an application has composed by itself and shown to `user_id`.

        `items` are ids, or objects with `item_id` and, where they are known, `position` (from 1; the place in the list
        where it is absent), `source` and `score`. A page that is reported again is the one that is known already.
        """
        _known(fields, _SERVED)
        user_id, request_id = (
            check_id("user_id", fields.get("user_id")),
            check_id("request_id", fields.get("request_id")),
        )
        items: dict[str, ServedItem] = {}
        for place, given in enumerate(_bounded_list("items", fields.get("items"), MAX_PAGE)):
            item = _served_item(f"items[{place}]", given, place + 1)
            if item.item_id in items:
                raise InvalidRecord(f"items[{place}]", f"{_shown(item.item_id)} stands on the page already")
            items[item.item_id] = item
        return Record(
            "served",
            self._moment(fields),
            user_id,
            event_id=served_event_id(request_id),
            request_id=request_id,
            context=check_scalars("context", _given(fields, "context", {})),
            body=Served(tuple(items.values()), check_id("surface", _given(fields, "surface", "feed"))),
        )

    def user(self, fields: Fields) -> Record:
        """An upsert: the whole of what the application says of `user_id`. It happens now if `timestamp` is absent."""
        _known(fields, _USER)
        body = User(
            created_at=self._optional_time(fields, "created_at", _YEAR_1800),
            interests=check_strings("interests", _given(fields, "interests", ())),
            attributes=check_scalars("attributes", _given(fields, "attributes", {})),
        )
        return Record("user", self._moment(fields), subject=check_id("user_id", fields.get("user_id")), body=body)

    def item(self, fields: Fields) -> Record:
        """An upsert: the whole of what the application says of `item_id`. It happens now if `timestamp` is absent."""
        _known(fields, _ITEM)
        duration, embedding = fields.get("duration"), fields.get("embedding")
        visible, audience = _given(fields, "visible", True), fields.get("audience")
        if not isinstance(visible, bool):
            _wrong_type("visible", visible, "true or false")
        if duration is not None and check_number("duration", duration) < 0:
            raise InvalidRecord("duration", f"must be seconds, 0 or more, is {_shown(duration)}")
        body = Item(
            title=check_text("title", _given(fields, "title", "")),
            author_id=_optional_id(fields, "author_id"),
            created_at=self._optional_time(fields, "created_at", _YEAR_1800),
            expires_at=self._optional_time(fields, "expires_at", 0, _YEAR_2200),
            categories=check_strings("categories", _given(fields, "categories", ())),
            tags=check_strings("tags", _given(fields, "tags", ())),
            text=check_text("text", _given(fields, "text", "")),
            duration=None if duration is None else check_number("duration", duration),
            embedding=None if embedding is None else check_embedding("embedding", embedding),
            attributes=check_scalars("attributes", _given(fields, "attributes", {})),
            visible=visible,
            audience=None if audience is None else _audience(audience),
        )
        return Record("item", self._moment(fields), object=check_id("item_id", fields.get("item_id")), body=body)

    def merged_user(self, user_id: str, current: User, fields: object) -> Record:
        """`current` changed by a JSON merge patch (RFC 7396): what is named replaces, null clears, and `attributes`
        merge name by name."""
        return self.user(_merged("user_id", user_id, current, fields, _USER))

    def merged_item(self, item_id: str, current: Item, fields: object) -> Record:
        """`current` changed by a JSON merge patch, as `merged_user`; `audience` merges name by name, too."""
        return self.item(_merged("item_id", item_id, current, fields, _ITEM))

    def relation(self, fields: Fields) -> Record:
        """`user_id` follows, blocks, ... (`action`) another user (`target_id`), or an object of `target_kind`."""
        return self._relation("relation", fields)

    def retraction(self, fields: Fields) -> Record:
        """With the action `delete`: the user or the item is removed. With another: that relation ends."""
        if fields.get("action") != DELETE:
            return self._relation("retraction", fields)
        _known(fields, _DELETION)
        user_id, item_id = _optional_id(fields, "user_id"), _optional_id(fields, "item_id")
        if (user_id is None) == (item_id is None):
            raise InvalidRecord("item_id", "a deletion names either user_id or item_id")
        return Record("retraction", self._moment(fields), user_id or "", item_id or "", DELETE)

    def time(self, field: str, value: object, unit: Unit = "ms") -> int:
        """When an event happened: `read_time`, between 1970 and five minutes from now."""
        return check_between(field, read_time(field, value, unit), 0, self._clock.now() + MAX_FUTURE)

    def _relation(self, kind: Literal["relation", "retraction"], fields: Fields) -> Record:
        _known(fields, _RELATION)
        user_id, target_id = check_id("user_id", fields.get("user_id")), check_id("target_id", fields.get("target_id"))
        action = check_id("action", fields.get("action"))
        if action == DELETE:
            raise InvalidRecord("action", f"{DELETE!r} is kept for deletions; choose another word")
        timestamp, event_id = self._identity(fields, user_id, target_id, f"{kind} {action}")
        target_kind = check_id("target_kind", _given(fields, "target_kind", "user"))
        return Record(kind, timestamp, user_id, target_id, action, event_id=event_id, object_kind=target_kind)

    def _identity(self, fields: Fields, user_id: str, item_id: str, action: str) -> tuple[int, str]:
        event_id = _optional_id(fields, "event_id")
        if fields.get("timestamp") is None:
            return self._clock.now(), event_id or ""
        timestamp = self._moment(fields)
        return timestamp, event_id or derive_event_id(user_id, item_id, action, timestamp)

    def _moment(self, fields: Fields) -> int:
        value = fields.get("timestamp")
        return self._clock.now() if value is None else self.time("timestamp", value)

    def _optional_time(self, fields: Fields, field: str, earliest: int, latest: int | None = None) -> int | None:
        value = fields.get(field)
        if value is None:
            return None
        return check_between(field, read_time(field, value), earliest, latest or self._clock.now() + MAX_FUTURE)


_EVENT = frozenset({"user_id", "item_id", "action", "value", "timestamp", "event_id", "request_id", "context"})
_SEEN = frozenset({"user_id", "item_id", "timestamp", "event_id", "request_id", "context", "outcomes"})
_SERVED = frozenset({"user_id", "request_id", "items", "surface", "timestamp", "context"})
_SERVED_ITEM = frozenset({"item_id", "position", "source", "score"})
_USER = frozenset({"user_id", "timestamp", *User.__struct_fields__})
_ITEM = frozenset({"item_id", "timestamp", *Item.__struct_fields__})
_RELATION = frozenset({"user_id", "target_id", "target_kind", "action", "timestamp", "event_id"})
_DELETION = frozenset({"user_id", "item_id", "action", "timestamp"})


def _known(fields: Fields, names: frozenset[str]) -> None:
    for name in fields:
        if name not in names:
            home = " (what is your own goes into context)" if "context" in names else ""
            home = " (what is your own goes into attributes)" if "attributes" in names else home
            raise InvalidRecord(_named(name), f"unknown field{home}; known are {', '.join(sorted(names))}")


def _optional_id(fields: Fields, field: str) -> str | None:
    value = fields.get(field)
    return None if value is None else check_id(field, value)


def _given(fields: Fields, field: str, default: object) -> object:
    """What a field holds; null is as good as absent."""
    value = fields.get(field)
    return default if value is None else value


def _served_item(where: str, value: object, position: int) -> ServedItem:
    if not isinstance(value, Mapping):
        return ServedItem(check_id(where, value), position)
    for name in value:
        if name not in _SERVED_ITEM:
            known = ", ".join(sorted(_SERVED_ITEM))
            raise InvalidRecord(f"{where}.{_named(name)}", f"unknown field; known are {known}")
    item_id = check_id(f"{where}.item_id", value.get("item_id"))
    source = value.get("source")
    return ServedItem(
        item_id,
        _whole(f"{where}.position", _given(value, "position", position)),
        score=check_number(f"{where}.score", _given(value, "score", 0.0)),
        sources=() if source is None else (check_id(f"{where}.source", source),),
    )


def _whole(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_INTEGER:
        raise InvalidRecord(field, f"must be a whole number of at least 1, is {_shown(value)}")
    return value


def _merged(id_field: str, name: str, current: User | Item, fields: object, known: frozenset[str]) -> Fields:
    if not isinstance(fields, Mapping):
        _wrong_type("record", fields, "an object")
    _known(fields, known)
    if fields.get(id_field, name) != name:
        raise InvalidRecord(id_field, f"must be {name!r}, which is changed here, or absent; ids do not change")
    target = {field: value for field, value in msgspec.to_builtins(current).items() if field in known}
    return {**_merge_patch(target, fields, depth=3), id_field: name}


def _merge_patch(target: object, patch: Mapping[str, object], depth: int) -> dict[str, object]:
    """RFC 7396, section 2, as deep as a record can be: what is deeper is refused later."""
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and depth > 1:
            merged[name] = _merge_patch(merged.get(name), value, depth - 1)
        else:
            merged[name] = value
    return merged


def _audience(value: object) -> Audience:
    fields = _bounded_mapping("audience", value)
    for name in fields:
        if name not in Audience.__struct_fields__:
            raise InvalidRecord(f"audience.{_named(name)}", "unknown field; known are users, attributes, max_views")
    most = None if fields.get("max_views") is None else _whole("audience.max_views", fields["max_views"])
    attributes = {
        check_id("audience.attributes", name): check_strings(f"audience.attributes.{name}", values)
        for name, values in _bounded_mapping("audience.attributes", _given(fields, "attributes", {})).items()
    }
    return Audience(check_strings("audience.users", _given(fields, "users", ())), attributes, most)


def _bounded_list(field: str, value: object, limit: int) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        _wrong_type(field, value, "a list")
    if len(value) > limit:
        raise InvalidRecord(field, f"must have at most {limit:,} entries, has {len(value):,}")
    return value


def _bounded_mapping(field: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        _wrong_type(field, value, "an object")
    if len(value) > MAX_LIST:
        raise InvalidRecord(field, f"must have at most {MAX_LIST:,} entries, has {len(value):,}")
    for name in value:
        if not isinstance(name, str):
            _wrong_type(field, name, "an object whose names are strings")
    return value


def _encoded(field: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(field, f"cannot be written in UTF-8 (character {error.start})") from None


def _wrong_type(field: str, value: object, wanted: str) -> NoReturn:
    if value is None:
        raise InvalidRecord(field, f"is missing; it must be {wanted}")
    shown = "" if isinstance(value, Mapping | list | tuple) else f" ({_shown(value)})"
    raise InvalidRecord(field, f"must be {wanted}, is {type(value).__name__}{shown}")


def _shown(value: object) -> str:
    """A value as a message names it: short, whatever it is. What `repr` gives may be endless, or too deep to be had."""
    if isinstance(value, str):
        return f"{value[:40]!r}"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Mapping | list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r:.40}"


def _named(name: object) -> str:
    """The name of a field that a stranger chose, so that it can stand in an answer."""
    if isinstance(name, str) and name:
        return name[:60].encode(errors="backslashreplace").decode()
    return _shown(name)
