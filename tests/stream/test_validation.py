"""What an application sends becomes records, or an error that names the field."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.clock import MINUTE, ManualClock
from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import (
    Audience,
    Item,
    Record,
    Served,
    ServedItem,
    User,
    decode_record,
    encode_record,
    served_event_id,
)
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
        ({"title": 0}, "title", "must be a string, is int (0)"),
        ({"tags": ""}, "tags", "must be a list"),
        ({"attributes": []}, "attributes", "must be an object, is list"),
        ({"title": 10**5000}, "title", "is int (an integer of 16610 bits)"),
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
    follow = {"user_id": "u", "target_id": "v", "action": "follow", "timestamp": NOW}
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
    with pytest.raises(InvalidRecord, match=r"kind: must be one of event, seen, served, user"):
        validator.record({"kind": "heartbeat"})
    with pytest.raises(InvalidRecord, match="must be an object"):
        validator.record([1])


PAGE: dict[str, Any] = {"user_id": "u1", "request_id": "r1", "items": ["a", "b"]}


def test_a_page_that_an_application_composed_becomes_a_served_record(validator: Validator) -> None:
    items = ["a", {"item_id": "b", "position": 7, "source": "editors", "score": 2}, {"item_id": "c", "score": None}]
    record = validator.record(
        {**PAGE, "kind": "served", "items": items, "surface": "wall", "timestamp": NOW - 5, "context": {"tab": 1}}
    )
    page = (ServedItem("a", 1), ServedItem("b", 7, score=2.0, sources=("editors",)), ServedItem("c", 3))
    assert record == Record(
        "served", NOW - 5, "u1", event_id="served\0r1", request_id="r1", context={"tab": 1}, body=Served(page, "wall")
    )
    assert validator.served(PAGE).body == Served((ServedItem("a", 1), ServedItem("b", 2)), "feed")
    assert validator.served({**PAGE, "items": []}).body == Served(())


def test_a_page_is_known_by_its_request_and_no_event_can_claim_its_id(validator: Validator) -> None:
    again = validator.served({**PAGE, "items": ["c"], "timestamp": NOW - 1})
    assert validator.served(PAGE).event_id == again.event_id == served_event_id("r1")
    with pytest.raises(InvalidRecord, match="event_id: must not contain a NUL"):
        validator.event({**EVENT, "event_id": served_event_id("r1")})


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"request_id": None}, "request_id", "is missing"),
        ({"user_id": ""}, "user_id", "1 to 256 bytes"),
        ({"items": None}, "items", "is missing; it must be a list"),
        ({"items": "ab"}, "items", "must be a list"),
        ({"items": [f"i{n}" for n in range(1001)]}, "items", "at most 1,000 entries, has 1,001"),
        ({"items": ["a", 7]}, "items[1]", "must be a string, is int (7)"),
        ({"items": ["a", {}]}, "items[1].item_id", "is missing"),
        ({"items": ["a", {"item_id": "a"}]}, "items[1]", "'a' stands on the page already"),
        ({"items": [{"item_id": "a", "position": 0}]}, "items[0].position", "a whole number of at least 1, is 0"),
        ({"items": [{"item_id": "a", "position": True}]}, "items[0].position", "is True"),
        ({"items": [{"item_id": "a", "score": math.nan}]}, "items[0].score", "finite"),
        ({"items": [{"item_id": "a", "source": 1}]}, "items[0].source", "must be a string"),
        (
            {"items": [{"item_id": "a", "colour": "red"}]},
            "items[0].colour",
            "known are item_id, position, score, source",
        ),
        ({"surface": ""}, "surface", "1 to 256 bytes"),
        ({"timestamp": -1}, "timestamp", "must lie between"),
        ({"context": {"a": []}}, "context.a", "must be a string"),
        ({"event_id": "e"}, "event_id", "unknown field"),
    ],
)
def test_a_page_that_is_wrong_names_the_field(
    validator: Validator, change: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidRecord) as caught:
        validator.served({**PAGE, **change})
    assert caught.value.field == field
    assert reason in caught.value.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**60, 2**70) | st.floats() | st.text()
    | st.sampled_from([NOW, "u1", "i1", "like", "delete", "2022-04-28", 10**400, "\ud800", "a\0b"]),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=5), deeper, max_size=3),
    max_leaves=8,
)  # fmt: skip
KINDS = ["event", "seen", "served", "user", "item", "relation", "retraction"]
NAMES = [
    "user_id", "item_id", "target_id", "target_kind", "action", "value", "timestamp", "event_id", "request_id",
    "context", "outcomes", "items", "surface", "title", "tags", "audience", "attributes", "created_at", "embedding",
]  # fmt: skip
VALID: dict[str, dict[str, Any]] = {
    "event": EVENT,
    "seen": {"user_id": "u1", "item_id": "i1"},
    "served": PAGE,
    "user": {"user_id": "u1"},
    "item": {"item_id": "i1"},
    "relation": {"user_id": "u1", "target_id": "u2", "action": "follow"},
    "retraction": {"user_id": "u1", "action": "delete"},
}
PAGE_ITEMS = st.lists(st.dictionaries(st.sampled_from(["item_id", "position", "source", "score"]), JSON), max_size=3)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=4), PAGE_ITEMS | JSON)
def test_whatever_comes_is_a_record_that_can_be_stored_or_an_error_that_names_a_field(
    kind: str, fields: dict[str, Any], items: Any
) -> None:
    mixed = {"kind": kind, **VALID[kind], **fields}
    if kind == "served" and items is not None:
        mixed["items"] = items
    refused = []
    for sent in (mixed, {"kind": kind, **fields}, fields, items):
        try:
            record = Validator(ManualClock(NOW)).record(sent)
        except InvalidRecord as error:
            refused.append((error.field, str(error)))
        else:
            assert decode_record(encode_record(record)) == record
    assert all(field and message.encode() for field, message in refused)


def test_nesting_that_has_no_end_is_refused_like_any_other_value(validator: Validator) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for sent in (deep, {**EVENT, "action": deep}, {**EVENT, "kind": deep}, {**EVENT, "context": {"a": deep}}):
        with pytest.raises(InvalidRecord):
            validator.record(sent)
    with pytest.raises(InvalidRecord, match="title: must be a string, is list"):
        validator.merged_item("i", Item(), {"title": deep})


def test_null_is_as_good_as_absent(validator: Validator) -> None:
    names = ["title", "text", "tags", "categories", "attributes", "visible", "audience", "embedding", "duration"]
    assert validator.item({"item_id": "i", **dict.fromkeys(names)}).body == Item()


def test_a_change_of_an_item_replaces_what_it_names_and_clears_what_is_null(validator: Validator) -> None:
    current = Item(
        title="Old", author_id="a", tags=("x", "y"), duration=3.0, visible=False,
        attributes={"colour": "red", "price": 3, "odd": None},
        audience=Audience(("u1",), {"country": ("de",), "age": ("30",)}, 3),
    )  # fmt: skip
    changes = {
        "title": "New", "tags": ["z"], "duration": None, "visible": None, "attributes": {"price": None, "size": 9},
        "audience": {"max_views": None, "attributes": {"age": None, "city": ["bonn"]}}, "timestamp": NOW - 7,
    }  # fmt: skip
    record = validator.merged_item("i1", current, changes)
    assert (record.kind, record.object, record.timestamp) == ("item", "i1", NOW - 7)
    assert record.body == Item(
        title="New", author_id="a", tags=("z",), attributes={"colour": "red", "odd": None, "size": 9},
        audience=Audience(("u1",), {"country": ("de",), "city": ("bonn",)}),
    )  # fmt: skip
    assert validator.merged_item("i1", current, {}).body == current
    assert validator.merged_item("i1", current, {"attributes": None, "audience": None}).body == Item(
        title="Old", author_id="a", tags=("x", "y"), duration=3.0, visible=False
    )
    assert validator.merged_item("i1", Item(), {"attributes": {"a": None, "b": 1}}).body == Item(attributes={"b": 1})


def test_a_change_of_a_user_leaves_what_it_does_not_name(validator: Validator) -> None:
    current = User(created_at=5, interests=("chess",), attributes={"age": 30})
    record = validator.merged_user("u1", current, {"attributes": {"city": "bonn"}})
    assert (record.kind, record.subject) == ("user", "u1")
    assert record.body == User(created_at=5, interests=("chess",), attributes={"age": 30, "city": "bonn"})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ([1], "record"),
        ({"price": 3}, "price"),
        ({"price": None}, "price"),
        ({"item_id": "i2"}, "item_id"),
        ({"type": "user"}, "type"),
        ({"attributes": {"size": {"w": 1}}}, "attributes.size"),
        ({"attributes": "red"}, "attributes"),
        ({"duration": -1}, "duration"),
    ],
)
def test_a_change_that_is_wrong_names_the_field(validator: Validator, changes: object, field: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        validator.merged_item("i1", Item(title="Old"), changes)
    assert caught.value.field == field


def test_a_retried_event_without_id_and_time_is_known_by_the_id_of_its_request(validator: Validator) -> None:
    now = {"user_id": "u", "item_id": "i", "action": "like"}
    assert validator.record(now, "retry-1").event_id == "retry-1"
    assert validator.record({**now, "event_id": "mine"}, "retry-1").event_id == "mine"
    assert validator.record({**now, "timestamp": NOW}, "retry-1").event_id == derive_event_id("u", "i", "like", NOW)
    assert validator.record({**PAGE, "kind": "served"}, "retry-1").event_id == served_event_id("r1")
