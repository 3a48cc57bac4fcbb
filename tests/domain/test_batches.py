"""Features as columns, against lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.batches import Features

SLOTS, DENSE = 3, 2
Bags = list[list[int]]
ROWS = st.lists(
    st.lists(st.lists(st.integers(1, 2**64 - 1), max_size=3), min_size=SLOTS, max_size=SLOTS), min_size=1, max_size=6
)


def features_of(rows: list[Bags], first: int = 0) -> Features:
    ids = [identity for row in rows for bag in row for identity in bag]
    ends = np.cumsum([len(bag) for row in rows for bag in row], dtype=np.int64)
    dense = np.array([[first + i, -(first + i)] for i in range(len(rows))], dtype=np.float32).reshape(-1, DENSE)
    return Features(np.array(ids, dtype=np.uint64), np.concatenate([np.zeros(1, np.int64), ends]), dense)


def rows_of(features: Features) -> list[Bags]:
    bags = [
        features.ids[begin:end].tolist()
        for begin, end in zip(features.offsets[:-1], features.offsets[1:], strict=True)
    ]  # fmt: skip
    return [bags[start : start + SLOTS] for start in range(0, len(bags), SLOTS)]


@given(ROWS, st.data())
def test_taking_rows_is_taking_rows_of_lists(rows: list[Bags], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    features = features_of(rows)
    taken = features.take(np.array(chosen, dtype=np.intp))
    assert rows_of(taken) == [rows[i] for i in chosen]
    assert taken.dense.tolist() == [[i, -i] for i in chosen]
    assert len(taken) == len(chosen)
    assert taken.offsets.dtype == np.int64
    assert taken.ids.dtype == np.uint64


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_concatenating_is_concatenating_lists(parts: list[list[Bags]]) -> None:
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    whole = Features.concatenate([features_of(part, first) for part, first in zip(parts, starts, strict=False)])
    assert rows_of(whole) == [row for part in parts for row in part]
    assert whole.dense[:, 0].tolist() == list(range(len(whole)))


def test_no_rows_can_be_taken_and_concatenated() -> None:
    none = Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, DENSE), np.float32))
    some = features_of([[[1], [], [2, 3]]])
    assert len(none.take(np.empty(0, np.intp))) == 0
    assert rows_of(Features.concatenate([none, some, none])) == rows_of(some)
    assert len(some.take(np.empty(0, np.intp))) == 0
