import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR, MINUTE
from feedmill.domain.errors import InvalidArgument
from feedmill.simulation.impression_log import ACTIONS, ImpressionLog, read_kuairand
from feedmill.simulation.marginals import (
    distances,
    gini,
    kolmogorov_smirnov,
    lorenz,
    marginals,
    session_lengths,
    thinned,
)


def _log(users, items, times=None, watched=None, **actions):
    n = len(users)
    return ImpressionLog(
        np.array(users),
        np.array(items),
        np.zeros(n, dtype=np.int64) if times is None else np.array(times),
        np.zeros(n, dtype=np.float32) if watched is None else np.array(watched, dtype=np.float32),
        np.full(n, 20, dtype=np.float32),
        {name: np.array(actions.get(name, [False] * n)) for name in ACTIONS},
    )


def _random():
    return np.random.default_rng(0)


def test_a_lorenz_curve_says_what_the_least_active_part_has():
    curve = lorenz(np.array([3, 1]))
    assert curve[[0, 25, 50, 75, 100]].tolist() == [0, 0.125, 0.25, 0.625, 1]
    # From the curve up to the diagonal: 1/2 - (1/2 x 1/4 + 1/2 x (1/4 + 1)) / 2 = 1/8; Gini is twice that.
    assert gini(curve) == pytest.approx(0.25)
    assert gini(lorenz(np.array([5, 5, 5, 5]))) == pytest.approx(0)


def test_a_pause_of_more_than_half_an_hour_ends_a_session():
    times = [0, 30 * MINUTE, 60 * MINUTE + 1, 5, 61 * MINUTE]
    assert session_lengths(_log([1, 1, 1, 2, 1], [1, 2, 3, 4, 5], times)).tolist() == [2, 2, 1]


def test_thinning_keeps_whole_keys_and_reaches_the_mean():
    users, items = (grid.ravel() for grid in np.mgrid[0:50, 0:40])
    kept = thinned(items, users, 8, _random())
    assert kept.sum() == 8 * 50
    assert len(np.unique(items[kept])) == 8
    assert len(np.unique(users[kept])) == 50


def test_a_log_below_the_mean_is_not_thinned():
    assert thinned(np.array([1, 2, 3]), np.array([1, 1, 2]), 2, _random()).all()


def test_thinning_by_items_leaves_the_unevenness_of_users_that_there_would_be_by_chance():
    # Everybody sees every item equally often: what is left of a user is the same for all.
    users, items = (grid.ravel() for grid in np.mgrid[0:60, 0:40])
    result = marginals(_log(users, items), _random(), per_user=5, draws=3)
    assert result.per_user == 5
    assert gini(result.user_curve) == pytest.approx(0)
    assert result.per_item == 60


def test_the_marginals_of_four_impressions_are_these():
    log = _log(
        [1, 1, 1, 2],
        [1, 1, 2, 3],
        [0, MINUTE, DAY + 13 * HOUR, 13 * HOUR],
        [0.5, 0, 1, np.nan],
        click=[True, True, False, True],
    )
    result = marginals(log, _random(), draws=2)
    assert result.watched.tolist() == [0, 0.5, 1]
    assert result.rates["click"] == 0.75
    assert result.rates["like"] == 0
    assert result.hours[0] == 12
    assert result.hours[13] == 12
    assert result.per_user == 2
    assert result.per_item == pytest.approx(4 / 3)
    assert result.sessions[:2] == pytest.approx([2 / 3, 1 / 3])
    assert result.session_mean == pytest.approx(4 / 3)
    assert result.days[:2].tolist() == [0.5, 0.5]


def test_the_marginals_of_nothing_are_refused():
    with pytest.raises(InvalidArgument, match="no impression"):
        marginals(_log([], []), _random())


def test_the_largest_gap_between_distributions_is_found_at_what_many_have():
    half_at_zero = np.array([0, 0, 0.5, 1], dtype=np.float32)
    few_at_zero = np.array([0, 0.25, 0.5, 1], dtype=np.float32)
    assert kolmogorov_smirnov(half_at_zero, few_at_zero) == 0.25
    assert kolmogorov_smirnov(half_at_zero, half_at_zero) == 0


def test_distances_are_ratios_of_rates_and_shares_that_would_have_to_move():
    one = marginals(_log([1, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 13 * HOUR], click=[True, True, True, False]), _random())
    other = marginals(_log([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 2, 3], click=[True, False, False, False]), _random())
    result = distances(one, other)
    assert result.rates == {"click": 3}
    assert result.hours == pytest.approx(0.25)
    assert result.sessions == pytest.approx(1 / 3)
    assert result.session_mean == pytest.approx(4 / 3)
    # Of 1, 1 and 2 impressions: 1/2 - (1/4 x 1/3 + (1/4 + 1/2) x 1/3 + (1/2 + 1) x 1/3) / 2 = 1/12, twice.
    assert result.user_gini == pytest.approx(1 / 6, abs=1e-3)
    assert result.item_gini == pytest.approx(0)
    same = distances(one, one)
    assert (same.watched, same.days, same.session_mean) == (0, 0, 1)


def test_kuairand_has_the_marginals_that_its_publisher_counts(data_dir):
    log = read_kuairand(data_dir / "kuairand")
    assert len(log) == 91_805
    result = marginals(log, _random(), draws=1)
    assert result.rates["click"] == pytest.approx(41_095 / 91_805)
    assert result.per_user == pytest.approx(91_805 / 21_184)
    assert result.per_item == pytest.approx(91_805 / 5_564)
