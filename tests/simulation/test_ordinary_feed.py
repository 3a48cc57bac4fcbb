import numpy as np

from feedmill.domain.clock import DAY
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.ordinary_feed import OrdinaryFeed, live

SMALL = WorldConfig(users=60, authors=20, backlog=80, births_per_day=20, days=3, feeds_per_day=3)


def _world(seed=0):
    return World(SMALL, np.random.default_rng(seed))


def test_no_item_is_shown_twice_and_a_page_ends_where_all_was_seen():
    world = _world()
    feed = OrdinaryFeed(world, np.random.default_rng(1))
    step = world.step()
    while not len(step.arrivals):
        step = world.step()
    user = step.arrivals[:1]
    shown = []
    for _ in range(40):
        responses = world.respond(user, feed.page(user, world.live_items, 10))
        feed.observe(responses)
        shown += responses.items[responses.seen].tolist()
    assert len(shown) == len(set(shown)) > 40
    assert set(shown) <= set(world.live_items.tolist())
    assert (feed.page(user, np.array(shown), 10) == -1).all()


def test_what_a_user_watches_brings_more_of_its_subject():
    world = _world()
    feed = OrdinaryFeed(world, np.random.default_rng(1), noise=0.0)
    step = world.step()
    live_items, user, other = world.live_items, np.array([0]), np.array([1])
    subjects = np.array([world.items.bodies[item].categories[0] for item in live_items])
    subject, count = max(zip(*np.unique(subjects, return_counts=True), strict=True), key=lambda pair: pair[1])
    chosen = live_items[subjects == subject][:4]
    responses = world.respond(user, chosen[None])
    liked = {"seen": np.ones((1, 4), dtype=bool), "watched": np.ones((1, 4), dtype=np.float32)}
    feed.observe(type(responses)(**{name: getattr(responses, name) for name in responses.__slots__} | liked))
    page = feed.page(user, live_items, min(10, int(count) - 4))
    assert {world.items.bodies[item].categories[0] for item in page[0]} == {subject}
    others = feed.page(other, live_items, 10)
    assert set(others[0, :4].tolist()) == set(chosen.tolist())
    assert len({world.items.bodies[item].categories[0] for item in others[0]}) > 1
    assert step.now == world.now


def test_a_log_holds_what_was_seen_after_the_first_days():
    world = _world()
    log = live(world, 1, np.random.default_rng(1))
    assert len(log) > 0
    assert log.times.min() >= SMALL.start + DAY
    assert len(np.unique(np.stack([log.users, log.items]), axis=1).T) == len(log)
    np.testing.assert_array_equal(log.durations, world.items.durations[log.items])
    assert log.actions["long_view"].sum() > 0
    seconds = log.watched * log.durations
    assert (log.actions["long_view"] == (seconds >= np.minimum(log.durations, 18))).all()


def test_equal_seeds_give_equal_logs():
    one, two = (live(_world(), 1, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one.items, two.items)
    np.testing.assert_array_equal(one.watched, two.watched)
