"""The native fold refuses what it cannot read, and can be read while it is written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feedmill import _native

NONE = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32)


def make_fold(**changes: Any) -> _native.Fold:
    config: dict[str, Any] = {
        "item_components": 2, "context_columns": 1, "binary": [True, False], "half_lives": [0.0, 1000.0],
        "groups": [[0], [1, 3]], "smoothing": 3.0, "history_length": 4, "history_features": 2,
    }  # fmt: skip
    return _native.Fold(**config | changes)


def fill(fold: _native.Fold, users: int = 2, items: int = 3) -> _native.Fold:
    for user in range(users):
        fold.set_user(user, np.array([user + 1], dtype=np.uint64), *NONE)
    for item in range(items):
        fold.set_item(item, np.array([item + 100, 7], dtype=np.uint64), *NONE, 0)
    return fold


def columns(n: int = 2) -> dict[str, Any]:
    return {
        "users": np.zeros(n, dtype=np.int32), "items": np.zeros(n, dtype=np.int32),
        "times": np.zeros(n, dtype=np.int64), "context": np.ones((n, 1), dtype=np.uint64),
        "flags": np.full(n, _native.SHOWN | _native.FEEDBACK, dtype=np.uint8),
        "outcomes": np.ones((n, 2), dtype=np.float32), "weights": np.ones(n, dtype=np.float32),
        "views": [], "emit": np.zeros((n, 0), dtype=np.uint8),
    }  # fmt: skip


VIEW = _native.View([("components", 1, [0, 3])], True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"users": np.array([0, 2], dtype=np.int32)}, "a user's ordinal was never set"),
        ({"users": np.array([0, -2], dtype=np.int32)}, "a user's ordinal was never set"),
        ({"items": np.array([3, 0], dtype=np.int32)}, "an item's ordinal was never set"),
        ({"items": np.array([0, -(2**31)], dtype=np.int32)}, "an item's ordinal was never set"),
        ({"users": np.zeros(3, dtype=np.int32)}, "columns differ in length"),
        ({"times": np.zeros(1, dtype=np.int64)}, "columns differ in length"),
        ({"flags": np.zeros(1, dtype=np.uint8)}, "columns differ in length"),
        ({"weights": np.zeros(3, dtype=np.float32)}, "columns differ in length"),
        ({"context": np.ones((2, 2), dtype=np.uint64)}, "context has another number of columns"),
        ({"context": np.ones((2, 0), dtype=np.uint64)}, "context has another number of columns"),
        ({"outcomes": np.ones((2, 1), dtype=np.float32)}, "outcomes has another number of columns"),
        ({"outcomes": np.ones((1, 2), dtype=np.float32)}, "columns differ in length"),
        ({"views": [VIEW]}, "emit has another number of columns"),
        ({"emit": np.ones((2, 1), dtype=np.uint8)}, "emit has another number of columns"),
        (
            {"views": [_native.View([("components", 1, [4])], False)], "emit": np.ones((2, 1), dtype=np.uint8)},
            "a slot names no component",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused_and_change_nothing(changed: dict[str, Any], message: str) -> None:
    fold = fill(make_fold())
    with pytest.raises(ValueError, match=message):
        fold.run(*(columns() | changed).values())
    assert len(fold.dump_counters()[0]) == 0
    assert len(fold.dump_seen()[0]) == 0
    reading = {name: (columns() | changed)[name] for name in ("users", "items", "times", "context")}
    if reading.keys() & changed.keys():
        with pytest.raises(ValueError, match=message):
            fold.read(VIEW, *reading.values())


@pytest.mark.parametrize("name", ["users", "items", "times", "context", "flags", "outcomes", "weights", "emit"])
@pytest.mark.parametrize("spoil", [lambda c: c.astype(np.float64), lambda c: c[::-1], lambda c: c[..., None]])
def test_columns_of_another_type_order_or_shape_are_refused(name: str, spoil: Callable[[Any], Any]) -> None:
    given = columns(3)
    given[name] = spoil(given[name])
    if name == "emit" and given[name].flags.c_contiguous and given[name].dtype == np.uint8 and given[name].ndim == 2:
        return
    with pytest.raises(TypeError, match="incompatible function arguments"):
        fill(make_fold()).run(*given.values())


@pytest.mark.parametrize("ordinal", [3, 2**31 - 1, -1, -(2**31)])
def test_questions_about_items_that_were_never_set_are_refused(ordinal: int) -> None:
    fold = fill(make_fold())
    asked = np.array([0, ordinal], dtype=np.int32)
    for question in (
        lambda: fold.views(0, asked),
        lambda: fold.hidden(0, asked),
        lambda: fold.impressions(asked),
        lambda: fold.positives(asked),
        lambda: fold.partners(ordinal),
    ):
        with pytest.raises(ValueError, match="an item's ordinal was never set"):
            question()


@pytest.mark.parametrize("ordinal", [2, 2**31 - 1, -2])
def test_questions_about_users_that_were_never_set_are_refused(ordinal: int) -> None:
    fold = fill(make_fold())
    for question in (
        lambda: fold.views(ordinal, np.zeros(1, dtype=np.int32)),
        lambda: fold.hidden(ordinal, np.zeros(1, dtype=np.int32)),
        lambda: fold.history(ordinal),
    ):
        with pytest.raises(ValueError, match="a user's ordinal was never set"):
            question()


def test_nobody_has_seen_nothing() -> None:
    fold = fill(make_fold())
    items = np.arange(3, dtype=np.int32)
    assert fold.views(-1, items).tolist() == fold.hidden(-1, items).tolist() == [0, 0, 0]
    assert [len(column) for column in fold.history(-1)] == [0, 0, 0]
    features = fold.read(
        _native.View([("components", 1, [0]), ("history", 2, []), ("user_bag", 3, [0])], False),
        np.array([-1], dtype=np.int32), np.array([-1], dtype=np.int32), np.zeros(1, dtype=np.int64),
        np.ones((1, 1), dtype=np.uint64),
    )  # fmt: skip
    assert features[0].tolist() == []
    assert features[1].tolist() == [0, 0, 0, 0]
    assert features[2].shape == (1, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item_components": 0}, "an item has its key"),
        ({"item_components": 70}, "at most 64 components"),
        ({"item_components": 2**32 - 1}, "at most 64 components"),
        ({"half_lives": []}, "at least one half-life"),
        ({"half_lives": [-1.0]}, "half-life must be 0 or more"),
        ({"half_lives": [float("nan")]}, "half-life must be 0 or more"),
        ({"binary": [True] * 200}, "at most 256"),
        ({"smoothing": 0.0}, "smoothing"),
        ({"smoothing": float("inf")}, "smoothing"),
        ({"history_length": 0}, "history_length"),
        ({"groups": [[]]}, "names its components"),
        ({"groups": [[4]]}, "names no component"),
    ],
)
def test_a_fold_that_would_read_foreign_memory_is_not_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_fold(**changes)


@pytest.mark.parametrize(
    "slots",
    [
        [("colour", 1, [0])], [("components", 1, [])], [("user_bag", 1, [])], [("age", 0, [])], [("age", 4096, [])],
    ],
)  # fmt: skip
def test_a_view_of_no_such_slot_is_not_made(slots: list[tuple[str, int, list[int]]]) -> None:
    with pytest.raises(ValueError):
        _native.View(slots, False)


def test_none_is_not_a_view() -> None:
    given = columns() | {"views": [None], "emit": np.ones((2, 1), dtype=np.uint8)}
    with pytest.raises((TypeError, ValueError)):
        fill(make_fold()).run(*given.values())


def test_entities_that_do_not_fit_are_refused() -> None:
    fold = fill(make_fold())
    key, pair = np.ones(1, dtype=np.uint64), np.ones(2, dtype=np.uint64)
    with pytest.raises(ValueError, match="in order"):
        fold.set_user(3, key, *NONE)
    with pytest.raises(ValueError, match="in order"):
        fold.set_item(4, pair, *NONE, 0)
    with pytest.raises(ValueError, match="components differ"):
        fold.set_item(0, key, *NONE, 0)
    with pytest.raises(ValueError, match="a user has one component"):
        fold.set_user(0, pair, *NONE)
    for ends in ([3], [2, 1]):
        with pytest.raises(ValueError, match="bag_ends must go up"):
            fold.set_item(0, pair, pair, np.array(ends, dtype=np.uint32), 0)
    assert fold.users == 2
    assert fold.items == 3


def test_a_bag_that_an_entity_does_not_have_is_empty() -> None:
    fold = fill(make_fold())
    fold.set_item(0, np.ones(2, dtype=np.uint64), np.array([5, 6], np.uint64), np.array([1, 2], np.uint32), 0)
    view = _native.View([("item_bag", 9, [bag]) for bag in (0, 1, 2, 2**32 - 1)], False)
    one = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int64)
    ids, offsets, _ = fold.read(view, *one, np.ones((1, 1), dtype=np.uint64))
    assert ids.tolist() == [(9 << 52) | 5, (9 << 52) | 6]
    assert offsets.tolist() == [0, 1, 2, 2, 2]


def test_dumps_that_do_not_fit_are_refused() -> None:
    fold = fill(make_fold())
    keys, times = np.array([1, 2], np.uint64), np.zeros(2, np.int64)
    ends, weights = np.array([0, 2], np.int64), np.zeros(2, np.float32)
    for load in (
        lambda: fold.load_counters(keys, times, np.zeros((2, 5), np.float32)),
        lambda: fold.load_counters(keys, times[:1], np.zeros((2, 6), np.float32)),
        lambda: fold.load_counters(np.array([1, 1], np.uint64), times, np.zeros((2, 6), np.float32)),
        lambda: fold.load_counters(np.array([0, 1], np.uint64), times, np.zeros((2, 6), np.float32)),
        lambda: fold.load_popularity(keys, times, np.zeros((2, 2), np.float32)),
        lambda: fold.load_histories(ends, np.array([0, 3], np.int32), weights, times),
        lambda: fold.load_histories(np.array([1, 3], np.int64), np.zeros(2, np.int32), weights, times),
        lambda: fold.load_histories(np.array([2, 1], np.int64), np.zeros(2, np.int32), weights, times),
        lambda: fold.load_histories(np.zeros(3, np.int64), np.zeros(2, np.int32), weights, times),
        lambda: fold.load_partners(ends, np.array([0, -1], np.int32), weights),
        lambda: fold.load_partners(np.zeros(4, np.int64), np.zeros(2, np.int32), weights),
        lambda: fold.load_seen(np.ones(2, np.uint64), np.zeros(2, np.uint16), np.zeros(2, np.uint8)),
        lambda: fold.load_seen(keys, np.zeros(1, np.uint16), np.zeros(2, np.uint8)),
        lambda: fold.load_totals(np.zeros(2, np.uint32), np.zeros(3, np.uint32)),
    ):
        with pytest.raises(ValueError):
            load()


def test_readers_beside_the_writer_see_whole_states() -> None:
    fold = fill(make_fold(groups=[[0], [0]]), users=1, items=1)
    view = _native.View([], True)
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            one = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int64)
            while not done.is_set():
                dense = fold.read(view, *one, np.ones((1, 1), dtype=np.uint64))[2][0, 2:]
                # Both groups are the user's: a reader that came between two counters would see them differ.
                assert dense[:6].tolist() == dense[6:].tolist()
                assert len(fold.popularity(0)) >= 1
                assert len({len(column) for column in fold.dump_seen()}) == 1
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for item in range(1, 300):
        fold.set_item(item, np.array([item + 100, 7], dtype=np.uint64), *NONE, 0)
        given = columns(20)
        given["items"] = np.full(20, item, dtype=np.int32)
        fold.run(*given.values())
    done.set()
    for reader in readers:
        reader.join(timeout=60)
    assert failures == []
