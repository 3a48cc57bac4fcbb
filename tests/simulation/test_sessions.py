import numpy as np
import pytest

from feedmill.simulation import World, WorldConfig
from feedmill.simulation.sessions import NEVER, chance_to_reach, wish_to_leave
from feedmill.simulation.world import NOTHING


def _world(seed=0, **changes):
    config = WorldConfig(**{"users": 400, "late_users": 0, "backlog": 300, "births_per_day": 0, "days": 1} | changes)
    world = World(config, np.random.default_rng(seed))
    world.step()
    return world


def _whole_sessions(world, slates_for):
    """int64 [users]: how many items each user looked at in one session."""
    users = np.arange(len(world.users))
    seen = np.zeros(len(users), dtype=int)
    while len(users):
        responses = world.respond(users, slates_for(users))
        seen[users] += responses.seen.sum(axis=1)
        users = users[responses.goes_on]
    return seen


def test_a_bad_feed_ends_sessions_sooner():
    good, bad = _world(), _world()
    worst = bad.items.appeal[bad.live_items].argsort()[:10]
    good_seen = _whole_sessions(good, lambda users: good.oracle(users, 10))
    bad_seen = _whole_sessions(bad, lambda users: np.tile(worst, (len(users), 1)))
    # Standard errors of the means are under 0.6.
    assert good_seen.mean() > bad_seen.mean() + 2.5


def test_without_boredom_a_feed_is_looked_at_as_long_whatever_it_shows():
    good, bad = _world(boredom=0), _world(boredom=0)
    worst = bad.items.appeal[bad.live_items].argsort()[:10]
    np.testing.assert_array_equal(
        _whole_sessions(good, lambda users: good.oracle(users, 10)),
        _whole_sessions(bad, lambda users: np.tile(worst, (len(users), 1))),
    )


def test_who_looked_at_the_whole_page_and_is_not_bored_goes_on_until_the_last_page():
    world = _world(patience=1, boredom=0, pages_per_session=3)
    assert (_whole_sessions(world, lambda users: world.oracle(users, 10)) == 30).all()
    world = _world()
    responses = world.respond(np.arange(400), world.oracle(np.arange(400), 10))
    assert responses.seen[responses.goes_on].all()
    assert 0 < responses.goes_on.sum() < responses.seen.all(axis=1).sum()


def test_a_further_page_follows_the_one_before_in_time():
    world = _world(patience=1, boredom=0)
    users = np.arange(400)
    first = world.respond(users, world.oracle(users, 10))
    second = world.respond(users, world.oracle(users, 10))
    ended = first.timestamps[:, -1] + (first.seconds[:, -1].astype(float) * 1000).astype(int)
    assert (second.timestamps[:, 0] > ended).all()


def test_an_empty_page_ends_the_session_and_empty_places_are_passed_over():
    world = _world(patience=1, boredom=0)
    empty = world.respond(np.arange(3), np.full((3, 10), NOTHING))
    assert not empty.goes_on.any()
    assert not empty.seen.any()
    page = np.full((3, 10), NOTHING)
    page[:, 3] = 8
    sparse = world.respond(np.arange(3), page)
    assert sparse.seen.sum(axis=1).tolist() == [1, 1, 1]
    assert (sparse.timestamps[:, 3] == world.now).all()


def test_boredom_takes_effect_at_once_or_some_items_later():
    # Nothing watched with boredom 0.4: leaves after d more items with the chance 0.4 x (1 - 0.5^(d+1)) = .2, .3, .35.
    chance = ((np.arange(100_000) + 0.5) / 100_000).astype(np.float32)
    nothing = np.zeros_like(chance)
    wish = wish_to_leave(nothing, nothing + np.float32(0.4), 0.5, chance)
    assert [(wish <= d).mean() for d in (0, 1, 2, 60)] == pytest.approx([0.2, 0.3, 0.35, 0.4], abs=1e-4)
    assert (wish == NEVER).mean() == pytest.approx(0.6, abs=1e-4)
    assert (wish_to_leave(nothing + 1, nothing + np.float32(0.4), 0.5, chance) == NEVER).all()
    at_once = wish_to_leave(nothing, nothing + np.float32(0.4), 0.0, chance)
    assert (at_once == 0).mean() == pytest.approx(0.4, abs=1e-4)


def test_the_chance_to_reach_a_place_is_worked_out_by_hand():
    # Patience 0.9; boredom 0.4. The item above watched to the half: (1 - .4 x .5 x .5); the one before it not at all:
    # (1 - .4 x .75); an empty place costs nothing.
    expected = np.array([[0.0, 0.5], [0.0, 0.5]])
    shown = np.array([[True, True], [True, False]])
    of_users = np.full(2, 0.9, dtype=np.float32), np.full(2, 0.4, dtype=np.float32)
    chance = chance_to_reach(expected, shown, *of_users, 0.5)
    assert chance == pytest.approx([0.9 * 0.7 * 0.9 * 0.9, 0.9 * 0.7])
