"""What an application sends becomes records, or an error that names the field."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from feedmill.domain.clock import MINUTE, ManualClock
from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import Audience, Item, Record, User, decode_record, encode_record
from feedmill.stream.validation import Validator, derive_event_id, read_time

NOW = 1_651_161_600_000  # 2022-04-28T16:00:00Z
EVENT: dict[str, Any] = {"user_id": "u1", "item_id": "i1", "action": "like", "timestamp": NOW}


@pytest.fixture
def validator() -> Validator:
    return Validator(ManualClock(NOW))


def test_a_valid_event_becomes_the_record_of_its_fields(validator: Validator) -> None:
    record = validator.event({**EVENT, "value": 3, "context": {"tab": "1", "wifi": True}, "request_id": "r"})
    assert record == Record(
        "event",
        NOW,
        "u1",
        "i1",
        "like",
        3.0,
        derive_event_id("u1", "i1", "like", NOW),
        "r",
        {"tab": "1", "wifi": True},
    )


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"user_id": ""}, "user_id", "1 to 256 bytes of UTF-8, is 0"),
        ({"user_id": "u" * 300}, "user_id", "is 300"),
        ({"item_id": "é" * 129}, "item_id", "is 258"),
        ({"item_id": 7}, "item_id", "must be a string, is int"),
        ({"item_id": None}, "item_id", "is missing"),
        ({"item_id": "a\0b"}, "item_id", "NUL"),
        ({"item_id": "\ud800"}, "item_id", "UTF-8"),
        ({"action": ["like"]}, "action", "must be a string, is list"),
        ({"value": math.nan}, "value", "must be finite"),
        ({"value": math.inf}, "value", "must be finite"),
        ({"value": 1e39}, "value", "must be finite"),
        ({"value": 10**400}, "value", "must be finite"),
        ({"value": "3"}, "value", "must be a number, is str"),
        ({"value": True}, "value", "must be a number, is bool"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp", "is 0001-01-01"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp", "is 9999-12-31"),
        ({"timestamp": 10**400}, "timestamp", "thousands of years"),
        ({"timestamp": -1}, "timestamp", "must lie between 1970-01-01T00:00:00Z and 2022-04-28T16:05:00Z"),
        ({"timestamp": math.nan}, "timestamp", "must be finite"),
        ({"timestamp": "yesterday"}, "timestamp", "ISO 8601"),
        ({"timestamp": datetime(2022, 1, 1)}, "timestamp", "time zone"),  # noqa: DTZ001
        ({"timestamp": True}, "timestamp", "must be a time"),
        ({"context": {"a": [1]}}, "context.a", "must be a string, a number"),
        ({"context": {"a": math.inf}}, "context.a", "finite"),
        ({"context": {"a": 2**70}}, "context.a", "64 bits"),
        ({"context": {"a": "x" * 1_000_000}}, "context.a", "at most 100,000 characters long, is 1,000,000"),
        ({"context": {1: "a"}}, "context", "names are strings"),
        ({"context": "tab"}, "context", "must be an object"),
        ({"colour": "red"}, "colour", "unknown field (what is your own goes into context)"),
    ],
)
def test_an_event_that_is_wrong_names_the_field(
    validator: Validator, change: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidRecord) as caught:
        validator.event({**EVENT, **change})
    assert caught.value.field == field
    assert reason in caught.value.problem


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"text": "x" * 1_000_000}, "text", "at most 100,000 characters long, is 1,000,000"),
        ({"title": 5}, "title", "must be a string"),
        ({"tags": "comedy"}, "tags", "must be a list"),
        ({"tags": ["a", ""]}, "tags[1]", "1 to 256 bytes"),
        ({"categories": [1]}, "categories[0]", "must be a string"),
        ({"tags": ["t"] * 1001}, "tags", "at most 1,000 entries, has 1,001"),
        ({"embedding": [1.0, math.nan]}, "embedding[1]", "finite"),
        ({"embedding": [0.0] * 4097}, "embedding", "at most 4,096"),
        ({"embedding": []}, "embedding", "must not be empty"),
        ({"duration": -1}, "duration", "0 or more"),
        ({"visible": "yes"}, "visible", "true or false"),
        ({"created_at": "9999-01-01"}, "created_at", "is 9999"),
        ({"expires_at": "9999-01-01"}, "expires_at", "is 9999"),
        ({"audience": {"max_views": 0}}, "audience.max_views", "at least 1"),
        ({"audience": {"who": []}}, "audience.who", "unknown field"),
        ({"attributes": {"size": {"w": 1}}}, "attributes.size", "must be a string"),
        ({"price": 3}, "price", "goes into attributes"),
    ],
)
def test_an_item_that_is_wrong_names_the_field(
    validator: Validator, change: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidRecord) as caught:
        validator.item({"item_id": "i1", **change})
    assert caught.value.field == field
    assert reason in caught.value.problem


def test_ids_of_1_and_of_256_bytes_are_taken(validator: Validator) -> None:
    record = validator.event({**EVENT, "user_id": "u", "item_id": "é" * 128})
    assert (record.subject, record.object) == ("u", "é" * 128)


def test_an_event_may_be_five_minutes_ahead_and_no_more(validator: Validator) -> None:
    assert validator.event({**EVENT, "timestamp": NOW + 5 * MINUTE}).timestamp == NOW + 5 * MINUTE
    with pytest.raises(InvalidRecord):
        validator.event({**EVENT, "timestamp": NOW + 5 * MINUTE + 1})


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (NOW, "ms"),
        (NOW // 1000, "s"),
        (NOW / 1000, "s"),
        (NOW * 1000, "us"),
        (NOW * 1_000_000, "ns"),
        ("2022-04-28T16:00:00Z", "ms"),
        ("2022-04-28 16:00:00", "ms"),
        ("2022-04-29T00:00:00+08:00", "ms"),
        (datetime(2022, 4, 28, 16, tzinfo=UTC), "ms"),
        (datetime(2022, 4, 29, 0, tzinfo=timezone(timedelta(hours=8))), "ms"),
    ],
)
def test_a_moment_can_be_written_in_many_ways(value: object, unit: Any) -> None:
    assert read_time("timestamp", value, unit) == NOW


def test_milliseconds_of_iso_times_are_kept_exactly() -> None:
    assert read_time("timestamp", "2022-04-28T16:00:00.437Z") == NOW + 437


def test_a_derived_event_id_covers_user_item_action_and_timestamp() -> None:
    same = derive_event_id("u", "i", "like", 5)
    others = {
        derive_event_id("v", "i", "like", 5),
        derive_event_id("u", "j", "like", 5),
        derive_event_id("u", "i", "hide", 5),
        derive_event_id("u", "i", "like", 6),
        derive_event_id("ui", "", "like", 5),
        derive_event_id("u", "i", "like", 5, "tag"),
    }
    assert derive_event_id("u", "i", "like", 5) == same
    assert len(others | {same}) == 7


def test_an_event_with_its_own_id_keeps_it(validator: Validator) -> None:
    assert validator.event({**EVENT, "event_id": "e7"}).event_id == "e7"


def test_an_event_with_neither_id_nor_timestamp_happens_now_and_cannot_be_recognised(validator: Validator) -> None:
    record = validator.event({"user_id": "u", "item_id": "i", "action": "like"})
    assert (record.timestamp, record.event_id) == (NOW, "")


def test_an_item_keeps_everything_that_is_said_of_it(validator: Validator) -> None:
    record = validator.item(
        {
            "item_id": "i1",
            "title": "Toy Story",
            "author_id": "pixar",
            "created_at": "1995-11-22",
            "expires_at": 7_000_000_000_000,
            "categories": ["Comedy"],
            "tags": ["toys", "1995"],
            "duration": 4860,
            "embedding": [0.5, -1],
            "attributes": {"colour": "red", "price": 3.5, "nothing": None},
            "visible": False,
            "audience": {"users": ["u1"], "attributes": {"country": ["de"]}, "max_views": 3},
        }
    )
    assert record.object == "i1"
    assert record.body == Item(
        title="Toy Story",
        author_id="pixar",
        created_at=816_998_400_000,
        expires_at=7_000_000_000_000,
        categories=("Comedy",),
        tags=("toys", "1995"),
        duration=4860.0,
        embedding=(0.5, -1.0),
        attributes={"colour": "red", "price": 3.5, "nothing": None},
        visible=False,
        audience=Audience(("u1",), {"country": ("de",)}, 3),
    )
    assert decode_record(encode_record(record)) == record


def test_an_item_may_be_older_than_1970(validator: Validator) -> None:
    record = validator.item({"item_id": "i", "created_at": "1902-01-01"})
    assert isinstance(record.body, Item)
    assert record.body.created_at == -2_145_916_800_000


def test_a_user_keeps_interests_and_attributes(validator: Validator) -> None:
    record = validator.user({"user_id": "u", "interests": ["chess"], "attributes": {"age": 30}})
    assert (record.subject, record.body) == ("u", User(interests=("chess",), attributes={"age": 30}))


def test_seen_tells_what_followed_only_where_that_is_known(validator: Validator) -> None:
    shown = {"user_id": "u", "item_id": "i", "timestamp": NOW}
    assert validator.seen(shown).outcomes is None
    assert validator.seen({**shown, "outcomes": {}}).outcomes == {}
    assert validator.seen({**shown, "outcomes": {"click": 1}}).outcomes == {"click": 1.0}
    with pytest.raises(InvalidRecord, match=r"outcomes\.click"):
        validator.seen({**shown, "outcomes": {"click": "yes"}})


def test_relations_and_their_end_are_told_apart(validator: Validator) -> None:
    follow = {"user_id": "u", "target_id": "v", "action": "follows", "timestamp": NOW}
    begun, ended = validator.relation(follow), validator.retraction(follow)
    assert (begun.kind, begun.subject, begun.object, begun.object_kind) == ("relation", "u", "v", "user")
    assert ended.kind == "retraction"
    assert begun.event_id != ended.event_id


def test_a_deletion_names_one_user_or_one_item(validator: Validator) -> None:
    record = validator.record({"kind": "retraction", "action": "delete", "item_id": "i"})
    assert (record.kind, record.action, record.object, record.subject) == ("retraction", "delete", "i", "")
    for both in ({}, {"user_id": "u", "item_id": "i"}):
        with pytest.raises(InvalidRecord, match="either"):
            validator.retraction({"action": "delete", **both})


def test_a_record_of_no_known_kind_is_refused(validator: Validator) -> None:
    with pytest.raises(InvalidRecord, match=r"kind: must be one of event, seen"):
        validator.record({"kind": "served"})
    with pytest.raises(InvalidRecord, match="must be an object"):
        validator.record([1])
