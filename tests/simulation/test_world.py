import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import ConfigError, InvalidArgument, NotFound
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.config import ActionConfig
from feedmill.simulation.items import MOODS
from feedmill.simulation.world import NOTHING

SMALL = WorldConfig(users=40, authors=20, backlog=60, births_per_day=10, days=2, feeds_per_day=4)
ACTIONS = (
    "clicked", "liked", "shared", "commented", "saved", "followed", "hidden", "reported", "skipped",
)  # fmt: skip


def _world(config=SMALL, seed=0):
    return World(config, np.random.default_rng(seed))


def _pages(world, users, generator):
    """Sessions of pages by chance: a response for each round."""
    while len(users):
        responses = world.respond(users, generator.choice(world.live_items, size=(len(users), world.config.page)))
        yield responses
        users = users[responses.goes_on]


def _live(world, generator):
    """Every response until the world ends."""
    while not world.ended:
        yield from _pages(world, world.step().arrivals, generator)


def test_equal_seeds_give_equal_worlds():
    one, two = _world(), _world()
    assert one.items.bodies == two.items.bodies
    assert one.users.bodies == two.users.bodies
    while not one.ended:
        step, same = one.step(), two.step()
        np.testing.assert_array_equal(step.born, same.born)
        np.testing.assert_array_equal(step.arrivals, same.arrivals)
        seen = list(_pages(one, step.arrivals, np.random.default_rng(step.now)))
        again = list(_pages(two, same.arrivals, np.random.default_rng(step.now)))
        for first, second in zip(seen, again, strict=True):
            for name in ("timestamps", "watched", "goes_on", *ACTIONS):
                np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(one.tastes, two.tastes)
    np.testing.assert_array_equal(one.satisfaction, two.satisfaction)


def test_another_seed_gives_another_world():
    assert _world(seed=1).items.bodies != _world(seed=2).items.bodies


def test_without_what_pleases_or_disappoints_copies_see_the_same_arrivals_whatever_is_shown():
    config = WorldConfig(users=40, authors=20, backlog=60, births_per_day=10, days=3, loyalty=0, audience=0)
    world = _world(config)
    twin = world.copy()
    generator = np.random.default_rng(3)
    while not world.ended:
        step, other = world.step(), twin.step()
        for name in ("born", "joined", "arrivals"):
            np.testing.assert_array_equal(getattr(step, name), getattr(other, name))
        list(_pages(world, step.arrivals, generator))
    np.testing.assert_array_equal(world.tastes, twin.tastes)


def test_what_was_shown_before_changes_tastes_and_luck_of_no_copy():
    config = WorldConfig(
        users=60, late_users=0, authors=20, backlog=60, births_per_day=0, days=1, fatigue=0, satiation=0, repeat=0
    )
    world = _world(config)
    world.step()
    twin = world.copy()
    generator = np.random.default_rng(4)
    list(_pages(world, np.arange(0, 60, 2), generator))
    list(_pages(world, np.arange(30), generator))
    world.step()
    twin.step()
    np.testing.assert_array_equal(world.tastes, twin.tastes)
    users, items = np.arange(60), generator.choice(60, size=(60, 10))
    one, two = world.respond(users, items), twin.respond(users, items)
    np.testing.assert_array_equal(one.seen, two.seen)
    for name in ("watched", "clicked", "liked", "hidden", "goes_on"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_the_luck_of_a_place_does_not_depend_on_how_others_are_shown_or_in_which_order():
    world = _world(WorldConfig(users=30, late_users=0, backlog=40, births_per_day=0, days=1))
    world.step()
    twin = world.copy()
    items = np.random.default_rng(5).choice(40, size=(30, 10))
    together = world.respond(np.arange(30), items)
    backwards = twin.respond(np.arange(29, -1, -1), items[::-1])
    np.testing.assert_array_equal(together.watched, backwards.watched[::-1])
    alone = _world(world.config)
    alone.step()
    np.testing.assert_array_equal(alone.respond(np.array([7]), items[7:8]).watched[0], together.watched[7])


def test_nobody_watches_longer_than_the_item_or_acts_on_what_was_not_seen():
    world = _world()
    for responses in _live(world, np.random.default_rng(4)):
        assert ((responses.watched >= 0) & (responses.watched <= 1)).all()
        assert (responses.seconds <= world.items.durations[responses.items]).all()
        for name in ACTIONS:
            assert not (getattr(responses, name) & ~responses.seen).any()
        assert (responses.watched[~responses.seen] == 0).all()
        assert (responses.seconds[~responses.seen] == 0).all()


def test_nobody_watches_longer_than_they_live_or_two_items_at_once():
    # Steps of 10 minutes and up to a hundred long items in a session: sessions run past the next steps.
    config = WorldConfig(
        users=30, authors=10, backlog=80, births_per_day=20, days=1, step_minutes=10, feeds_per_day=40, page=20,
        pages_per_session=5, patience=1, boredom=0.01, unloved=1, repeat=0, fatigue=0, satiation=0, most_visits=5,
    )  # fmt: skip
    world = _world(config)
    starts, ends = [[] for _ in range(30)], [[] for _ in range(30)]
    watched = np.zeros(30)
    longest = 0.0
    for responses in _live(world, np.random.default_rng(6)):
        assert (responses.timestamps[:, 0] >= world.now).all()
        np.add.at(watched, responses.users, responses.seconds.sum(axis=1))
        longest = max(longest, (responses.timestamps[responses.seen] - world.now).max())
        for row, user in enumerate(responses.users.tolist()):
            seen = responses.seen[row]
            starts[user] += responses.timestamps[row, seen].tolist()
            ends[user] += (responses.timestamps[row, seen] + 1000 * responses.seconds[row, seen]).tolist()
    assert longest > config.step
    came = np.flatnonzero(watched).tolist()
    assert len(came) > 20
    for user in came:
        assert (np.array(starts[user])[1:] >= np.array(ends[user])[:-1]).all()
        lived = (max(ends[user]) - max(config.start, world.users.joined_at[user])) / 1000
        assert watched[user] <= lived


def test_nobody_opens_a_session_while_the_last_one_goes_on():
    config = WorldConfig(
        users=50, backlog=80, births_per_day=0, days=1, step_minutes=5, feeds_per_day=100, patience=1, boredom=0
    )
    world = _world(config)
    busy_until = np.zeros(50)
    while not world.ended:
        arrivals = world.step().arrivals
        assert (busy_until[arrivals] <= world.now).all()
        for responses in _pages(world, arrivals, np.random.default_rng(world.now)):
            ends = responses.timestamps + 1000 * responses.seconds
            busy_until[responses.users] = ends[:, -1]
    assert (busy_until > config.start).any()


def test_a_page_is_looked_at_from_the_top_and_one_item_after_the_other():
    world = _world()
    responses = next(_pages(world, world.step().joined, np.random.default_rng(5)))
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
        np.testing.assert_array_equal(world.live_items, born)
    assert sorted(set(born)) == born
    assert (np.diff(world.items.created_at[born]) >= 0).all()
    assert joined == list(range(len(world.users)))
    assert (world.users.joined_at > world.config.start).sum() == round(0.15 * 40)


def test_an_item_says_what_its_card_looks_like():
    moods = {body.attributes["mood"] for body in _world().items.bodies}
    assert moods == set(MOODS)


def test_an_item_seen_before_is_worth_little():
    config = WorldConfig(users=10, late_users=0, backlog=30, births_per_day=0, days=1, fatigue=0, satiation=0, page=1)
    world = _world(config)
    world.step()
    users = np.arange(10)
    slate = world.oracle(users, 1)
    fresh = world.value(users, slate)
    world.respond(users, slate)
    assert (world.value(users, slate) < 0.5 * fresh).all()


def test_an_item_further_down_is_worth_less():
    world = _world(WorldConfig(users=10, late_users=0, backlog=30, births_per_day=0, days=1, position=0.1, patience=1))
    world.step()
    top = np.full((10, 5), NOTHING)
    bottom = top.copy()
    top[:, 0] = bottom[:, 4] = 3
    assert (world.value(np.arange(10), bottom) < world.value(np.arange(10), top)).all()


def test_an_author_is_followed_once_by_a_user():
    config = WorldConfig(
        users=30, late_users=0, authors=1, backlog=400, births_per_day=0, days=1, repeat=0,
        actions=ActionConfig(follow=20),
    )  # fmt: skip
    world = _world(config)
    follows = np.zeros(30)
    for _ in range(20):
        world.step()
        follows += world.respond(np.arange(30), world.oracle(np.arange(30), 10)).followed.sum(axis=1)
    assert follows.max() == 1
    assert follows.sum() > 25


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


def test_a_copy_lives_by_itself():
    world = _world()
    world.step()
    twin = world.copy()
    users = np.arange(20)
    slates = world.oracle(users, 10)
    before = twin.value(users, slates)
    for _ in range(3):
        world.respond(users, slates)
        world.step()
    np.testing.assert_array_equal(twin.value(users, slates), before)
    assert twin.now == world.now - 3 * world.config.step


def test_what_cannot_be_shown_is_refused():
    world = _world()
    step = world.step()
    user = step.joined[:1]
    with pytest.raises(InvalidArgument, match="stands twice"):
        world.respond(np.array([0, 0]), np.zeros((2, 3), dtype=np.int64))
    with pytest.raises(InvalidArgument, match="born in this copy"):
        world.respond(user, np.array([[len(world.items) - 1]]))
    with pytest.raises(InvalidArgument, match="born in this copy"):
        world.respond(user, np.array([[len(world.items)]]))
    with pytest.raises(InvalidArgument, match="have joined"):
        world.respond(np.array([39]), np.zeros((1, 3), dtype=np.int64))
    with pytest.raises(InvalidArgument, match=r"expected \[b\] and \[b, k\]"):
        world.respond(user, np.zeros(3, dtype=np.int64))
    with pytest.raises(NotFound, match="'nothing'"):
        world.item_indices([["nothing"]])
    with pytest.raises(InvalidArgument, match="at most the page's 10"):
        world.item_indices([[world.items.ids[0]] * 11])


def test_slates_are_found_by_the_ids_of_their_items():
    world = _world()
    ids = world.items.ids
    assert world.item_indices([[ids[5], ids[2]], []]).tolist() == [[5, 2] + 8 * [NOTHING], 10 * [NOTHING]]


def test_a_world_ends():
    world = _world(WorldConfig(users=2, backlog=1, births_per_day=0, days=1))
    for _ in range(48):
        world.step()
    assert world.now == world.config.start + DAY
    with pytest.raises(InvalidArgument, match="ended after its 1 days"):
        world.step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": 0}, "world.users: 0, expected at least 1"),
        ({"drift": -1.0}, "world.drift"),
        ({"patience": 1.5}, "world.patience"),
        ({"habit": 0.0}, "world.habit: 0.0, expected above 0"),
        ({"step_minutes": 7}, "world.step_minutes: 7, expected a divisor"),
        ({"fatigue_half_life": 0}, "world.fatigue_half_life"),
        ({"floor": 0.95}, "under the ceiling, 0.9"),
        ({"most_visits": 0.5}, "world.most_visits"),
        ({"boredom_lag": 1.0}, "world.boredom_lag"),
        ({"actions": ActionConfig(like=-1)}, "world.actions.like: -1"),
    ],
)
def test_a_world_that_cannot_be_is_refused_by_the_name_of_its_value(change, message):
    with pytest.raises(ConfigError, match=message):
        _world(WorldConfig(**change))
