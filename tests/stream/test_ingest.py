"""What comes in is stored once, and the catalog follows the log."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import StorageError
from feedmill.domain.records import Item, Record, User
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.protocol import Appended
from feedmill.testing.memory_log import MemoryLog

NOW = 1_000_000


def event(event_id: str) -> Record:
    return Record("event", 1, "u", "i", "like", event_id=event_id)


def item(name: str, title: str = "") -> Record:
    return Record("item", 1, object=name, body=Item(title=title))


def deletion(item_id: str) -> Record:
    return Record("retraction", 1, "", item_id, "delete")


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def catalog(tmp_path: Path) -> CatalogStore:
    return CatalogStore(tmp_path / "catalog.db")


@pytest.fixture
def ingest(log: MemoryLog, catalog: CatalogStore) -> Ingest:
    return Ingest(log, catalog, ManualClock(NOW))


def test_an_event_that_comes_twice_is_a_duplicate(ingest: Ingest, log: MemoryLog) -> None:
    assert ingest.ingest([event("a"), event("b"), event("a")]).answers == ["accepted", "accepted", "duplicate"]
    assert ingest.ingest([event("b"), event("c")]).answers == ["duplicate", "accepted"]
    assert [record.event_id for record in log.read(0, 10)[0]] == ["a", "b", "c"]


def test_events_that_cannot_be_recognised_are_all_accepted(ingest: Ingest) -> None:
    assert ingest.ingest([event(""), event("")]).answers == ["accepted", "accepted"]


def test_records_are_stamped_with_the_time_of_their_arrival(ingest: Ingest, log: MemoryLog) -> None:
    ingest.ingest([event("a"), item("i")])
    assert [record.received_at for record in log.read(0, 10)[0]] == [NOW, NOW]


def test_an_upsert_that_says_nothing_new_is_unchanged_and_not_written(
    ingest: Ingest, log: MemoryLog, catalog: CatalogStore
) -> None:
    user = Record("user", 1, subject="i", body=User(attributes={"age": 3}))
    assert ingest.ingest([item("i", "one"), user]).answers == ["accepted", "accepted"]
    assert ingest.ingest([item("i", "one"), user, item("i", "two")]).answers == ["unchanged", "unchanged", "accepted"]
    assert log.end() == 3
    assert catalog.item("i") == Item(title="two")


def test_records_of_one_call_are_judged_one_after_another(ingest: Ingest, catalog: CatalogStore) -> None:
    answers = ingest.ingest([item("i"), item("i"), deletion("i"), item("i"), item("i", "b"), item("i")]).answers
    assert answers == ["accepted", "unchanged", "accepted", "accepted", "accepted", "accepted"]
    assert catalog.item("i") == Item()


def test_an_item_that_was_deleted_can_come_back_unchanged(ingest: Ingest, catalog: CatalogStore) -> None:
    ingest.ingest([item("i")])
    ingest.ingest([deletion("i")])
    assert catalog.count_items() == 0
    assert ingest.ingest([item("i")]).answers == ["accepted"]
    assert catalog.count_items() == 1


def test_the_catalog_is_brought_up_to_the_log_at_the_start(log: MemoryLog, catalog: CatalogStore) -> None:
    log.append([item("i"), item("j")])
    ingest = Ingest(log, catalog, ManualClock(NOW))
    assert catalog.count_items() == 2
    assert ingest.ingest([item("i")]).answers == ["unchanged"]


def test_nothing_to_ingest_is_fine(ingest: Ingest, log: MemoryLog) -> None:
    ingested = ingest.ingest([])
    assert (ingested.position, ingested.answers) == (log.end(), [])


def test_the_catalog_notes_now_and_then_that_it_has_passed_events(
    ingest: Ingest, log: MemoryLog, catalog: CatalogStore
) -> None:
    for _ in range(6):
        ingest.ingest([event("")] * 10_000)
    assert catalog.position() == 50_000
    assert log.end() == 60_000


class _FailingCatalog(CatalogStore):
    """A catalog whose disk is full for a while."""

    full = False

    def apply(self, records: Sequence[Record], position: int) -> None:  # type: ignore[override]
        if self.full:
            raise StorageError("the disk is full")
        super().apply(records, position)


def test_a_fold_that_failed_is_made_up_for_before_the_next(log: MemoryLog, tmp_path: Path) -> None:
    catalog = _FailingCatalog(tmp_path / "catalog.db")
    ingest = Ingest(log, catalog, ManualClock(NOW))
    catalog.full = True
    with pytest.raises(StorageError):
        ingest.ingest([item("i")])
    catalog.full = False
    assert ingest.ingest([item("j")]).answers == ["accepted"]
    assert (catalog.count_items(), catalog.position()) == (2, 2)


class _FullLog(MemoryLog):
    def append(self, records: Sequence[Record]) -> Appended:
        raise StorageError("the disk is full")


def test_what_the_log_does_not_take_is_not_in_the_catalog(catalog: CatalogStore) -> None:
    ingest = Ingest(_FullLog(), catalog, ManualClock(NOW))
    with pytest.raises(StorageError):
        ingest.ingest([item("i")])
    assert (catalog.count_items(), catalog.position()) == (0, 0)


def test_threads_that_ingest_at_once_leave_the_catalog_that_the_log_says(
    ingest: Ingest, log: MemoryLog, catalog: CatalogStore, tmp_path: Path
) -> None:
    def upsert(thread: int) -> None:
        for n in range(20):
            ingest.ingest([item(f"i{n % 3}", f"{thread}-{n}"), event(f"{thread}-{n}")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upsert, range(4)))
    replayed = CatalogStore(tmp_path / "replayed.db")
    replayed.catch_up(log)
    assert dict(catalog.each_item()) == dict(replayed.each_item())
    assert log.end() == 160
