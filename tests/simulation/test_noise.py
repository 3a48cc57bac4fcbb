import numpy as np
import pytest
from scipy.stats import kstest

from feedmill.simulation.noise import Channel, Draws

USERS, COUNTERS = np.arange(300)[:, None], np.arange(300)


def test_a_draw_depends_on_its_place_alone():
    draws = Draws(3)
    table = draws.uniform(Channel.WATCH, USERS, COUNTERS)
    assert table.shape == (300, 300)
    assert draws.uniform(Channel.WATCH, np.array([17]), 251)[0] == table[17, 251]
    np.testing.assert_array_equal(Draws(3).uniform(Channel.WATCH, USERS[::-1], COUNTERS), table[::-1])


@pytest.mark.parametrize("seed", [0, 1, 2**62 - 1])
def test_draws_are_uniform_and_normal(seed):
    draws = Draws(seed)
    uniform = draws.uniform(Channel.STAY, USERS, COUNTERS)
    assert 0 < uniform.min() < uniform.max() < 1
    assert kstest(uniform.ravel(), "uniform").pvalue > 1e-3
    assert kstest(draws.normal(Channel.STAY, USERS, COUNTERS).ravel(), "norm").pvalue > 1e-3


def test_neighbours_channels_and_seeds_have_nothing_to_do_with_each_other():
    table = Draws(0).uniform(Channel.STAY, USERS, COUNTERS)
    others = [
        table[1:].ravel(),
        table[:, 1:].ravel(),
        Draws(1).uniform(Channel.STAY, USERS, COUNTERS).ravel(),
        Draws(0).uniform(Channel.BORE, USERS, COUNTERS).ravel(),
        table.T.ravel(),
    ]
    firsts = [table[:-1].ravel(), table[:, :-1].ravel(), table.ravel(), table.ravel(), table.ravel()]
    for first, other in zip(firsts, others, strict=True):
        # The standard error of a correlation of 90,000 pairs is 0.0033; a table and its transpose share 300 of them.
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.015
