import numpy as np

from feedmill.simulation import World, WorldConfig

CONFIG = WorldConfig(users=100, late_users=0, authors=10, backlog=200, births_per_day=100, days=14, feeds_per_day=2)


def _births_by_author(world, allowed):
    """int64 [authors]: items born in the last week of a world in which only items of allowed authors are shown."""
    generator = np.random.default_rng(1)
    births = np.zeros(10, dtype=int)
    while not world.ended:
        step = world.step()
        if world.now > world.config.start + world.config.days * 86_400_000 // 2:
            births += np.bincount(world.items.authors[step.born], minlength=10)
        shown = world.live_items[np.isin(world.items.authors[world.live_items], allowed)]
        users = step.arrivals
        while len(users):
            users = users[world.respond(users, generator.choice(shown, size=(len(users), 10))).goes_on]
    return births


def test_authors_without_an_audience_stop_and_those_with_one_go_on():
    world = World(CONFIG, np.random.default_rng(0))
    planned = np.bincount(
        world.items.authors[world.items.created_at > CONFIG.start + CONFIG.days * 86_400_000 // 2], minlength=10
    )
    births = _births_by_author(world, range(5))
    np.testing.assert_array_equal(births[:5], planned[:5])
    assert births[5:].sum() < 0.2 * planned[5:].sum()
    assert world.keen_authors.tolist() == 5 * [True] + 5 * [False]


def test_where_no_author_needs_an_audience_all_that_was_planned_is_born():
    config = WorldConfig(users=5, authors=10, backlog=20, births_per_day=30, days=5, audience=0)
    world = World(config, np.random.default_rng(0))
    while not world.ended:
        world.step()
    assert len(world.live_items) == len(world.items) == 170


def test_an_author_takes_it_up_again_when_old_items_find_an_audience():
    world = World(CONFIG, np.random.default_rng(0))
    for _ in range(7 * 48):
        world.step()
    assert not world.keen_authors.any()
    mine = world.live_items[world.items.authors[world.live_items] == 3]
    for _ in range(10):
        world.step()
        world.respond(np.arange(100), np.random.default_rng(2).choice(mine, size=(100, 10)))
    assert np.flatnonzero(world.keen_authors).tolist() == [3]
    planned = (world.items.authors == 3) & (world.items.created_at > world.now)
    planned &= world.items.created_at <= world.now + 86_400_000
    born = np.concatenate([world.step().born for _ in range(48)])
    assert (world.items.authors[born] == 3).sum() == planned.sum() > 0
