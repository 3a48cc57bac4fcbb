"""The catalog as columns: what is known of an ordinal is what the last record said."""

from __future__ import annotations

import numpy as np

from feedmill.domain.ids import hash_id
from feedmill.domain.records import Audience, Item, User
from feedmill.stream.catalog.columns import LONG_AGO, NEVER, Catalog, Ids, ItemColumns

FULL = Item(
    "title", "author", 5, 9, ("film",), ("new", "film", "long"), duration=60.0, audience=Audience(users=("u",))
)  # fmt: skip


def test_ordinals_are_given_in_the_order_in_which_ids_come() -> None:
    ids = Ids()
    assert [ids.add(name) for name in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert ids.names == ["b", "a", "c"]
    assert [ids.find(name) for name in ("c", "a", "z")] == [2, 1, -1]
    assert len(ids) == 3


def test_an_item_is_its_columns() -> None:
    items = ItemColumns()
    assert items.put("i", FULL) == 0
    assert items.keys.tolist() == [hash_id("i")]
    assert items.authors.tolist() == [hash_id("author")]
    assert items.categories.tolist() == [hash_id("film")]
    assert items.created_at.tolist() == [5]
    assert items.expires_at.tolist() == [9]
    assert items.servable.tolist() == [True]
    assert items.restricted.tolist() == [True]
    assert items.audience(0) == Audience(users=("u",))
    assert items.tags(0) == (hash_id("film"), hash_id("new"), hash_id("long"))
    assert items.body(0) == FULL


def assert_nothing_is_known_of(items: ItemColumns, ordinal: int) -> None:
    assert items.authors[ordinal] == items.categories[ordinal] == 0
    assert items.created_at[ordinal] == LONG_AGO
    assert items.expires_at[ordinal] == NEVER
    assert not items.servable[ordinal]
    assert not items.restricted[ordinal]
    assert items.audience(ordinal) is None
    assert items.tags(ordinal) == ()
    assert items.body(ordinal) is None
    assert items.encoded(ordinal) is None


def test_of_an_item_that_was_only_named_nothing_is_known() -> None:
    items = ItemColumns()
    assert_nothing_is_known_of(items, items.add("i"))
    assert items.keys.tolist() == [hash_id("i")]


def test_of_an_item_that_was_deleted_nothing_is_known_and_it_keeps_its_ordinal() -> None:
    items = ItemColumns()
    items.put("i", FULL)
    assert items.put("i", None) == 0
    assert_nothing_is_known_of(items, 0)
    assert items.keys.tolist() == [hash_id("i")]
    assert items.put("i", FULL) == 0
    assert items.servable.tolist() == [True]


def test_an_upsert_replaces_all_that_was_said_before() -> None:
    items = ItemColumns()
    items.put("i", FULL)
    items.put("i", Item(tags=("only",), visible=False))
    assert items.authors.tolist() == [0]
    assert items.categories.tolist() == [hash_id("only")]
    assert items.created_at.tolist() == [LONG_AGO]
    assert items.expires_at.tolist() == [NEVER]
    assert items.servable.tolist() == [False]
    assert items.audience(0) is None
    assert not items.restricted[0]


def test_the_version_goes_up_with_every_change_and_with_nothing_else() -> None:
    items = ItemColumns()
    items.add("i")
    assert items.version == 0
    items.put("i", FULL)
    items.put("i", None)
    assert items.version == 2


def test_columns_grow_and_keep_what_they_hold() -> None:
    items = ItemColumns()
    for number in range(5_000):
        assert items.put(f"i{number}", Item(created_at=number)) == number
    assert items.created_at.tolist() == list(range(5_000))
    assert len(items) == len(items.keys) == len(items.servable) == 5_000
    assert items.keys[4_999] == hash_id("i4999")


def test_users_are_known_and_forgotten() -> None:
    users = Catalog().users
    assert users.add("u") == 0
    assert users.body(0) is None
    assert users.put("u", User(interests=("x",))) == 0
    assert users.body(0) == User(interests=("x",))
    assert users.put("v", None) == 1
    assert users.put("u", None) == 0
    assert users.body(0) is None
    assert users.keys.tolist() == [hash_id("u"), hash_id("v")]
    assert users.keys.dtype == np.uint64
