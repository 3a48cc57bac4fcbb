"""Each line of the table in docs/joiner.md, as it stands there, without a restart and with one after every record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.records import Record
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.joiner_feed import EVERYTHING, Example, Feed, act, at, corrected, heartbeat, marks, page, seen

NOTHING = [0.0, 0.0, 0.0]
CLICK = [1.0, 0.0, 0.0]
SHARE = [0.0, 1.0, 0.0]
VIEW = [0.0, 0.0, 1.0]


class Steady:
    """A joiner that is told everything at once, or starts again from its snapshot after every record."""

    def __init__(self, *, restarts: bool) -> None:
        self._restarts = restarts
        self._told: list[Record] = []
        self._feed = Feed()

    @property
    def waiting(self) -> int:
        return self._feed.joiner.waiting

    def logged(self, items: list[str]) -> bytes:
        """Features of a page that are marked -9, -8, ..."""
        return self._feed.logged(items, 0, mark=-9.0)

    def marked(self, *records: Record) -> dict[str, float]:
        """By item, the mark of its example. One restart comes before."""
        self._restart()
        return marks(self._feed.push(*records))

    def examples(self, *records: Record) -> list[Example]:
        if not self._restarts:
            return self._feed.examples(*records)
        found = []
        for record in records:
            found += self._feed.examples(record)
            self._told.append(record)
            self._restart()
        return found

    def _restart(self) -> None:
        if self._restarts:
            dumped = self._feed.joiner.dump()
            self._feed = Feed()
            self._feed.state.fold(self._told)
            self._feed.joiner.load(dumped)


@pytest.fixture(params=[False, True], ids=["uninterrupted", "with restarts"])
def feed(request: pytest.FixtureRequest) -> Steady:
    return Steady(restarts=request.param)


def test_an_action_in_time_labels_the_example(feed: Steady) -> None:
    """in time"""
    assert feed.examples(seen(0, request="r"), act(1, "click", request="r"), heartbeat(9)) == []
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", CLICK, EVERYTHING, 0)]


def test_an_action_that_is_late_takes_back_the_negative(feed: Steady) -> None:
    """late, within `join.late_hours`"""
    taught = feed.examples(seen(0, request="r"), heartbeat(10))
    assert taught == [Example("u0", "i0", NOTHING, EVERYTHING, 0)]
    assert feed.examples(act(60, "click", request="r")) == corrected(NOTHING, CLICK, CLICK, 0)


def test_an_action_that_is_later_than_that_teaches_nothing(feed: Steady) -> None:
    """later than that"""
    feed.examples(seen(0, request="r"), heartbeat(10))
    assert feed.examples(act(70, "click", request="r"), heartbeat(200)) == []


def test_an_event_that_is_told_twice_is_in_the_log_once(tmp_path: Path) -> None:
    """twice, with the same `event_id`"""
    log = SqliteLog(tmp_path / "log.sqlite")
    ingest = Ingest(log, CatalogStore(tmp_path / "catalog.sqlite"), ManualClock(at(10)))
    click = msgspec.structs.replace(act(1, "view", value=4.0), event_id="e")
    assert ingest.ingest([seen(0), click, click]).answers == ["accepted", "accepted", "duplicate"]
    assert ingest.ingest([click, heartbeat(10)]).answers == ["duplicate", "accepted"]
    assert Feed().examples(*log.read(0, 10)[0]) == [Example("u0", "i0", [0.0, 0.0, pytest.approx(0.4)], EVERYTHING, 0)]
    log.close()


def test_an_action_that_happens_twice_in_time_combines(feed: Steady) -> None:
    """twice, at different times, in time"""
    feed.examples(seen(0), act(1, "click"), act(2, "click"), act(1, "view", value=4.0), act(2, "view", value=4.0))
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [1.0, 0.0, pytest.approx(0.8)], EVERYTHING, 0)]


def test_an_action_that_happens_twice_and_late_corrects_what_it_changes(feed: Steady) -> None:
    """twice, at different times, late"""
    feed.examples(seen(0), heartbeat(10))
    assert feed.examples(act(11, "click")) == corrected(NOTHING, CLICK, CLICK, 0)
    assert feed.examples(act(12, "click")) == []
    assert feed.examples(act(13, "view", value=5.0)) == corrected(CLICK, [1.0, 0.0, 0.5], VIEW, 0)
    assert feed.examples(act(14, "view", value=5.0)) == corrected([1.0, 0.0, 0.5], [1.0, 0.0, 1.0], VIEW, 0)


def test_actions_out_of_order_label_the_example_as_in_order(feed: Steady) -> None:
    """out of order"""
    feed.examples(seen(0), act(5, "view", value=4.0), act(1, "click"), act(2, "view", value=4.0))
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [1.0, 0.0, pytest.approx(0.8)], EVERYTHING, 0)]


def test_an_action_before_its_impression_in_the_log_is_taken_by_it(feed: Steady) -> None:
    """before its impression in the log, by no more than the longest window"""
    assert feed.examples(act(2, "click", request="r"), seen(1, request="r")) == []
    assert feed.examples(heartbeat(12)) == [Example("u0", "i0", CLICK, EVERYTHING, 1)]


def test_an_action_longer_before_its_impression_teaches_nothing(feed: Steady) -> None:
    """longer before its impression"""
    feed.examples(act(2, "click", request="r"), heartbeat(12), seen(1, request="r"))
    assert feed.examples(heartbeat(30)) == [Example("u0", "i0", NOTHING, EVERYTHING, 1)]


def test_an_action_that_happened_before_it_was_seen_is_not_taken(feed: Steady) -> None:
    """before its impression in time, of no or another request"""
    feed.examples(act(2, "click"), seen(3))
    assert feed.examples(heartbeat(13)) == [Example("u0", "i0", NOTHING, EVERYTHING, 3)]


def test_an_action_before_its_page_opens_it_when_it_comes(feed: Steady) -> None:
    """before the page of its request in the log"""
    served = page(0, ["i0", "i1", "i2"], feed.logged(["i0", "i1", "i2"]))
    feed.examples(act(1, "click", "i1", "r"), served)
    assert feed.waiting == 2
    assert feed.marked(heartbeat(30)) == {"i0": -9.0, "i1": -8.0}


def test_an_action_for_a_request_never_served_belongs_to_the_last_impression(feed: Steady) -> None:
    """for a request never served, where the user was shown the item"""
    feed.examples(seen(0), seen(1), act(2, "click", request="never served"))
    assert feed.examples(heartbeat(20)) == [
        Example("u0", "i0", NOTHING, EVERYTHING, 0), Example("u0", "i0", CLICK, EVERYTHING, 1),
    ]  # fmt: skip


def test_an_action_for_a_request_never_served_without_impression_teaches_nothing(feed: Steady) -> None:
    """for a request never served, where the user was not"""
    assert feed.examples(act(2, "click", request="never served"), heartbeat(100)) == []


def test_an_action_for_a_request_never_served_is_an_example_where_it_may_be(feed: Steady) -> None:
    """the same, of an action with `example_without_impression`"""
    found = feed.examples(act(2, "share", request="never served"), heartbeat(100))
    assert [example for example in found if example.item == "i0"] == [Example("u0", "i0", SHARE, SHARE, 2)]


def test_an_action_for_a_request_of_somebody_else_belongs_to_the_own_impression(feed: Steady) -> None:
    """for a request that was served to somebody else"""
    feed.examples(page(0, ["i0"], feed.logged(["i0"])), seen(0, request="r"), seen(0, user="u1"))
    feed.examples(msgspec.structs.replace(act(2, "click", request="r"), subject="u1"))
    assert feed.examples(heartbeat(20)) == [
        Example("u0", "i0", NOTHING, EVERYTHING, 0), Example("u1", "i0", CLICK, EVERYTHING, 0),
    ]  # fmt: skip


def test_an_impression_that_is_reported_twice_is_one(feed: Steady) -> None:
    """(an impression reported twice)"""
    feed.examples(seen(0, request="r"), act(1, "click", request="r"), seen(2, request="r"))
    assert feed.examples(heartbeat(100)) == [Example("u0", "i0", CLICK, EVERYTHING, 0)]


def described() -> Iterator[str]:
    for name, test in globals().items():
        if name.startswith("test_") and (test.__doc__ or "").strip():
            yield test.__doc__


def test_the_documentation_states_each_of_these_outcomes(root: Path) -> None:
    text = (root / "docs" / "joiner.md").read_text(encoding="utf-8")
    table = text.partition("| an action comes | what it teaches |\n|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.+?) \| .+? \|$", table, re.MULTILINE) == list(described())
