"""The cosine between rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    monkeypatch.setattr("feedmill.learn.models.likeness.AT_ONCE", 7)
    assert likeness(rows, rows, 5, 2, itself=False).toarray().tobytes() == whole.tobytes()


def test_no_rows_have_no_neighbours() -> None:
    assert likeness(ROWS[:0], ROWS, 2, 0, itself=True).shape == (0, 4)


def by_hand(rows: np.ndarray, others: np.ndarray, count: int, shrinkage: float, itself: bool) -> np.ndarray:
    """The same from the whole matrix of cosines."""
    common = rows @ others.T
    lengths = (np.sqrt(matrix.sum(axis=1), dtype=np.float32).clip(min=1) for matrix in (rows, others))
    cosines = common / np.multiply.outer(*lengths)
    cosines *= np.divide(common, common + shrinkage, out=np.ones_like(common), where=common > 0)
    if not itself:
        np.fill_diagonal(cosines, 0)
    left_out = np.argsort(-cosines, axis=1, kind="stable")[:, count:]
    np.put_along_axis(cosines, left_out, 0, axis=1)
    return cosines


@given(
    columns=st.integers(1, 12),
    bits=st.lists(st.integers(0, 4095), max_size=20),
    other_bits=st.none() | st.lists(st.integers(0, 4095), min_size=1, max_size=20),
    count=st.integers(1, 8),
    shrinkage=st.sampled_from([0.0, 0.5, 10.0]),
)
def test_it_is_what_the_whole_matrix_of_cosines_gives(columns, bits, other_bits, count, shrinkage) -> None:
    rows = matrix(bits, columns)
    others = rows if other_bits is None else matrix(other_bits, columns)
    found = likeness(
        sparse.csr_matrix(rows), sparse.csr_matrix(others), count, shrinkage, itself=other_bits is not None
    )
    expected = by_hand(rows, others, count, shrinkage, itself=other_bits is not None)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
    assert found.has_canonical_format


def matrix(bits: list[int], columns: int) -> np.ndarray:
    return np.array([[number >> column & 1 for column in range(columns)] for number in bits], dtype=np.float32).reshape(
        len(bits), columns
    )
