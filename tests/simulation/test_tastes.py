import numpy as np
import pytest

from feedmill.domain.clock import DAY
from feedmill.simulation import World, WorldConfig


def _world(**changes):
    return World(WorldConfig(late_users=0, backlog=1, births_per_day=0, **changes), np.random.default_rng(0))


def test_tastes_stand_still_without_drift():
    world = _world(users=50, days=1, drift=0, jumps_per_day=0)
    before = world.tastes
    for _ in range(world.config.steps):
        world.step()
    np.testing.assert_array_equal(world.tastes, before)


def test_tastes_walk():
    world = _world(users=300, days=6)
    before = world.tastes
    distances = []
    for _ in range(6):
        for _ in range(world.config.steps // 6):
            world.step()
        distances.append(np.sqrt(((world.tastes - before) ** 2).mean()))
    assert distances == sorted(distances)
    favourite_kept = (world.tastes.argmax(axis=1) == before.argmax(axis=1)).mean()
    assert 0.3 < favourite_kept < 0.9


def test_a_walk_is_as_wide_as_configured_and_returns():
    world = _world(users=2000, days=4, drift=0.2, return_rate=0.5, jumps_per_day=0)
    before = world.tastes
    while not world.ended:
        world.step()
    # An Ornstein-Uhlenbeck walk has the variance drift^2 / (2 r) x (1 - exp(-2 r t)): 0.04 x (1 - exp(-4)) = 0.0393.
    assert (world.tastes - before).var() == pytest.approx(0.0393, rel=0.03)


def test_a_jump_swaps_a_loved_topic_for_another_at_the_configured_rate():
    world = _world(users=2000, days=2, drift=0, jumps_per_day=0.1)
    before = world.tastes
    while not world.ended:
        world.step()
    changed = (world.tastes != before).sum(axis=1)
    # Jumps in two days are Poisson of mean 0.2: a share of 1 - exp(-0.2) jumps at all.
    assert (changed > 0).mean() == pytest.approx(-np.expm1(-0.2), abs=0.03)
    np.testing.assert_array_equal(np.sort(world.tastes, axis=1), np.sort(before, axis=1))


def test_the_part_of_the_day_moves_what_is_liked_and_nothing_else_does():
    world = World(
        WorldConfig(
            users=200, late_users=0, backlog=40, births_per_day=0, days=2, drift=0, jumps_per_day=0, staleness=0
        ),
        np.random.default_rng(0),
    )
    users, items = np.arange(200), np.random.default_rng(1).choice(40, size=(200, 1))
    values = {}
    for _ in range(world.config.steps):
        now = world.step().now
        values[now % DAY // 3_600_000, now // DAY] = world.value(users, items)
    day = world.config.start // DAY
    np.testing.assert_allclose(values[7, day], values[11, day], rtol=1e-4)
    np.testing.assert_allclose(values[7, day], values[7, day + 1], rtol=1e-4)
    assert np.abs(values[7, day] - values[20, day]).mean() > 0.02


@pytest.mark.parametrize(("pace", "other"), [("fatigue", "satiation"), ("satiation", "fatigue")])
def test_a_topic_tires_and_recovers(pace, other):
    config = WorldConfig(
        users=30, late_users=0, authors=10, backlog=200, births_per_day=0, days=12, step_minutes=60, drift=0, mood=0,
        return_rate=0, jumps_per_day=0, staleness=0, repeat=0, patience=1, boredom=0, **{other: 0, pace: 0.3},
    )  # fmt: skip
    world = World(config, np.random.default_rng(0))
    world.step()
    users = np.arange(30)
    slate = world.oracle(users, 10)
    fresh = world.value(users, slate).mean()
    world.respond(users, slate)
    tired = fresh - world.value(users, slate).mean()
    assert tired > 0.05 * fresh
    left = {}
    for hours in range(1, 11 * 24):
        world.step()
        left[hours] = (fresh - world.value(users, slate).mean()) / tired
    if pace == "fatigue":
        assert left[4] < 0.75
        assert left[24] < 0.1
    else:
        assert left[24] > 0.75
        assert 0.1 < left[192] < 0.5
