"""Records go in by one thread: durable, then folded, in the order of the log."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import InvalidRecord, StorageError, Unavailable
from feedmill.domain.records import Item, Record
from feedmill.run.local.intake import Intake
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.protocol import Appended
from feedmill.testing.memory_log import MemoryLog


class Fold:
    """Remembers what it was told, and can be made to wait."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.position = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, records: Sequence[Record], position: int) -> None:
        assert self.may_go_on.wait(10)
        assert position == self.position + len(records)
        self.records += records
        self.position = position


class FailingLog(MemoryLog):
    """Refuses as a full disk does, or a record of one name as one that cannot be stored."""

    full = False

    def append(self, records: Sequence[Record]) -> Appended:
        if self.full:
            raise StorageError("the disk is full")
        if any(record.object == "unstorable" for record in records):
            raise InvalidRecord("object", "cannot be stored")
        return super().append(records)


@pytest.fixture
def log() -> FailingLog:
    return FailingLog()


@pytest.fixture
def fold() -> Fold:
    return Fold()


@pytest.fixture
def intake(log: FailingLog, fold: Fold, tmp_path: Path) -> Iterator[Intake]:
    opened = Intake(Ingest(log, CatalogStore(tmp_path / "catalog.sqlite"), ManualClock(1)), fold)
    yield opened
    fold.may_go_on.set()
    opened.close()


def event(event_id: str, item: str = "i") -> Record:
    return Record("event", 1, "u", item, "like", event_id=event_id)


def test_what_is_answered_is_in_the_log_and_folded(intake: Intake, log: FailingLog, fold: Fold) -> None:
    ingested = intake.submit([event("a"), event("b"), event("a")]).result(10)
    assert ingested.answers == ["accepted", "accepted", "duplicate"]
    assert ingested.position == log.end() == fold.position == 2
    assert [record.event_id for record in fold.records] == ["a", "b"]


def test_posts_from_many_threads_are_folded_in_the_order_of_the_log(
    intake: Intake, log: FailingLog, fold: Fold
) -> None:
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda n: intake.submit([event(f"{n}-{k}") for k in range(20)]), range(50)))
    assert all(one.result(10).answers == ["accepted"] * 20 for one in done)
    assert [record.event_id for record in fold.records] == [record.event_id for record in log.read(0, 2000)[0]]


def test_posts_that_wait_together_are_answered_each_for_itself(intake: Intake, fold: Fold) -> None:
    fold.may_go_on.clear()
    first = intake.submit([event("first")])
    waiting = [intake.submit([event(name), event("first")]) for name in "abc"]
    fold.may_go_on.set()
    assert first.result(10).answers == ["accepted"]
    assert [one.result(10).answers for one in waiting] == [["accepted", "duplicate"]] * 3


def test_a_change_is_made_from_what_was_folded_before_it(intake: Intake, fold: Fold) -> None:
    fold.may_go_on.clear()
    intake.submit([Record("item", 1, object="i", body=Item(title="old"))])

    def make() -> list[Record]:
        (known,) = fold.records
        assert isinstance(known.body, Item)
        return [Record("item", 2, object="i", body=Item(title=known.body.title + " and new"))]

    changed = intake.change(make)
    later = intake.submit([event("a")])
    fold.may_go_on.set()
    assert changed.result(10).answers == ["accepted"]
    later.result(10)
    assert [getattr(record.body, "title", "") for record in fold.records] == ["old", "old and new", ""]


def test_a_full_disk_is_told_to_all_who_wait_and_does_not_stop_the_intake(
    intake: Intake, log: FailingLog, fold: Fold
) -> None:
    log.full = True
    with pytest.raises(StorageError, match="the disk is full"):
        intake.submit([event("a")]).result(10)
    assert fold.records == []
    log.full = False
    assert intake.submit([event("a")]).result(10).answers == ["accepted"]


def test_a_post_that_cannot_be_stored_does_not_cost_the_others_theirs(intake: Intake, fold: Fold) -> None:
    fold.may_go_on.clear()
    intake.submit([event("first")])
    good, bad, other = (
        intake.submit([event("a")]),
        intake.submit([event("b", "unstorable")]),
        intake.submit([event("c")]),
    )
    fold.may_go_on.set()
    assert good.result(10).answers == other.result(10).answers == ["accepted"]
    with pytest.raises(InvalidRecord, match="cannot be stored"):
        bad.result(10)
    assert [record.event_id for record in fold.records] == ["first", "a", "c"]


def test_an_intake_that_closes_answers_what_it_took_and_takes_no_more(intake: Intake, fold: Fold) -> None:
    fold.may_go_on.clear()
    taken = [intake.submit([event(name)]) for name in "abc"]
    closing = threading.Thread(target=intake.close)
    closing.start()
    fold.may_go_on.set()
    closing.join(10)
    assert all(one.done() and one.result().answers == ["accepted"] for one in taken)
    with pytest.raises(Unavailable, match="stopping"):
        intake.submit([event("d")])


def test_who_brings_more_than_the_disk_can_take_is_turned_away(intake: Intake, fold: Fold) -> None:
    fold.may_go_on.clear()
    many = [event("")] * 150_000
    turned_away = False
    for _ in range(3):
        try:
            intake.submit(many)
        except Unavailable as error:
            turned_away = "wait for the disk" in str(error)
    assert turned_away
