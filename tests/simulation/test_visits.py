import dataclasses

import numpy as np
import pytest

from feedmill.domain.clock import DAY
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.noise import Channel
from feedmill.simulation.visits import HOURS, Visits
from feedmill.simulation.world import NOTHING

STILL = {
    "late_users": 0, "births_per_day": 0, "backlog": 1200, "drift": 0, "jumps_per_day": 0, "audience": 0,
    "staleness": 0,
}  # fmt: skip


def _world(**changes):
    return World(WorldConfig(**STILL | changes), np.random.default_rng(0))


def _live(world, slates_for):
    """int64 [days, users]: how often each user came on each day; a day's last step ends at midnight."""
    visits = np.zeros((world.config.days, len(world.users)), dtype=int)
    while not world.ended:
        step = world.step()
        visits[(step.now - 1 - world.config.start) // DAY, step.arrivals] += 1
        users = step.arrivals
        while len(users):
            users = users[world.respond(users, slates_for(users)).goes_on]
    return visits


def _oracle(world):
    return lambda users: world.oracle(users, 10)


def _empty(users):
    return np.full((len(users), 10), NOTHING)


def test_users_who_are_neither_pleased_nor_disappointed_come_as_often_as_configured():
    world = _world(users=800, feeds_per_day=2, days=4, step_minutes=15)
    feeds = 0
    while not world.ended:
        feeds += len(world.step().arrivals)
    assert feeds == pytest.approx(world.users.activity.sum() * 4, rel=0.06)
    assert world.users.activity.mean() == pytest.approx(2, rel=0.1)


def test_there_are_days_off():
    world = _world(users=500, feeds_per_day=20, days=6, loyalty=0)
    came = _live(world, _empty) > 0
    # With twenty visits on the average day, hardly any day on has none: the share of days is the habit.
    assert came.mean() == pytest.approx(0.65, abs=0.06)
    assert 0.2 < (~came).any(axis=0).mean() < 1


class EvenOdds:
    """Luck by which what has a chance above a half happens, and nothing else; notes for which days it is asked."""

    def __init__(self):
        self.days = []

    def uniform(self, channel, who, counter):
        if channel == Channel.DAY:
            self.days.append(counter)
        return np.full(len(who), 0.5, dtype=np.float32)


def test_a_day_and_an_hour_end_with_the_step_that_ends_there():
    config = WorldConfig(users=1, late_users=0, days=2)
    # The chance to come is above a half where the rate of a step is above ln 2. The hours from 20 to 22 have 8 of the
    # hours' weights and the next busiest 7.5; so it is in those two alone, if it is ln 2 at a weight of 7.75.
    at_half = 48 * np.log(2) / (7.75 / 8 * HOURS.max())
    once = np.ones(1, dtype=np.float32)
    users = World(config, np.random.default_rng(0)).users
    users = dataclasses.replace(users, activity=once * np.float32(0.9 * at_half), habit=once * np.float32(0.9))
    visits, draws, nobody = Visits(config, users), EvenOdds(), np.zeros(0, dtype=np.int64)
    came = []
    for number in range(49):
        now = config.start + (number + 1) * config.step
        if len(visits.opens(now, number, np.ones(1, dtype=bool), nobody, draws)):
            came.append(number)
    # Step 40 begins at 20:00, step 43 ends at 22:00; step 47 ends the first day.
    assert came == [40, 41, 42, 43]
    assert draws.days == [config.start // DAY, config.start // DAY + 1]


def test_satisfied_users_come_back_more():
    pleased, bored, alone = (_world(users=200, days=6, backlog=600) for _ in range(3))
    visits = _live(pleased, _oracle(pleased))[3:]
    worst = bored.items.appeal.argsort()[:10]
    fewer = _live(bored, lambda users: np.tile(worst, (len(users), 1)))[3:]
    fewest = _live(alone, _empty)[3:]
    assert visits.sum() > 1.5 * fewer.sum()
    assert fewer.sum() > fewest.sum()
    assert pleased.active().mean() > bored.active().mean() + 0.1
    assert pleased.satisfaction.mean() > 0 > bored.satisfaction.mean() > alone.satisfaction.mean()


def test_an_empty_feed_disappoints_more_than_a_bad_one():
    bored, alone = (_world(users=1000, days=6, backlog=600) for _ in range(2))
    worst = bored.items.appeal.argsort()[:10]
    fewer = _live(bored, lambda users: np.tile(worst, (len(users), 1)))[3:]
    # In worlds of five seeds, 1.09 to 1.13 times as many visits.
    assert fewer.sum() > 1.05 * _live(alone, _empty)[3:].sum()


def test_an_empty_feed_locks_nobody_out_for_ever():
    world = _world(users=60, days=40, feeds_per_day=3, step_minutes=60)
    visits = _live(world, _empty)
    assert (visits[20:].sum(axis=0) > 0).mean() > 0.8
    # At worst a user comes 0.15 times as often as before: 0.45 a day of 3; these come again as they forget.
    assert visits[20:40].sum() / 20 / 60 > 0.4


def test_disappointment_is_forgotten():
    world = _world(users=200, days=30, step_minutes=60, habituation=0)
    for _ in range(8):
        world.step()
        world.respond(np.arange(200), _empty(np.arange(200)))
    low = world.satisfaction
    assert (low < -0.05).all()
    for _ in range(14 * 24):
        world.step()
    # Two half-lives.
    np.testing.assert_allclose(world.satisfaction, low / 4, rtol=1e-3)


def test_satisfaction_is_what_was_watched_beyond_expectation():
    config = WorldConfig(users=3, late_users=0, impression_weight=0.1, habituation=0.05)
    world = World(config, np.random.default_rng(0))
    visits = Visits(config, world.users)
    hope = world.users.hope
    visits.judge(np.arange(3), np.array([1.6, 0.5, 0.0], dtype=np.float32), np.array([2, 1, 0]), 4)
    # Two items of 0.8 on average, one of 0.5, and an empty page that counts as four of nothing: each moves satisfaction
    # by a tenth of what is left, 0.19, 0.1 and 0.3439 in all, and expectation by a twentieth, 0.0975, 0.05 and 0.1855.
    surprise = np.array([0.8, 0.5, 0.0]) - hope
    assert visits.satisfaction == pytest.approx(surprise * [0.19, 0.1, 0.3439], abs=1e-6)
    assert visits.expectation == pytest.approx(hope + surprise * [0.0975, 0.05, 0.18549375], abs=1e-6)


def test_expectations_get_used_to_what_is_found():
    config = WorldConfig(users=3, late_users=0, habituation=0.01)
    visits = Visits(config, World(config, np.random.default_rng(0)).users)
    pleased = []
    for _ in range(60):
        visits.judge(np.arange(3), np.full(3, 7, dtype=np.float32), np.full(3, 10), 10)
        pleased.append(visits.satisfaction.mean())
    assert max(pleased) > 0.15
    assert 0 < pleased[-1] < 0.02
    assert visits.pull == pytest.approx(np.ones(3), abs=0.1)


def test_who_joins_looks_at_once_and_counts_as_active():
    world = _world(users=100, late_users=1.0, days=4)
    while not world.ended:
        step = world.step()
        assert set(step.joined.tolist()) <= set(step.arrivals.tolist())
        assert world.active()[step.arrivals].all()
        assert (world.active() <= (world.users.joined_at <= world.now)).all()


def test_the_day_of_joining_is_no_day_off():
    world = _world(users=300, late_users=1.0, days=4, feeds_per_day=40, habit=0.2, loyalty=0)
    joined_on = (world.users.joined_at - world.config.start) // DAY
    visits = np.zeros((4, 300), dtype=int)
    while not world.ended:
        step = world.step()
        visits[(step.now - 1 - world.config.start) // DAY, step.arrivals] += 1
    early = np.flatnonzero((world.users.joined_at - world.config.start) % DAY < DAY // 3)
    assert (visits[joined_on[early], early] > 1).mean() > 0.95


def test_who_has_not_come_for_a_day_is_not_active():
    world = _world(users=50, days=3, feeds_per_day=0.5)
    last = np.full(50, world.config.start - 2 * DAY)
    while not world.ended:
        step = world.step()
        last[step.arrivals] = step.now
        np.testing.assert_array_equal(world.active(), step.now - last < DAY)
    assert 0 < world.active().mean() < 1
