"""Popularity as counts that fade, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.evaluation.popularity import FadingCounts, FadingRates, rates_so_far

HOUR = 3_600_000


def at(*hours: float) -> np.ndarray:
    return np.array([round(hour * HOUR) for hour in hours], dtype=np.int64)


def items(*indices: int) -> np.ndarray:
    return np.array(indices, dtype=np.int64)


def everything(asked: np.ndarray) -> np.ndarray:
    return np.ones(len(asked), dtype=np.bool_)


def test_without_a_half_life_counts_are_counts() -> None:
    counts = FadingCounts()
    counts.add(items(0, 2, 2), at(0, 1, 900))
    counts.add(items(0), at(5), np.array([0.5]))
    assert counts.relative(4).tolist() == [1.5, 0.0, 2.0, 0.0]
    assert (counts.total, counts.unit) == (3.5, 1.0)


def test_a_like_is_worth_half_of_one_that_is_a_half_life_younger() -> None:
    counts = FadingCounts(half_life=HOUR)
    counts.add(items(0, 1, 1), at(0, 2, 3))
    # 1, and 2^2 + 2^3, in units of the first.
    relative = counts.relative(2)
    assert relative[1] / relative[0] == 12
    assert counts.unit == 8


def test_counts_stay_in_the_range_of_floats_over_any_time() -> None:
    counts = FadingCounts(half_life=HOUR)
    counts.add(items(0, 1), at(0, 0))
    counts.add(items(1), at(600))
    counts.add(items(0, 1), at(5_000, 5_001))
    relative = counts.relative(2)
    assert np.isfinite(relative).all()
    assert relative[1] / relative[0] == pytest.approx(2)


def test_the_top_holds_the_highest_counts_that_are_eligible() -> None:
    counts = FadingCounts()
    counts.add(items(3, 1, 1, 4, 4, 4, 0), at(*range(7)))
    assert counts.top(6, 2, everything) == [4, 1]
    assert counts.top(6, 9, everything) == [4, 1, 0, 3]
    assert counts.top(6, 2, lambda asked: asked != 4) == [1, 0]
    assert counts.top(0, 2, everything) == []


def test_the_top_is_found_behind_many_that_are_not_eligible() -> None:
    counts = FadingCounts()
    counts.add(np.repeat(np.arange(1_000), np.arange(1_000, 0, -1)), np.zeros(500_500, dtype=np.int64))
    assert counts.top(1_000, 3, lambda asked: asked >= 900) == [900, 901, 902]


def test_a_rate_is_smoothed_towards_the_rate_of_all() -> None:
    rates = FadingRates(prior=4)
    rates.add(items(0, 0, 1, 1), at(0, 1, 2, 3), np.array([1.0, 1.0, 0.0, 0.0]))
    # (2 + 4 * 0.5) / (2 + 4), (0 + 4 * 0.5) / (2 + 4), and the rate of all for an item that nobody saw.
    assert rates.predict(items(0, 1, 2)).tolist() == pytest.approx([4 / 6, 2 / 6, 0.5])


def test_the_weight_of_the_rate_of_all_is_in_impressions_of_today() -> None:
    rates = FadingRates(half_life=HOUR, prior=1)
    rates.add(items(0, 1), at(0, 2), np.array([1.0, 0.0]))
    # Shown 1/4 and 1 as of the last; the rate of all is (1/4) / (5/4) = 0.2.
    assert rates.predict(items(0, 1)).tolist() == pytest.approx([(0.25 + 0.2) / 1.25, 0.2 / 2])


def test_before_anything_was_seen_every_rate_is_one_half() -> None:
    assert FadingRates().predict(items(0, 7)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("half_life", [0.0, -1.0, float("nan")])
def test_a_half_life_that_is_none_is_refused(half_life: float) -> None:
    with pytest.raises(InvalidArgument, match="half_life"):
        FadingCounts(half_life)


@pytest.mark.parametrize("half_life", [None, float(HOUR)])
def test_another_future_changes_no_rate_of_what_came_before(half_life: float | None) -> None:
    rng = np.random.default_rng(0)
    of, at = rng.integers(0, 5, 100), np.arange(100) * HOUR // 20
    labels = rng.integers(0, 2, 100).astype(np.float64)
    found = rates_so_far(of, at, labels, 10, half_life=half_life)
    assert found[:10].tolist() == [0.5] * 10
    for cut in (10, 55, 90):
        step = cut // 10 * 10
        other_of, other = of.copy(), labels.copy()
        other[step:] = 1 - other[step:]
        other_of[step + 10 :] = rng.permutation(other_of[step + 10 :])
        changed = rates_so_far(other_of, at, other, 10, half_life=half_life)
        assert changed[: step + 10].tobytes() == found[: step + 10].tobytes()
        if step < 90:
            assert changed[step + 10 :].tobytes() != found[step + 10 :].tobytes()
