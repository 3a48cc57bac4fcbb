"""Tables of events, items and users become records; what does not fit is told line by line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from feedmill.domain.errors import InvalidArgument, InvalidFile
from feedmill.domain.records import Item, User
from feedmill.stream.importing.tabular import TabularSource
from feedmill.stream.validation import derive_event_id

Write = Callable[[str, "str | bytes"], Path]
T = 1_600_000_000_000


def rejects(path: str | None) -> list[tuple[int, str, str, str]]:
    assert path is not None
    rows = [msgspec.json.decode(line) for line in Path(path).read_bytes().splitlines()]
    return [(row["line"], row["field"], row["reason"], row["row"]) for row in rows]


def test_events_are_read_by_guessed_columns_in_the_order_of_time(place, write: Write) -> None:
    path = write(
        "events.csv",
        "uid,movieId,stars,ts,device\nu1,m1,4.5,1600000001,tv\nu2,m1,2,1600000000,\nu1,m2,3,1600000001,phone\n",
    )
    result = place.run(TabularSource(path, "events", place.clock))
    assert result.mapping == {
        "uid": "user_id",
        "movieId": "item_id",
        "stars": "value",
        "ts": "timestamp",
        "device": "context",
    }
    assert result.timestamp_unit == "s"
    assert (result.read, result.accepted, result.rejected, result.unrecognisable) == (3, 3, 0, 0)
    assert (result.first_timestamp, result.last_timestamp) == (T, T + 1000)
    found = [(r.subject, r.object, r.action, r.value, r.timestamp, r.context) for r in place.records()]
    assert found == [
        ("u2", "m1", "rating", 2.0, T, {}),
        ("u1", "m1", "rating", 4.5, T + 1000, {"device": "tv"}),
        ("u1", "m2", "rating", 3.0, T + 1000, {"device": "phone"}),
    ]
    assert place.records()[0].event_id == derive_event_id("u2", "m1", "rating", T)
    assert result.objectives["like"].threshold == 3.5


def test_a_file_imported_again_adds_nothing(place, write: Write) -> None:
    path = write("e.csv", "user,item,event,time\nu,i,like,2020-01-01\nu,j,like,2020-01-02\nu,i,like,2020-01-01\n")
    first = place.run(TabularSource(path, "events", place.clock))
    again = place.run(TabularSource(path, "events", place.clock))
    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates, place.log.end()) == (0, 3, 2)


def test_events_with_neither_id_nor_time_are_counted_as_unrecognisable(place, write: Write) -> None:
    path = write("e.csv", "user,item,event_id,time\nu,i,,\nu,i,e1,\nu,i,,2020-01-01\n")
    result = place.run(TabularSource(path, "events", place.clock))
    assert (result.accepted, result.unrecognisable) == (3, 1)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1600000000", "s"),
        ("1600000000.000", "s"),
        ("1600000000000", "ms"),
        ("1600000000000000", "us"),
        ("1600000000000000000", "ns"),
        ("2020-09-13T12:26:40Z", "iso"),
        ("2020-09-13 12:26:40", "iso"),
    ],
)
def test_the_unit_of_times_is_guessed_from_their_size(place, write: Write, text: str, unit: str) -> None:
    source = TabularSource(write("e.csv", f"user,item,time\nu,i,{text}\n"), "events", place.clock)
    result = place.run(source)
    assert (result.timestamp_unit, result.first_timestamp) == (unit, T)


def test_days_are_times(place, write: Write) -> None:
    result = place.run(TabularSource(write("e.csv", "user,item,date\nu,i,20200913\n"), "events", place.clock))
    assert (result.timestamp_unit, result.first_timestamp) == ("date", 1_599_955_200_000)


def test_every_bad_row_goes_with_its_line_and_reason_and_the_rest_goes_in(place, write: Write) -> None:
    lines = [
        b"uid,item,action,rating,ts",
        b"u1,i1,rate,5,1600000000",
        b",i1,rate,5,1600000000",
        b"u" * 300 + b",i1,rate,5,1600000000",
        b"u1,i1,rate,five,1600000000",
        b"u1,i1,rate,nan,1600000000",
        b"u1,i1,rate,inf,1600000000",
        b"u1,i1,rate,5,soon",
        b"u1,i1,rate,5,99999999999",
        b"u1,i1,rate",
        b"u1,\xff,rate,5,1600000000",
        b'u1,"i\n\n1",rate,5,-5',
        b'u1,"i1,rate,5,1600000000',
        b"u2,i1,rate,4,1600000000",
    ]
    result = place.run(TabularSource(write("e.csv", b"\n".join(lines) + b"\n"), "events", place.clock))
    assert (result.read, result.accepted, result.rejected) == (13, 2, 11)
    found = rejects(result.rejects)
    assert [(line, field) for line, field, _, _ in found] == [
        (3, "uid"),
        (4, "uid"),
        (5, "rating"),
        (6, "rating"),
        (7, "rating"),
        (8, "ts"),
        (9, "ts"),
        (10, ""),
        (11, ""),
        (12, "ts"),
        (15, ""),
    ]
    reasons = [reason for _, _, reason, _ in found]
    assert "1 to 256 bytes of UTF-8, is 300" in reasons[1]
    assert "must be a number, is 'five'" in reasons[2]
    assert "must be finite" in reasons[3]
    assert "must be a time as ISO 8601 writes it, is 'soon'" in reasons[5]
    assert "must lie between 1970-01-01" in reasons[6]
    assert found[9][3] == 'u1,"i\n\n1",rate,5,-5'


def test_columns_are_overridden_and_ignored_as_told(place, write: Write) -> None:
    path = write("e.csv", "a,b,user,junk\nu,i,7,8\n")
    told = {"a": "user_id", "b": "item_id", "user": "context", "junk": "ignore"}
    place.run(TabularSource(path, "events", place.clock, told))
    (record,) = place.records()
    assert (record.subject, record.object, record.context, record.action) == ("u", "i", {"user": 7}, "interaction")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"nope": "user_id"}, "no column 'nope'; the columns are user, item"),
        ({"user": "customer"}, "no field 'customer'; the fields are user_id, item_id"),
        ({"user": "item_id", "item": "item_id"}, "has a column already"),
        ({"user": "context"}, "no column is known to be user_id"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(place, write: Write, told: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        TabularSource(write("e.csv", "user,item\nu,i\n"), "events", place.clock, told)


def test_json_lines_keep_their_types_and_columns_that_come_later(place, write: Write) -> None:
    path = write(
        "e.jsonl",
        '{"user_id": 7, "item_id": "i", "action": "view", "value": 2.5, "timestamp": 1600000000000, "hd": true}\n'
        "\n"
        '{"user_id": 7}\n'
        "[1]\n"
        "{broken\n"
        '{"user_id": "u", "item_id": 8.0, "action": "view", "new": [1, 2], "timestamp": "2020-09-13T12:26:40Z"}\n',
    )
    result = place.run(TabularSource(path, "events", place.clock))
    assert [(line, field) for line, field, _, _ in rejects(result.rejects)] == [
        (3, "item_id"),
        (4, ""),
        (5, ""),
    ]
    found = [(r.subject, r.object, r.value, r.timestamp, r.context) for r in place.records()]
    assert found == [("7", "i", 2.5, T, {"hd": True}), ("u", "8", None, T, {"new": "[1,2]"})]


def test_parquet_is_read_with_its_types(place, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [1, 2, None],
            "item_id": ["a", "b", "c"],
            "timestamp": [datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC).replace(tzinfo=None)] * 3,
            "price": [1.5, None, 2.0],
        }
    )
    frame.write_parquet(tmp_path / "e.parquet")
    result = place.run(TabularSource(tmp_path / "e.parquet", "events", place.clock))
    assert (result.read, result.accepted, result.rejected, result.first_timestamp) == (3, 2, 1, T)
    assert [(r.subject, r.context) for r in place.records()] == [("1", {"price": 1.5}), ("2", {})]
    ((line, field, _, _),) = rejects(result.rejects)
    assert (line, field) == (3, "user_id")


def test_impressions_are_seen_and_flags_beside_them_are_what_followed(place, write: Write) -> None:
    shown = write("shown.csv", "user,item,action,time\nu,i,impression,1600000000\nu,i,click,1600000001\n")
    place.run(TabularSource(shown, "events", place.clock))
    assert [(r.kind, r.action, r.outcomes) for r in place.records()] == [("seen", "", None), ("event", "click", None)]
    joined = write("joined.csv", "user,item,time,is_click,play_time_ms\nv,i,1600000000,1,1500\nv,j,1600000000,0,0\n")
    result = place.run(TabularSource(joined, "events", place.clock))
    assert [r.outcomes for r in place.records() if r.subject == "v"] == [{"click": 1.0, "play_time": 1.5}, {}]
    assert next(iter(result.objectives)) == "click"


def test_items_are_upserts_with_lists_times_and_attributes(place, write: Write) -> None:
    path = write(
        "items.csv",
        "id,name,genres,release_date,zip,price,embedding,active\n"
        'i1,Toy Story,Comedy|Drama,1995-11-22,01234,3,"[1, 2.5]",1\n'
        "i2,Old,,1902-01-01,99999,4.5,0.5 1,0\n"
        "i3,,Comedy,,,,,\n",
    )
    result = place.run(TabularSource(path, "items", place.clock))
    assert (result.read, result.accepted, result.objectives) == (3, 3, {})
    assert place.catalog.items(["i1", "i2", "i3"]) == {
        "i1": Item(
            title="Toy Story",
            created_at=816_998_400_000,
            categories=("Comedy", "Drama"),
            embedding=(1.0, 2.5),
            attributes={"zip": "01234", "price": 3.0},
        ),
        "i2": Item(
            title="Old",
            created_at=-2_145_916_800_000,
            embedding=(0.5, 1.0),
            attributes={"zip": "99999", "price": 4.5},
            visible=False,
        ),
        "i3": Item(categories=("Comedy",)),
    }
    assert [(r.object, r.timestamp) for r in place.records()] == [
        ("i2", 0),
        ("i1", 816_998_400_000),
        ("i3", place.clock.now()),
    ]
    again = place.run(TabularSource(path, "items", place.clock))
    assert (again.accepted, again.unchanged, place.log.end()) == (0, 3, 3)


def test_users_are_upserts_with_interests_and_attributes(place, write: Write) -> None:
    content = "user_id,age,premium,interests\nu1,30,true,chess;go\nu2,x,false,\n"
    path = write("users.csv.gz", gzip.compress(content.encode()))
    result = place.run(TabularSource(path, "users", place.clock))
    assert result.accepted == 2
    assert place.catalog.user("u1") == User(interests=("chess", "go"), attributes={"age": "30", "premium": True})
    assert place.catalog.user("u2") == User(attributes={"age": "x", "premium": False})


def test_a_text_of_a_million_characters_is_rejected_with_the_limit(place, write: Write) -> None:
    text = "x" * 1_000_000
    path = write("items.jsonl", f'{{"item_id": "a", "text": "{text}"}}\n{{"item_id": "b", "text": "y"}}\n')
    result = place.run(TabularSource(path, "items", place.clock))
    assert (result.accepted, result.rejected) == (1, 1)
    ((line, field, reason, _),) = rejects(result.rejects)
    assert (line, field) == (1, "text")
    assert "at most 100,000 characters long, is 1,000,000" in reason


def test_a_header_without_rows_is_an_empty_import(place, write: Write) -> None:
    result = place.run(TabularSource(write("e.csv", "user,item\n"), "events", place.clock))
    assert (result.read, result.accepted, result.first_timestamp, result.rejects) == (0, 0, None, None)


def test_a_file_that_is_cut_short_leaves_the_log_as_it_was(place, write: Write) -> None:
    rows = "".join(f"u{n},i{n * 7919 % 1000},{1_600_000_000 + n * 31 % 997}\n" for n in range(60_000))
    whole = gzip.compress(f"user,item,time\n{rows}".encode())
    source = TabularSource(write("e.csv.gz", whole[:-1000]), "events", place.clock)
    with pytest.raises(InvalidFile, match="cut short"):
        place.run(source)
    assert place.log.end() == 0
