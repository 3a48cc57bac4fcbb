"""Which negatives are learned, and at which weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.ids import hash_ids
from feedmill.stream.joining.sampling import NegativeSampling

N = 200_000
USERS = hash_ids(f"u{number % 1000}" for number in range(N))
ITEMS = hash_ids(f"i{number % 77}" for number in range(N))
SEQUENCE = np.arange(N)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_share_that_is_kept_has_the_weight_of_all(rate: float) -> None:
    weights = NegativeSampling(rate, 0).weights(USERS, ITEMS, SEQUENCE)
    assert set(weights.tolist()) == {0.0, np.float32(1 / rate)}
    # Five standard errors of a binomial share.
    assert abs(weights.mean() - 1) < 5 * np.sqrt((1 - rate) / rate / N)


def test_all_are_kept_where_nothing_is_sampled() -> None:
    assert NegativeSampling(1.0, 0).weights(USERS, ITEMS, SEQUENCE).tolist() == [1.0] * N


@given(st.lists(st.integers(0, N - 1), min_size=1, max_size=5), st.integers(0, 2**63 - 1))
def test_what_is_drawn_of_an_impression_does_not_depend_on_others(rows: list[int], seed: int) -> None:
    sampling, chosen = NegativeSampling(0.3, seed), np.array(rows)
    together = sampling.weights(USERS[:1000], ITEMS[:1000], SEQUENCE[:1000])
    for row in chosen % 1000:
        assert sampling.weights(USERS[[row]], ITEMS[[row]], SEQUENCE[[row]])[0] == together[row]


@pytest.mark.parametrize("column", ["seed", "user", "item", "place"])
def test_another_seed_user_item_or_place_is_another_draw(column: str) -> None:
    def kept(other: bool) -> np.ndarray:
        seed = 5 if column == "seed" and other else 4
        users = hash_ids(["v"]) if column == "user" and other else hash_ids(["u"])
        items = hash_ids(["j"]) if column == "item" and other else hash_ids(["i"])
        first = 10_000 if column == "place" and other else 0
        places = np.arange(first, first + 10_000)
        return NegativeSampling(0.5, seed).weights(users.repeat(10_000), items.repeat(10_000), places) > 0

    # Draws that have nothing to do with each other agree half of the time.
    assert abs((kept(False) == kept(True)).mean() - 0.5) < 5 * 0.5 / np.sqrt(10_000)
