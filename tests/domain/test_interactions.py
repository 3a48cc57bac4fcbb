"""Interactions as columns: what is refused, and what the order of rows means."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions


def test_without_times_the_order_of_rows_stands_for_them_and_values_are_one() -> None:
    found = Interactions.of([1, 0], [2, 2])
    assert (found.n_users, found.n_items, len(found)) == (2, 3, 2)
    assert found.times.tolist() == [0, 1]
    assert found.values.tolist() == [1, 1]


def test_ids_get_ordinals_in_order_of_appearance() -> None:
    found, users, items = Interactions.from_ids(["b", "a", "b"], ["x", "x", "y"])
    assert (users, items) == (["b", "a"], ["x", "y"])
    assert found.users.tolist() == [0, 1, 0]
    assert found.items.tolist() == [0, 0, 1]


def test_rows_of_the_same_time_keep_their_order() -> None:
    found = Interactions.of([0, 0, 0], [2, 1, 0], [5, 3, 3]).by_time()
    assert found.items.tolist() == [1, 0, 2]


def test_pairs_are_equal_where_user_and_item_are() -> None:
    pairs = Interactions.of([0, 1, 0, 1], [3, 0, 3, 3]).pairs()
    assert pairs[0] == pairs[2]
    assert len(set(pairs.tolist())) == 3


def test_nothing_is_an_interaction_too() -> None:
    found = Interactions.of([], [], n_users=3, n_items=4)
    assert (len(found), found.n_users, found.n_items) == (0, 3, 4)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [1, 2]), "items: shape"),
        (([-1], [0]), "users: -1 to -1"),
        ((["ada"], [0]), "`from_ids` takes ids"),
        (([0], [0], [0.5]), "times: float64"),
        (([0], [0], None, [0.0]), "values: every one must be finite and above 0"),
        (([0], [0], None, [np.nan]), "values"),
    ],
)
def test_what_is_no_interaction_is_refused_with_the_column_at_fault(columns, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Interactions.of(*columns)


def test_an_ordinal_beyond_the_catalogue_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="below 2"):
        Interactions.of([0], [2], n_items=2)
