"""What a joiner remembers, as bytes: for a snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import numpy as np

from feedmill.domain.errors import SnapshotError
from feedmill.stream.collector import paused_collector
from feedmill.stream.joining.disk import Cut
from feedmill.stream.joining.memory import Memory
from feedmill.stream.joining.remembered import Early, Impression, Packed, Page
from feedmill.stream.state.state import State

_COLUMNS = ("user", "item", "timestamp", "sequence", "opened", "request_id", "features", "row", "closed", "negative")
_Value = TypeVar("_Value")


class _StoredEarly(msgspec.Struct, array_like=True, gc=False):
    user_id: str
    item_id: str
    timestamp: int
    opened: int
    action: str
    value: float
    sequence: int
    request_id: str
    bound: bool


class _StoredPage(msgspec.Struct, array_like=True, gc=False):
    request_id: str
    user_id: str
    opened: int
    timestamp: int
    encoded_items: bytes
    batch: int
    """Which of the batches was logged with it; -1 where none was."""


class _Stored(msgspec.Struct, array_like=True):
    shape: list[int]
    """What the features are like."""
    users: list[str]
    items: list[str]
    requests: list[str]
    batches: list[tuple[int, bytes, int]]
    """Rows, packed features as they are remembered, and their number on disk."""
    pages: list[_StoredPage]
    impressions: bytes
    """int64 [len(_COLUMNS), n], the oldest first; what is named above stands here as a number."""
    outcomes: list[tuple[int, dict[str, float]]]
    """Of the impressions that have some."""
    early: list[_StoredEarly]
    disk: Cut


def dump(memory: Memory, state: State, shape: list[int]) -> bytes:
    """About a microsecond an impression or page; 1.5 times the bytes are needed on top while they are made."""
    impressions = memory.impressions()
    logged = [page.logged for page in memory.pages.values() if page.logged is not None]
    batches = _numbered([*logged, *map(attrgetter("features"), impressions)])
    requests = _numbered(map(attrgetter("request_id"), impressions))
    columns, users, items = _columns(impressions, batches, requests)
    names_of_users, names_of_items = state.catalog.users.ids.names, state.catalog.items.ids.names
    early = [
        _StoredEarly(
            names_of_users[one.user], names_of_items[one.item], one.timestamp, one.opened, one.action, one.value,
            one.sequence, one.request_id, one.bound,
        )
        for one in memory.early()
    ]  # fmt: skip
    pages = [
        _StoredPage(
            request_id, page.user_id, page.opened, page.timestamp, page.encoded_items,
            -1 if page.logged is None else batches[page.logged],
        )
        for request_id, page in memory.pages.items()
    ]  # fmt: skip
    return msgspec.msgpack.encode(
        _Stored(
            shape,
            [names_of_users[user] for user in users],
            [names_of_items[item] for item in items],
            list(requests),
            [(batch.rows, batch.packed, batch.stored) for batch in batches],
            pages,
            columns,
            [(number, one.outcomes) for number, one in enumerate(impressions) if one.outcomes],
            early,
            memory.disk.save(),
        )
    )


def _columns(
    impressions: list[Impression], batches: dict[Packed, int], requests: dict[str, int]
) -> tuple[bytes, list[int], list[int]]:
    """The columns of impressions, and the ordinals of the users and items that stand in them as numbers."""
    columns = np.empty((len(_COLUMNS), len(impressions)), dtype="<i8")
    for column, name in zip(columns, _COLUMNS, strict=True):
        values: Iterable[Any] = map(attrgetter(name), impressions)
        if name == "features":
            values = map(batches.__getitem__, values)
        elif name == "request_id":
            values = map(requests.__getitem__, values)
        column[:] = np.fromiter(values, np.int64, len(impressions))
    # Ordinals belong to a process.
    users, columns[0] = np.unique(columns[0], return_inverse=True)
    items, columns[1] = np.unique(columns[1], return_inverse=True)
    return columns.tobytes(), users.tolist(), items.tolist()


def load(dumped: bytes, memory: Memory, state: State, shape: list[int]) -> None:
    """Fill an empty memory. Raises SnapshotError when the bytes are damaged or of another schema."""
    try:
        stored = msgspec.msgpack.decode(dumped, type=_Stored)
        if stored.shape != shape:
            raise SnapshotError("the joiner's snapshot holds features of another schema")
        with paused_collector():
            _fill(memory, state, stored)
    except (msgspec.MsgspecError, ValueError, LookupError) as error:
        raise SnapshotError(f"the joiner's snapshot cannot be read ({error})") from None


def _fill(memory: Memory, state: State, stored: _Stored) -> None:
    users, items = list(map(state.user, stored.users)), list(map(state.item, stored.items))
    memory.disk.load(stored.disk)
    batches = [Packed(packed, rows, stored=number) for rows, packed, number in stored.batches]
    for page in stored.pages:
        logged = None if page.batch < 0 else batches[page.batch]
        memory.add_page(
            page.request_id, Page(page.user_id, page.opened, page.timestamp, page.encoded_items, logged)
        )  # fmt: skip
    columns = np.frombuffer(stored.impressions, "<i8").reshape(len(_COLUMNS), -1).tolist()
    outcomes = dict(stored.outcomes)
    for number, (user, item, timestamp, sequence, opened, request, batch, row, closed, negative) in enumerate(
        zip(*columns, strict=True)
    ):
        memory.add(
            Impression(
                users[user], items[item], timestamp, sequence, opened, stored.requests[request], batches[batch], row,
                outcomes.get(number, {}), closed, negative,
            )
        )  # fmt: skip
    for early in stored.early:
        memory.add_early(
            Early(
                state.user(early.user_id), state.item(early.item_id), early.timestamp, early.opened, early.action,
                early.value, early.sequence, early.request_id, early.bound,
            )
        )  # fmt: skip


def _numbered(values: Iterable[_Value]) -> dict[_Value, int]:
    """Each value once, in the order in which they first come, and its number."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}
