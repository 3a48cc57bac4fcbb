"""What accuracy does not say, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import (
    attention_by_group,
    coverage,
    coverage_without_each,
    diversity,
    gini,
    gini_without_each,
    head_and_tail,
    jackknife_interval,
    novelty,
    quality_by_group,
    serendipity,
    shares_by_group,
    thirds,
)

LISTS = np.array([[0, 1, 2], [0, 2, -1]])


def test_coverage_counts_each_item_that_is_shown_once():
    assert coverage(LISTS, 6) == 0.5
    assert coverage(np.array([[-1]]), 6) == 0
    assert math.isnan(coverage(LISTS[:0], 0))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_gini_is_the_mean_gap_between_two_items_over_twice_the_mean(shown):
    counts = np.bincount(shown, minlength=6)
    expected = np.abs(counts[:, None] - counts[None, :]).mean() / (2 * counts.mean())
    assert gini(np.array([shown]), 6) == pytest.approx(expected)


@given(
    st.integers(2, 9).flatmap(
        lambda items: st.tuples(
            st.just(items),
            st.lists(st.sets(st.integers(0, items - 1), max_size=4), min_size=2, max_size=8),
        )
    )
)
def test_what_is_left_without_each_user_is_what_the_other_lists_show(case):
    items, shown = case
    lists = np.array([[*sorted(row), *[-1] * 4][:4] for row in shown])
    others = [np.delete(lists, user, axis=0) for user in range(len(lists))]
    assert coverage_without_each(lists, items).tolist() == [coverage(rest, items) for rest in others]
    np.testing.assert_allclose(gini_without_each(lists, items), [gini(rest, items) for rest in others], atol=1e-12)


def test_the_interval_of_coverage_holds_what_as_many_other_users_would_be_shown():
    """Where resampled users, of whom some come twice, hold less every time."""
    generator = np.random.default_rng(0)
    popularity = 1 / np.arange(1, 201)

    def draw() -> np.ndarray:
        return np.array([generator.choice(200, 5, replace=False, p=popularity / popularity.sum()) for _ in range(40)])

    worlds = [draw() for _ in range(200)]
    for whole, without_each in ((coverage, coverage_without_each), (gini, gini_without_each)):
        truth = np.mean([whole(lists, 200) for lists in worlds])
        found = [jackknife_interval(whole(lists, 200), without_each(lists, 200)) for lists in worlds]
        assert np.mean([one.low <= truth <= one.high for one in found]) > 0.93
        assert np.mean([one.high - one.low for one in found]) < 0.2
    resampled = [coverage(lists[generator.integers(40, size=40)], 200) for lists in worlds]
    assert np.mean([again < coverage(lists, 200) for again, lists in zip(resampled, worlds, strict=True)]) == 1


def test_of_one_user_there_is_no_interval():
    assert math.isnan(jackknife_interval(0.5, np.array([0.0])).low)
    assert math.isnan(jackknife_interval(0.2, np.array([0.1, math.nan])).low)
    alike = jackknife_interval(0.5, np.full(3, 0.5))
    assert (alike.low, alike.high) == (0.5, 0.5)


def test_novelty_is_in_bits_and_what_nobody_met_counts_as_if_one_had():
    seen_by = np.array([8, 2, 0])
    assert novelty(LISTS, seen_by, 8).tolist() == [pytest.approx((0 + 2 + 3) / 3), pytest.approx((0 + 3) / 2)]
    assert math.isnan(novelty(np.array([[-1, -1]]), seen_by, 8)[0])
    with pytest.raises(InvalidArgument, match="n_users"):
        novelty(LISTS, seen_by, 0)


def test_diversity_is_one_less_the_mean_cosine_of_two_items():
    generator = np.random.default_rng(0)
    features = sparse.csr_matrix(generator.random((5, 8)) * (generator.random((5, 8)) < 0.6))
    lists = np.array([[0, 1, 2, 4], [3, 1, -1, -1], [2, -1, -1, -1]])
    alike = cosine_similarity(features)
    expected = 1 - np.mean([alike[one, other] for one, other in ((0, 1), (0, 2), (0, 4), (1, 2), (1, 4), (2, 4))])
    found = diversity(lists, features)
    assert found[:2].tolist() == pytest.approx([expected, 1 - alike[3, 1]])
    assert math.isnan(found[2])


def test_serendipity_is_what_is_relevant_and_not_obvious():
    found = np.array([[True, True, False]])
    assert serendipity(found, np.array([[4, 5, 6]]), np.array([[4, 9]])).tolist() == [pytest.approx(1 / 3)]


def test_exposure_goes_by_the_place_and_leaves_out_items_of_no_group():
    one, two, three = 1.0, 1 / math.log2(3), 1 / 2
    attention = attention_by_group(LISTS, np.array([0, -1, 1]), 2)
    assert attention.tolist() == [[one, pytest.approx(three)], [one, pytest.approx(two)]]
    shares = shares_by_group(attention, 200, np.random.default_rng(0))
    assert [share.estimate for share in shares] == pytest.approx(
        [2 * one / (2 * one + three + two), (three + two) / (2 * one + three + two)]
    )
    # Only the first user, or only the second, is the most that a resample can be of one.
    assert shares[0].low == pytest.approx(one / (one + two))
    assert shares[0].high == pytest.approx(one / (one + three))
    assert shares[1].low + shares[0].high == pytest.approx(1)
    nothing = shares_by_group(attention_by_group(LISTS, np.full(3, -1), 2), 10, np.random.default_rng(0))
    assert all(math.isnan(share.estimate) for share in nothing)


def test_quality_of_a_group_is_the_mean_of_its_users():
    values, groups = np.array([0.0, 1.0, 1.0, math.nan]), np.array([0, 0, 1, 1])
    first, second, third = quality_by_group(values, groups, 3, 100, np.random.default_rng(0))
    assert (first.estimate, first.low, first.high) == (0.5, 0.0, 1.0)
    assert second.estimate == 1
    assert math.isnan(second.low)
    assert math.isnan(third.estimate)


def test_groups_are_thirds_of_users_and_head_middle_and_tail_of_items():
    assert thirds([1, 2, 3, 4, 5, 6]).tolist() == [0, 0, 1, 1, 2, 2]
    assert thirds([7, 7, 7]).tolist() == [0, 0, 0]
    # By their counts: 35 and 30 pass the half, 20 and 10 nine tenths, 5 is left.
    assert head_and_tail(np.array([10, 30, 20, 35, 5])).tolist() == [1, 0, 1, 0, 2]
