"""The catalog as columns: what features and serving read, folded from the log record by record.

Ordinals are dense, belong to one process, and are given in the order in which ids are first seen, in a catalog record
or in an event about something that no record has described yet.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Int64s
from feedmill.domain.ids import UInt64s, hash_id
from feedmill.domain.records import Audience, Item, User

NEVER = np.iinfo(np.int64).max
"""The `expires_at` of an item that does not expire."""
LONG_AGO = np.iinfo(np.int64).min
"""The `created_at` of an item that has none."""

_encode = msgspec.msgpack.encode
_decode_item = msgspec.msgpack.Decoder(Item).decode
_decode_user = msgspec.msgpack.Decoder(User).decode


class Ids:
    """Application ids and their ordinals, both ways."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._ordinals: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> int:
        """The ordinal of an id, or -1."""
        return self._ordinals.get(name, -1)

    def add(self, name: str) -> int:
        """The ordinal of an id, new or known."""
        ordinal = self._ordinals.get(name)
        if ordinal is None:
            ordinal = len(self.names)
            self.names.append(name)
            self._ordinals[name] = ordinal
        return ordinal


class _Columns:
    """Arrays that grow together, a row an ordinal."""

    def __init__(self, **columns: tuple[Any, Any]) -> None:
        self._fills = {name: fill for name, (_, fill) in columns.items()}
        self._arrays = {name: np.full(1024, fill, dtype=dtype) for name, (dtype, fill) in columns.items()}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def first(self, count: int, name: str) -> npt.NDArray[Any]:
        """The first rows of a column.

        The count is taken before the array is: beside a writer, an array that was there before its rows were counted
        may be one that has been outgrown, and have fewer.
        """
        return self._arrays[name][:count]

    def clear(self, row: int, keep: str) -> None:
        """Give a row its first values again, in all columns but one."""
        for name, fill in self._fills.items():
            if name != keep:
                self._arrays[name][row] = fill

    def reserve(self, size: int) -> None:
        for name, array in self._arrays.items():
            if size > len(array):
                grown = np.full(max(size, 2 * len(array)), self._fills[name], dtype=array.dtype)
                grown[: len(array)] = array
                self._arrays[name] = grown


class ItemColumns:
    """Every item that a record has named; all arrays have a row an ordinal, `len(self)` rows.

    Threads may read beside one writer. A column that is read later may have more rows than one that was read before,
    never fewer.
    """

    def __init__(self) -> None:
        self.ids = Ids()
        self._columns = _Columns(
            keys=(np.uint64, 0), authors=(np.uint64, 0), categories=(np.uint64, 0), created_at=(np.int64, LONG_AGO),
            expires_at=(np.int64, NEVER), servable=(np.bool_, False), restricted=(np.bool_, False),
        )  # fmt: skip
        self._bodies: list[bytes | None] = []
        self._tags: list[tuple[int, ...]] = []
        self._audiences: dict[int, Audience] = {}
        self.version = 0
        """Goes up with every change to the catalog of items."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def keys(self) -> UInt64s:
        """uint64 [n]: `hash_id` of each item's id."""
        return self._columns.first(len(self), "keys")

    @property
    def authors(self) -> UInt64s:
        """uint64 [n]: the key of each item's author, 0 where unknown."""
        return self._columns.first(len(self), "authors")

    @property
    def categories(self) -> UInt64s:
        """uint64 [n]: the key of each item's first category, else of its first tag, 0 where it has neither."""
        return self._columns.first(len(self), "categories")

    @property
    def created_at(self) -> Int64s:
        """int64 [n]: UTC milliseconds, LONG_AGO where unknown."""
        return self._columns.first(len(self), "created_at")

    @property
    def expires_at(self) -> Int64s:
        """int64 [n]: UTC milliseconds, NEVER where the item does not expire."""
        return self._columns.first(len(self), "expires_at")

    @property
    def servable(self) -> npt.NDArray[np.bool_]:
        """bool [n]: described by a record, visible and not deleted."""
        return self._columns.first(len(self), "servable")

    @property
    def restricted(self) -> npt.NDArray[np.bool_]:
        """bool [n]: has an audience, see `audience`."""
        return self._columns.first(len(self), "restricted")

    def audience(self, ordinal: int) -> Audience | None:
        """Who may see the item; None is everybody."""
        return self._audiences.get(ordinal)

    def tags(self, ordinal: int) -> tuple[int, ...]:
        """The keys of the item's categories and tags, categories first, without repeats."""
        return self._tags[ordinal]

    def body(self, ordinal: int) -> Item | None:
        """What the last record said of the item; None when no record did or it was deleted."""
        encoded = self._bodies[ordinal]
        return None if encoded is None else _decode_item(encoded)

    def encoded(self, ordinal: int) -> bytes | None:
        """`body` as MessagePack."""
        return self._bodies[ordinal]

    def add(self, item_id: str) -> int:
        """The ordinal of an id, new or known."""
        ordinal = self.ids.find(item_id)
        if ordinal < 0:
            # Rows come before their id, so that who reads beside the writer finds a row for every ordinal.
            ordinal = len(self._bodies)
            self._columns.reserve(ordinal + 1)
            self._columns["keys"][ordinal] = hash_id(item_id)
            self._bodies.append(None)
            self._tags.append(())
            self.ids.add(item_id)
        return ordinal

    def put(self, item_id: str, item: Item | None) -> int:
        """Describe an item, or delete it (None: nothing is known of it then); gives its ordinal."""
        ordinal = self.add(item_id)
        self._describe(ordinal, item)
        self.version += 1
        return ordinal

    def _describe(self, ordinal: int, item: Item | None) -> None:
        columns = self._columns
        # Until all of it is said: who reads beside the writer must not find an item without the audience it has.
        columns["servable"][ordinal] = False
        self._audiences.pop(ordinal, None)
        if item is None:
            self._bodies[ordinal] = None
            self._tags[ordinal] = ()
            columns.clear(ordinal, keep="keys")
            return
        self._bodies[ordinal] = _encode(item)
        self._tags[ordinal] = tuple(dict.fromkeys(hash_id(tag) for tag in (*item.categories, *item.tags)))
        columns["authors"][ordinal] = hash_id(item.author_id) if item.author_id else 0
        columns["categories"][ordinal] = self._tags[ordinal][0] if self._tags[ordinal] else 0
        columns["created_at"][ordinal] = LONG_AGO if item.created_at is None else item.created_at
        columns["expires_at"][ordinal] = NEVER if item.expires_at is None else item.expires_at
        if item.audience is not None:
            self._audiences[ordinal] = item.audience
        columns["restricted"][ordinal] = item.audience is not None
        columns["servable"][ordinal] = item.visible


class UserColumns:
    """Every user that a record has named."""

    def __init__(self) -> None:
        self.ids = Ids()
        self._columns = _Columns(keys=(np.uint64, 0))
        self._bodies: list[bytes | None] = []

    @property
    def keys(self) -> UInt64s:
        """uint64 [n]: `hash_id` of each user's id."""
        return self._columns.first(len(self), "keys")

    def __len__(self) -> int:
        return len(self.ids)

    def body(self, ordinal: int) -> User | None:
        """What the last record said of the user; None when no record did or it was deleted."""
        encoded = self._bodies[ordinal]
        return None if encoded is None else _decode_user(encoded)

    def encoded(self, ordinal: int) -> bytes | None:
        """`body` as MessagePack."""
        return self._bodies[ordinal]

    def add(self, user_id: str) -> int:
        """The ordinal of an id, new or known."""
        ordinal = self.ids.find(user_id)
        if ordinal < 0:
            ordinal = len(self._bodies)
            self._columns.reserve(ordinal + 1)
            self._columns["keys"][ordinal] = hash_id(user_id)
            self._bodies.append(None)
            self.ids.add(user_id)
        return ordinal

    def put(self, user_id: str, user: User | None) -> int:
        """Describe a user, or delete it (None); gives its ordinal."""
        ordinal = self.add(user_id)
        self._bodies[ordinal] = None if user is None else _encode(user)
        return ordinal


class Catalog:
    """Items and users as of a log position."""

    def __init__(self) -> None:
        self.items = ItemColumns()
        self.users = UserColumns()
