import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.records import arrivals_of
from feedmill.simulation.topics import TOPICS

CONFIG = WorldConfig(users=200, late_users=0, authors=20, backlog=200, births_per_day=20, days=4, audience=0)
CATS, MUSIC = (next(i for i, topic in enumerate(TOPICS) if topic.name == name) for name in ("cats", "music"))


@pytest.fixture
def world():
    world = World(CONFIG, np.random.default_rng(0))
    for _ in range(10):
        world.step()
    return world


def test_after_a_shock_everyone_wants_the_topic_and_former_favourites_have_faded(world):
    before = world.tastes
    favourite = before.argmax(axis=1)
    world.shock("cats", strength=0.8)
    after = world.tastes
    assert (after.argmax(axis=1) == CATS).all()
    assert (after[:, CATS] >= 1.8 - 1e-6).all()
    others = favourite != CATS
    rows = np.arange(200)[others]
    np.testing.assert_allclose(after[rows, favourite[others]], before[rows, favourite[others]] - 0.8, atol=1e-6)
    # Two to four of sixteen topics were loved by each; the others stay what they were.
    assert (after != before).sum(axis=1).max() <= 5


def test_a_shock_lasts():
    config = WorldConfig(users=200, late_users=0, backlog=1, births_per_day=0, days=4, return_rate=2)
    world = World(config, np.random.default_rng(0))
    world.step()
    world.shock("cats")
    while not world.ended:
        world.step()
    assert (world.tastes.argmax(axis=1) == CATS).mean() > 0.7


def test_a_viral_item_is_born_at_the_next_step_and_adored_by_almost_everybody(world):
    item_id = world.release_viral("music")
    index = world.items.ids.index(item_id)
    assert index not in world.live_items
    step = world.step()
    assert index in step.born
    assert world.items.bodies[index].categories == ("music",)
    assert item_id in {record.object for record in arrivals_of(world, step)}
    users = np.arange(200)
    viral = world.value(users, np.full((200, 1), index))
    usual = np.mean([world.value(users, np.full((200, 1), item)) for item in range(200)], axis=0)
    assert (viral > 0.5).mean() > 0.95
    assert viral.mean() > 3 * usual.mean()
    responses = world.respond(users, np.full((200, 1), index))
    assert responses.watched.mean() == pytest.approx(viral.mean(), abs=0.06)


def test_a_studio_publishes_about_its_topic_from_the_next_step_on(world):
    author = world.open_studio("cats")
    assert author not in CONFIG_AUTHORS
    assert world.authors[-1] == author
    step = world.step()
    assert [world.items.bodies[i].author_id for i in step.born].count(author) == 1
    born = step.born.tolist()
    while not world.ended:
        born += world.step().born.tolist()
    mine = [world.items.bodies[i] for i in born if world.items.bodies[i].author_id == author]
    # Eight a day for the 3.8 days that were left, and the first.
    assert len(mine) == 31
    assert all("cats" in body.tags for body in mine)
    appeal = world.items.appeal
    is_mine = np.array([body.author_id == author for body in world.items.bodies])
    assert appeal[is_mine].mean() > appeal[~is_mine].mean() + 0.3
    follows = world.respond(np.arange(200), np.tile(np.flatnonzero(is_mine)[:10], (200, 1)))
    assert follows.seen.any()


CONFIG_AUTHORS = World(CONFIG, np.random.default_rng(0)).authors


def test_equal_copies_are_changed_equally_and_other_copies_not_at_all(world):
    twin, untouched = world.copy(), world.copy()
    tastes = untouched.tastes
    for copy in (world, twin):
        copy.shock("music")
        copy.release_viral("cats")
        copy.open_studio("travel")
        copy.release_viral("cats")
    np.testing.assert_array_equal(world.tastes, twin.tastes)
    np.testing.assert_array_equal(untouched.tastes, tastes)
    assert world.items.bodies == twin.items.bodies
    np.testing.assert_array_equal(world.items.appeal, twin.items.appeal)
    assert len(set(world.items.ids)) == len(world.items.ids)
    assert len(untouched.items) < len(twin.items)
    for _ in range(60):
        one, two, three = world.step(), twin.step(), untouched.step()
        np.testing.assert_array_equal(one.born, two.born)
        np.testing.assert_array_equal(one.arrivals, two.arrivals)
        np.testing.assert_array_equal(one.born[one.born < len(untouched.items)], three.born)
        np.testing.assert_array_equal(one.arrivals, three.arrivals)
    slates = world.oracle(np.arange(200), 10)
    np.testing.assert_array_equal(
        world.respond(np.arange(200), slates).watched, twin.respond(np.arange(200), slates).watched
    )
    with pytest.raises(InvalidArgument, match="born in this copy"):
        untouched.respond(np.array([0]), np.array([[len(world.items) - 1]]))


def test_what_is_commissioned_is_born_however_little_its_author_is_seen():
    config = WorldConfig(users=200, late_users=0, authors=20, backlog=200, births_per_day=20, days=18)
    neglected = World(config, np.random.default_rng(0))
    seen = neglected.copy()
    for copy in (neglected, seen):
        studio = copy.open_studio("music")
    planned = np.flatnonzero([body.author_id == studio for body in seen.items.bodies])
    # The first, and eight on each of eighteen days.
    assert len(planned) == 1 + 8 * 18
    for _ in range(10 * 48):
        neglected.step()
        step = seen.step()
        # Everybody sees the studio and nobody else.
        page = np.intersect1d(planned, seen.live_items)[:10]
        seen.respond(step.arrivals, np.tile(page, (len(step.arrivals), 1)))
    assert not neglected.keen_authors.any()
    assert np.flatnonzero(seen.keen_authors).tolist() == [20]
    for copy in (neglected, seen):
        released = [copy.release_viral(topic.name) for topic in TOPICS]
        assert set(released) <= {copy.items.ids[item] for item in copy.step().born}
        while not copy.ended:
            copy.step()
        assert np.isin(planned, copy.live_items).all()


def test_a_topic_that_there_is_not_is_answered_with_those_there_are(world):
    for change in (world.shock, world.release_viral, world.open_studio):
        with pytest.raises(NotFound, match=r"'taxes'.*cats, cooking"):
            change("taxes")
    with pytest.raises(InvalidArgument, match="strength: -1"):
        world.shock("cats", strength=-1)
