"""The cosine between rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from feedmill.learn.models.likeness import likeness

# Row 0 shares one column with row 1, both with row 2, and none with row 3.
ROWS = sparse.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0]], dtype=np.float32))


def test_it_is_the_cosine_to_every_other_row_that_shares_something() -> None:
    found = likeness(ROWS, ROWS, 3, 0, itself=False).toarray()
    assert found[0] == pytest.approx([0, 1 / np.sqrt(2), 2 / np.sqrt(8), 0])
    assert found[3] == pytest.approx([0, 0, 1 / 2, 0])


def test_what_few_columns_speak_for_is_shrunk() -> None:
    found = likeness(ROWS, ROWS, 3, 1, itself=False).toarray()
    assert found[0] == pytest.approx([0, 1 / np.sqrt(2) * 1 / 2, 2 / np.sqrt(8) * 2 / 3, 0])


def test_a_row_is_its_own_neighbour_only_where_it_may_be() -> None:
    assert likeness(ROWS, ROWS, 4, 0, itself=True).diagonal() == pytest.approx(np.ones(4))
    assert likeness(ROWS, ROWS, 4, 0, itself=False).diagonal() == pytest.approx(np.zeros(4))


def test_of_equally_near_ones_the_first_are_kept() -> None:
    alike = sparse.csr_matrix(np.ones((4, 2), dtype=np.float32))
    assert likeness(alike[:1], alike, 2, 0, itself=True).indices.tolist() == [0, 1]
    nearest = likeness(alike, alike, 2, 0, itself=False)
    assert [nearest[row].indices.tolist() for row in range(4)] == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_a_row_without_columns_is_like_nothing() -> None:
    empty = sparse.csr_matrix((2, 4), dtype=np.float32)
    assert likeness(empty, ROWS, 2, 0, itself=True).nnz == 0
    assert likeness(ROWS, empty, 2, 0, itself=True).nnz == 0


def test_blocks_of_rows_are_as_the_whole(monkeypatch) -> None:
    generator = np.random.default_rng(0)
    rows = sparse.csr_matrix((generator.random((50, 30)) < 0.2).astype(np.float32))
    whole = likeness(rows, rows, 5, 2, itself=False).toarray()
    monkeypatch.setattr("feedmill.learn.models.likeness.AT_ONCE", 200)
    assert likeness(rows, rows, 5, 2, itself=False).toarray().tobytes() == whole.tobytes()
