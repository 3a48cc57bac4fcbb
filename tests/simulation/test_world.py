import itertools

import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import ConfigError, InvalidArgument, NotFound
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.behaviour import expected_share, watched_share
from feedmill.simulation.world import NOTHING

SMALL = WorldConfig(users=40, authors=20, backlog=60, births_per_day=10, days=2, feeds_per_day=4)


def _world(config=SMALL, seed=0):
    return World(config, np.random.default_rng(seed))


def _show_something(world, step, generator):
    items = generator.choice(world.live_items, size=(len(step.arrivals), world.config.page))
    return world.respond(step.arrivals, items)


def test_equal_seeds_give_equal_worlds():
    one, two = _world(), _world()
    assert one.items.bodies == two.items.bodies
    assert one.users.bodies == two.users.bodies
    while not one.ended:
        step, same = one.step(), two.step()
        np.testing.assert_array_equal(step.arrivals, same.arrivals)
        seen = _show_something(one, step, np.random.default_rng(step.now))
        again = _show_something(two, same, np.random.default_rng(step.now))
        np.testing.assert_array_equal(seen.watched, again.watched)
        np.testing.assert_array_equal(seen.timestamps, again.timestamps)
    np.testing.assert_array_equal(one.tastes, two.tastes)


def test_another_seed_gives_another_world():
    assert _world(seed=1).items.bodies != _world(seed=2).items.bodies


def test_what_is_shown_in_one_copy_changes_neither_births_nor_arrivals_nor_drift_in_another():
    world = _world()
    twin = world.copy()
    generator = np.random.default_rng(3)
    while not world.ended:
        step, other = world.step(), twin.step()
        _show_something(world, step, generator)
        np.testing.assert_array_equal(step.born, other.born)
        np.testing.assert_array_equal(step.joined, other.joined)
        np.testing.assert_array_equal(step.arrivals, other.arrivals)
    np.testing.assert_array_equal(world.tastes, twin.tastes)


def test_nobody_watches_longer_than_the_item_or_acts_on_what_was_not_seen():
    world, generator = _world(), np.random.default_rng(4)
    while not world.ended:
        responses = _show_something(world, world.step(), generator)
        assert ((responses.watched >= 0) & (responses.watched <= 1)).all()
        assert (responses.seconds <= world.items.durations[responses.items]).all()
        for name in ("clicked", "liked", "shared", "followed", "hidden", "skipped"):
            assert not (getattr(responses, name) & ~responses.seen).any()
        assert (responses.watched[~responses.seen] == 0).all()


def test_a_feed_is_looked_at_from_the_top_and_one_item_after_the_other():
    world = _world()
    responses = _show_something(world, world.step(), np.random.default_rng(5))
    assert responses.seen[:, 0].all()
    assert (np.diff(responses.seen.astype(int), axis=1) <= 0).all()
    both = responses.seen[:, 1:] & responses.seen[:, :-1]
    waited = np.diff(responses.timestamps, axis=1)
    assert (waited[both] >= (responses.seconds[:, :-1][both] * 1000).astype(int)).all()


def test_items_and_users_come_once_and_not_before_their_time():
    world = _world()
    born, joined = [], []
    while not world.ended:
        step = world.step()
        assert all(world.items.created_at[step.born] <= world.now)
        assert all(world.users.joined_at[step.arrivals] <= world.now)
        born += step.born.tolist()
        joined += step.joined.tolist()
    assert born == list(range(len(world.items)))
    assert joined == list(range(len(world.users)))
    assert (world.users.joined_at > world.config.start).sum() == round(0.15 * 40)


def test_users_come_as_often_as_configured():
    world = _world(WorldConfig(users=500, late_users=0, feeds_per_day=2, days=4, step_minutes=15))
    feeds = 0
    while not world.ended:
        feeds += len(world.step().arrivals)
    assert feeds == pytest.approx(world.users.activity.sum() * 4, rel=0.05)
    assert world.users.activity.mean() == pytest.approx(2, rel=0.1)


def test_the_watched_share_has_the_mean_that_is_said_of_it():
    noise = np.random.default_rng(6).standard_normal(200_000, dtype=np.float32)
    for utility in (-1.5, -0.3, 0.0, 0.8):
        share = watched_share(np.full_like(noise, utility), noise, 1.5)
        assert share.mean() == pytest.approx(float(expected_share(np.float32(utility))), abs=0.003)


def test_the_value_of_a_slate_is_what_it_brings_on_average():
    world = _world(WorldConfig(users=4000, late_users=0, authors=20, backlog=50, births_per_day=0, days=1))
    world.step()
    users = np.arange(4000)
    items = np.random.default_rng(7).permuted(np.tile(np.arange(50), (4000, 1)), axis=1)[:, :10]
    items[:, 4] = items[:, 2]
    items[:, 7] = NOTHING
    expected = world.value(users, items)
    brought = world.respond(users, items).watched.sum(axis=1)
    error = (brought - expected).std() / np.sqrt(4000)
    assert brought.mean() == pytest.approx(expected.mean(), abs=4 * error)
    assert error < 0.02


def test_the_oracle_is_hardly_ever_beaten_by_the_best_of_all_slates():
    config = WorldConfig(users=20, late_users=0, authors=8, backlog=7, births_per_day=0, days=1, page=3)
    ratios = []
    for seed in range(3):
        world = _world(config, seed)
        world.step()
        users = np.arange(20)
        oracle = world.value(users, world.oracle(users, 3))
        slates = [np.tile(slate, (20, 1)) for slate in itertools.permutations(range(7), 3)]
        best = np.max([world.value(users, slate) for slate in slates], axis=0)
        ratios.append(oracle / best)
    assert np.min(ratios) > 0.97
    assert np.mean(ratios) > 0.995


def test_no_slate_by_chance_is_worth_more_than_the_oracles():
    world, generator = _world(), np.random.default_rng(8)
    for _ in range(12):
        step = world.step()
        _show_something(world, step, generator)
    users = np.arange(20)
    oracle = world.value(users, world.oracle(users, 10))
    for _ in range(200):
        slate = generator.permuted(np.tile(world.live_items, (20, 1)), axis=1)[:, :10]
        assert (world.value(users, slate) < oracle).all()


def test_the_oracle_shows_what_there_is_when_there_is_less_than_a_page():
    world = _world(WorldConfig(users=5, backlog=3, births_per_day=0, days=1))
    world.step()
    slates = world.oracle(np.arange(2), 10)
    assert [sorted(row[:3]) for row in slates.tolist()] == [[0, 1, 2], [0, 1, 2]]
    assert (slates[:, 3:] == NOTHING).all()


def test_tastes_walk_and_jump_and_stand_still_without_drift():
    config = WorldConfig(users=300, late_users=0, backlog=1, births_per_day=0, days=6)
    still = _world(WorldConfig(users=50, late_users=0, backlog=1, births_per_day=0, days=1, drift=0, jumps_per_day=0))
    before = still.tastes
    for _ in range(still.config.steps):
        still.step()
    np.testing.assert_array_equal(still.tastes, before)

    world = _world(config)
    before = world.tastes
    distances = []
    for _ in range(6):
        for _ in range(config.steps // 6):
            world.step()
        distances.append(np.sqrt(((world.tastes - before) ** 2).mean()))
    assert distances == sorted(distances)
    favourite_kept = (world.tastes.argmax(axis=1) == before.argmax(axis=1)).mean()
    assert 0.3 < favourite_kept < 0.9


def test_a_jump_swaps_a_loved_topic_for_another_at_the_configured_rate():
    config = WorldConfig(users=2000, late_users=0, backlog=1, births_per_day=0, days=2, drift=0, jumps_per_day=0.1)
    world = _world(config)
    before = world.tastes
    while not world.ended:
        world.step()
    changed = (world.tastes != before).sum(axis=1)
    # Jumps in two days are Poisson of mean 0.2: a share of 1 - exp(-0.2) jumps at all.
    assert (changed > 0).mean() == pytest.approx(-np.expm1(-0.2), abs=0.03)
    np.testing.assert_array_equal(np.sort(world.tastes, axis=1), np.sort(before, axis=1))


def test_a_topic_tires_and_recovers():
    config = WorldConfig(
        users=30, late_users=0, authors=10, backlog=200, births_per_day=0, days=3, drift=0, return_rate=0,
        jumps_per_day=0, staleness=0, repeat=0, patience=1,
    )  # fmt: skip
    world = _world(config)
    world.step()
    users = np.arange(30)
    slate = world.oracle(users, 10)
    fresh = world.value(users, slate)
    world.respond(users, slate)
    assert (world.value(users, slate) < 0.95 * fresh).all()
    for _ in range(2 * DAY // config.step):
        world.step()
    assert world.value(users, slate) == pytest.approx(fresh, rel=0.02)


def test_an_item_seen_before_is_worth_little():
    world = _world(WorldConfig(users=10, late_users=0, backlog=30, births_per_day=0, days=1, fatigue=0, page=1))
    world.step()
    users = np.arange(10)
    slate = world.oracle(users, 1)
    fresh = world.value(users, slate)
    world.respond(users, slate)
    assert (world.value(users, slate) < 0.5 * fresh).all()


def test_an_author_is_followed_once_by_a_user():
    world = _world(WorldConfig(users=30, late_users=0, authors=1, backlog=400, births_per_day=0, days=1, repeat=0))
    follows = np.zeros(30)
    for _ in range(20):
        world.step()
        follows += world.respond(np.arange(30), world.oracle(np.arange(30), 10)).followed.sum(axis=1)
    assert follows.max() == 1
    assert follows.sum() > 3


def test_old_items_lose_their_appeal():
    config = WorldConfig(
        users=20, late_users=0, backlog=1, births_per_day=0, days=8, drift=0, return_rate=0, jumps_per_day=0
    )
    world = _world(config)
    world.step()
    item = np.zeros((20, 1), dtype=np.int64)
    early = world.value(np.arange(20), item)
    for _ in range(6 * 24 * HOUR // config.step):
        world.step()
    assert (world.value(np.arange(20), item) < early).all()


def test_what_cannot_be_shown_is_refused():
    world = _world()
    step = world.step()
    user = step.joined[:1]
    with pytest.raises(InvalidArgument, match="stands twice"):
        world.respond(np.array([0, 0]), np.zeros((2, 3), dtype=np.int64))
    with pytest.raises(InvalidArgument, match="born by now"):
        world.respond(user, np.array([[len(world.items) - 1]]))
    with pytest.raises(InvalidArgument, match="have joined"):
        world.respond(np.array([39]), np.zeros((1, 3), dtype=np.int64))
    with pytest.raises(InvalidArgument, match=r"expected \[b\] and \[b, k\]"):
        world.respond(user, np.zeros(3, dtype=np.int64))
    with pytest.raises(NotFound, match="'nothing'"):
        world.item_indices([["nothing"]])
    with pytest.raises(InvalidArgument, match="at most the page's 10"):
        world.item_indices([[world.items.ids[0]] * 11])


def test_a_world_ends():
    world = _world(WorldConfig(users=2, backlog=1, births_per_day=0, days=1))
    for _ in range(48):
        world.step()
    with pytest.raises(InvalidArgument, match="ended after its 1 days"):
        world.step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": 0}, "world.users: 0, expected at least 1"),
        ({"drift": -1.0}, "world.drift"),
        ({"patience": 1.5}, "world.patience"),
        ({"step_minutes": 7}, "world.step_minutes: 7, expected a divisor"),
        ({"fatigue_half_life": 0}, "world.fatigue_half_life"),
    ],
)
def test_a_world_that_cannot_be_is_refused_by_the_name_of_its_value(change, message):
    with pytest.raises(ConfigError, match=message):
        _world(WorldConfig(**change))
