"""Records go through their bytes, and old bytes can still be read."""

from __future__ import annotations

import msgspec
import pytest

from feedmill.domain.records import Audience, Item, Record, Served, ServedItem, User, decode_record, encode_record

RECORDS = [
    Record("event", 1, "u", "i", "like", 1.0, "e", "r", {"surface": "home", "n": 3, "x": None, "b": True}),
    Record("seen", 2, "u", "i", outcomes={"view": 12.5}),
    Record("item", 3, object="i", body=Item("t", "a", 1, 2, ("c",), ("t",), "x", 1.5, (0.5, -1.0), {"k": 1}, False,
                                            Audience(("u",), {"country": ("de",)}, 3))),
    Record("user", 4, "u", body=User(1, ("sport",), {"country": "de"})),
    Record("served", 5, "u", request_id="r",
           body=Served((ServedItem("i", 1, "new here", 0.5, {"like": 0.1}, 0.25, ("fresh", "liked"), True),), "feed", 7,
                       "p", {"e": "a"}, b"\x00", "q", 3, 6, 20, "1 of 20", True)),
    Record("relation", 6, "u", "v", "follow", object_kind="user"),
    Record("retraction", 7, "u", "v", "follow", object_kind="user", tenant="t", received_at=9),
    Record("heartbeat", 8),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_a_record_goes_through_its_bytes(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


def test_the_bytes_of_a_record_are_what_they_have_always_been() -> None:
    record = Record("event", 1, "u", "i", "like", 1.0, "e", "r", {"surface": "home"})
    golden = (
        "dc0010a56576656e7401a175a169a46c696b65cb3ff0000000000000a165a17281a773757266616365a4686f6d65c0c000a475736572a4"
        "6974656da001"
    )
    assert encode_record(record).hex() == golden


def test_bytes_of_a_time_with_fewer_fields_are_read_with_the_defaults_of_the_others() -> None:
    early = msgspec.msgpack.encode(["event", 1, "u", "i", "like"])
    assert decode_record(early) == Record("event", 1, "u", "i", "like")
