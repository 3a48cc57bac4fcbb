"""The catalog holds what the log says, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.domain.records import Item, Record, User
from feedmill.stream.catalog import store
from feedmill.stream.catalog.store import CatalogStore, digest
from feedmill.testing.memory_log import MemoryLog


def item(name: str, title: str = "") -> Record:
    return Record("item", 1, object=name, body=Item(title=title, author_id="a", tags=("t",)))


def user(name: str, age: int = 0) -> Record:
    return Record("user", 1, subject=name, body=User(attributes={"age": age}))


def deletion(item_id: str = "", user_id: str = "") -> Record:
    return Record("retraction", 1, user_id, item_id, "delete")


@pytest.fixture
def catalog(tmp_path: Path) -> CatalogStore:
    return CatalogStore(tmp_path / "catalog.db")


def test_a_new_catalog_is_empty_and_at_the_beginning(catalog: CatalogStore) -> None:
    assert (catalog.position(), catalog.count_items(), catalog.count_users()) == (0, 0, 0)
    assert catalog.item("i") is None
    assert catalog.user("u") is None


def test_the_last_upsert_of_an_item_counts(catalog: CatalogStore) -> None:
    catalog.apply([item("i", "one"), item("j", "two"), item("i", "three")], 3)
    assert catalog.item("i") == Item(title="three", author_id="a", tags=("t",))
    assert (catalog.count_items(), catalog.position()) == (2, 3)


def test_users_and_items_of_one_id_are_different(catalog: CatalogStore) -> None:
    catalog.apply([item("x", "film"), user("x", 30)], 2)
    catalog.apply([deletion(user_id="x")], 3)
    assert catalog.user("x") is None
    assert catalog.item("x") == Item(title="film", author_id="a", tags=("t",))


def test_a_deletion_removes_and_a_later_upsert_brings_back(catalog: CatalogStore) -> None:
    catalog.apply([item("i", "one"), deletion(item_id="i")], 2)
    assert catalog.count_items() == 0
    catalog.apply([deletion(item_id="i"), item("i", "two")], 4)
    assert catalog.items(["i", "nothing"]) == {"i": Item(title="two", author_id="a", tags=("t",))}


def test_applying_the_same_records_again_changes_nothing(catalog: CatalogStore) -> None:
    records = [item("i", "one"), user("u", 1), item("j"), deletion(item_id="j")]
    catalog.apply(records, 4)
    before = (dict(catalog.each_item()), dict(catalog.each_user()), catalog.position())
    catalog.apply(records, 4)
    assert (dict(catalog.each_item()), dict(catalog.each_user()), catalog.position()) == before


def test_what_a_crash_left_in_the_log_only_is_caught_up_with(catalog: CatalogStore) -> None:
    log = MemoryLog()
    catalog.apply([item("i")], log.append([item("i")]).position)
    log.append([item("j"), user("u"), deletion(item_id="i"), Record("event", 5, "u", "j", "like")])
    assert catalog.catch_up(log) == log.end() == catalog.position()
    assert sorted(name for name, _ in catalog.each_item()) == ["j"]
    assert catalog.count_users() == 1


def test_a_catalog_ahead_of_its_log_is_built_again_from_it(catalog: CatalogStore) -> None:
    catalog.apply([item("of another log")], 100)
    log = MemoryLog()
    log.append([item("i")])
    catalog.catch_up(log)
    assert [name for name, _ in catalog.each_item()] == ["i"]


def test_a_catalog_survives_being_closed(tmp_path: Path) -> None:
    first = CatalogStore(tmp_path / "catalog.db")
    first.apply([item("i", "one")], 7)
    first.close()
    second = CatalogStore(tmp_path / "catalog.db")
    assert (second.position(), second.count_items()) == (7, 1)


def test_items_are_found_beyond_what_one_query_takes(catalog: CatalogStore) -> None:
    catalog.apply([item(f"i{n}", str(n)) for n in range(1_203)], 1)
    found = catalog.items([f"i{n}" for n in range(1_300)])
    assert len(found) == 1_203
    assert found["i1202"].title == "1202"
    assert sum(1 for _ in catalog.each_item()) == 1_203


def test_a_digest_does_not_depend_on_the_order_of_attributes() -> None:
    assert digest(User(attributes={"a": 1, "b": 2})) == digest(User(attributes={"b": 2, "a": 1}))
    assert digest(User(attributes={"a": 1})) != digest(User(attributes={"a": 2}))


def test_a_failed_apply_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    catalog = CatalogStore(path)
    catalog.apply([item("i", "one")], 1)
    read_only = CatalogStore(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StorageError, match="readonly"):
        read_only.apply([item("i", "two")], 2)
    assert read_only.item("i") == Item(title="one", author_id="a", tags=("t",))
    assert catalog.position() == 1


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_text("this is a letter, not a database\n" * 100)
    with pytest.raises(HomeError, match="built again from the log"):
        CatalogStore(path)


def test_a_catalog_of_a_newer_feedmill_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    CatalogStore(path).close()
    _set_version(path, store.VERSION + 1)
    with pytest.raises(HomeVersionError, match="install the newer one"):
        CatalogStore(path)


def test_a_catalog_of_an_older_feedmill_is_built_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    catalog = CatalogStore(path)
    catalog.apply([item("i")], 5)
    catalog.close()
    _set_version(path, store.VERSION - 1)
    again = CatalogStore(path)
    assert (again.position(), again.count_items()) == (0, 0)


def test_a_place_that_does_not_exist_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open"):
        CatalogStore(tmp_path / "nowhere" / "catalog.db")


def test_the_tables_can_be_made_in_postgres() -> None:
    for table in store._metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def _set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE reached SET version = ?", (version,))
    connection.commit()
    connection.close()
