import math

import numpy as np
import pytest
from scipy import stats

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import auc, log_loss, mean_interval, paired_bootstrap


def _rows(generator, users=60, rows=20):
    groups = np.repeat(np.arange(users), rows)
    truth = generator.normal(size=users * rows)
    labels = truth + generator.normal(size=users * rows) > 0
    return labels, truth, groups


def test_a_model_against_itself_differs_by_nothing():
    labels, scores, groups = _rows(np.random.default_rng(0))
    result = paired_bootstrap(auc, labels, scores, scores, groups, 50, np.random.default_rng(1))
    assert (result.estimate, result.low, result.high, result.p_value) == (0, 0, 0, 1)


def test_a_better_model_is_told_from_a_worse_one():
    generator = np.random.default_rng(2)
    labels, scores, groups = _rows(generator)
    worse = scores + generator.normal(size=len(scores))
    result = paired_bootstrap(auc, labels, scores, worse, groups, 400, generator)
    assert result.estimate == pytest.approx(auc(labels, scores) - auc(labels, worse))
    assert 0 < result.low < result.estimate < result.high
    assert result.p_value == pytest.approx(2 / 401)


def test_the_fast_path_of_auc_equals_the_metric_called_on_weights():
    generator = np.random.default_rng(3)
    labels, scores, groups = _rows(generator, users=20)
    scores = np.round(scores, 1)
    worse = np.round(scores + generator.normal(size=len(scores)), 1)
    names = np.array([f"user-{group}" for group in groups])
    fast = paired_bootstrap(auc, labels, scores, worse, names, 100, np.random.default_rng(4))
    slow = paired_bootstrap(lambda *a: auc(*a), labels, scores, worse, names, 100, np.random.default_rng(4))
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=1e-12)


def test_the_interval_of_a_mean_of_groups_agrees_with_theory():
    generator = np.random.default_rng(5)
    users = 200
    groups = np.repeat(np.arange(users), 5)
    loss = np.repeat(generator.normal(1.0, 0.2, size=users), 5)
    labels = np.ones(len(loss))
    result = paired_bootstrap(
        log_loss, labels, np.exp(-loss), np.ones(len(loss)), groups, 1000, np.random.default_rng(6)
    )
    # Rows repeat within a user, so the error is that of 200 values, not of 1,000.
    error = loss[::5].std() / math.sqrt(users)
    assert (result.high - result.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_resamples_of_one_class_are_left_out():
    # One group holds the only positive, the other the only negative: half of the resamples lack one of them.
    result = paired_bootstrap(auc, [1, 0], [1.0, 0.0], [0.0, 1.0], [0, 1], 200, np.random.default_rng(7))
    assert (result.low, result.high) == (1, 1)


def test_one_group_cannot_be_resampled():
    with pytest.raises(InvalidArgument, match="at least 2"):
        paired_bootstrap(auc, [1, 0], [1, 0], [1, 0], [0, 0], 10, np.random.default_rng(0))


def test_the_interval_of_a_mean_is_students():
    values = [0.71, 0.74, 0.73, 0.75, 0.72]
    low, high = stats.t.interval(0.9, 4, loc=np.mean(values), scale=stats.sem(values))
    result = mean_interval(values, 0.9)
    assert (result.estimate, result.low, result.high) == pytest.approx((0.73, low, high))
    assert result.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_the_interval_of_one_value_has_no_bounds():
    assert mean_interval([2.0]).estimate == 2
    assert math.isnan(mean_interval([2.0]).low)
    assert math.isnan(mean_interval([]).estimate)


def test_values_that_do_not_differ_leave_no_doubt():
    same = mean_interval([2.0, 2.0])
    assert (same.low, same.high, same.p_value) == (2, 2, 0)
    assert mean_interval([0.0, 0.0]).p_value == 1
