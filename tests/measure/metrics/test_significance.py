"""Comparisons of models over users, against scipy and exact enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import (
    auc,
    average_precision,
    compare,
    holm,
    metric_interval,
    randomisation_test,
    ratio_interval,
    ratio_intervals,
    user_interval,
)


def test_the_interval_over_users_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(1).gamma(2.0, size=300)
    ours = user_interval(values, 4_000, np.random.default_rng(2))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4_000, method="percentile", rng=3).confidence_interval
    assert ours.estimate == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.01)


def test_users_without_a_value_are_left_out_of_the_interval():
    interval = user_interval(np.array([1.0, math.nan, 1.0]), 10, np.random.default_rng(0))
    assert (interval.estimate, interval.low, interval.high) == (1, 1, 1)
    assert math.isnan(user_interval(np.array([math.nan]), 10, np.random.default_rng(0)).estimate)


def test_ratios_of_one_table_are_resampled_together():
    generator = np.random.default_rng(6)
    above, below = generator.random((80, 2)), generator.random((80, 2)) + 0.5
    found = ratio_intervals(above, below, 500, np.random.default_rng(7))
    for column in range(2):
        alone = ratio_interval(above[:, column], below[:, column], 500, np.random.default_rng(7))
        for one in (found[column], alone):
            assert one.estimate == pytest.approx(above[:, column].sum() / below[:, column].sum())
        assert (found[column].low, found[column].high) == pytest.approx((alone.low, alone.high))
    silent = ratio_intervals(above, below * [1, 0], 10, np.random.default_rng(7))
    assert math.isnan(silent[1].estimate)


def test_the_randomisation_test_comes_to_the_share_of_all_swaps_that_differ_as_much():
    generator = np.random.default_rng(4)
    first, second = generator.random(10) + 0.2, generator.random(10)
    gaps = first - second
    swaps = np.array(list(itertools.product([-1, 1], repeat=10)))
    exact = (np.abs(swaps @ gaps) >= abs(gaps.sum()) - 1e-12).mean()
    assert randomisation_test(first, second, 20_000, generator) == pytest.approx(exact, abs=0.01)


def test_models_that_are_the_same_to_every_user_do_not_differ():
    values = np.array([0.0, 1.0, 0.5])
    assert randomisation_test(values, values, 10, np.random.default_rng(0)) == 1
    with pytest.raises(InvalidArgument, match="3 and 2 users"):
        randomisation_test(values, values[:2], 10, np.random.default_rng(0))


def test_chance_is_found_no_oftener_than_the_level_says():
    generator = np.random.default_rng(5)
    found = [randomisation_test(generator.random(30), generator.random(30), 199, generator) < 0.1 for _ in range(400)]
    # Of 400 draws with a chance of .1, 99.9 % lie within 40 plus or minus 20.
    assert 20 <= sum(found) <= 60


def test_holm_multiplies_by_how_many_are_left_and_keeps_the_order():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2, then at least what the one before has.
    assert holm([0.03, 0.01, 0.9, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_every_pair_is_compared_and_the_better_one_comes_first():
    generator = np.random.default_rng(6)
    base = generator.random(200)
    values = {"worse": base, "better": base + 0.2, "like worse": base + generator.normal(0, 0.01, 200)}
    found = {frozenset((pair.first, pair.second)): pair for pair in compare(values, 500, generator)}
    assert len(found) == 3
    sure = found[frozenset(("worse", "better"))]
    assert (sure.first, sure.interval.estimate) == ("better", pytest.approx(0.2))
    assert sure.significant()
    assert sure.corrected == pytest.approx(3 / 501)
    assert not found[frozenset(("worse", "like worse"))].significant()


def test_the_interval_of_a_metric_of_rows_resamples_users():
    generator = np.random.default_rng(7)
    users = np.repeat(np.arange(60), 10)
    truth = generator.normal(size=600)
    labels = truth + generator.normal(size=600) > 0
    interval = metric_interval(auc, labels, truth, users, 300, generator)
    assert interval.estimate == pytest.approx(auc(labels, truth))
    assert interval.low < interval.estimate < interval.high


def test_the_fast_path_of_average_precision_equals_the_metric_called_on_weights():
    generator = np.random.default_rng(8)
    users, truth = np.repeat(np.arange(20), 10), np.round(generator.normal(size=200), 1)
    labels = truth + generator.normal(size=200) > 0
    fast = metric_interval(average_precision, labels, truth, users, 100, np.random.default_rng(4))
    slow = metric_interval(lambda *a: average_precision(*a), labels, truth, users, 100, np.random.default_rng(4))
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=1e-12)


def test_a_ratio_weighs_users_by_what_they_bring():
    generator = np.random.default_rng(9)
    rows = generator.integers(1, 9, 300).astype(float)
    sums = np.array([generator.normal(1.0, 0.3, int(n)).sum() for n in rows])
    interval = ratio_interval(sums, rows, 1_000, generator)
    assert interval.estimate == pytest.approx(sums.sum() / rows.sum())
    # Of independent rows the error is that of their number.
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * 0.3 / math.sqrt(rows.sum()), rel=0.15)
    assert math.isnan(ratio_interval(np.array([1.0]), np.array([0.0]), 10, generator).estimate)
