"""The world under an ordinary feed looks like KuaiRand within the bounds of docs/world.md, and is as that page says."""

import re

import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.config import ActionConfig
from feedmill.simulation.impression_log import read_kuairand
from feedmill.simulation.marginals import distances, marginals
from feedmill.simulation.ordinary_feed import live


@pytest.fixture(scope="module")
def apart(data_dir):
    """How far 600 users are from KuaiRand's in six days, after two in which the feed learns."""
    generator = np.random.default_rng(0)
    real = marginals(read_kuairand(data_dir / "kuairand"), generator, draws=1)
    log = live(World(WorldConfig(users=600, days=8), generator), 2, generator)
    return distances(marginals(log, generator, real.per_user, real.per_item), real)


def _within(ratio, factor):
    return 1 / factor <= ratio <= factor


def test_as_much_is_watched_of_items(apart):
    assert apart.watched <= 0.08


@pytest.mark.parametrize(
    ("action", "factor"),
    [("click", 1.15), ("like", 1.25), ("comment", 2), ("follow", 2), ("share", 2), ("hate", 2), ("long_view", 2)],
)
def test_actions_are_as_frequent(apart, action, factor):
    assert _within(apart.rates[action], factor)


def test_users_and_items_have_long_tails(apart):
    assert abs(apart.user_gini) <= 0.1
    assert abs(apart.item_gini) <= 0.1


def test_sessions_and_days_are_like_theirs(apart):
    assert _within(apart.session_mean, 1.2)
    assert apart.sessions <= 0.15
    assert apart.days <= 0.1


def test_people_come_at_the_same_hours(apart):
    assert apart.hours <= 0.08


def _constants(page):
    """What the tables of the page say: the value of each constant by its name."""
    units = {"hours": HOUR, "days": DAY}
    for row in re.findall(r"^\| (`.*?) \| (.*?) \|", page, re.MULTILINE):
        names = re.findall(r"`(?:actions\.)?(\w+)`", row[0])
        for name, value in zip(names, row[1].split(", "), strict=True):
            number, _, unit = value.partition(" ")
            yield name, float(number) * units.get(unit, 1) if name != "start" else number


def test_the_page_of_the_world_says_every_constant_as_it_is(root):
    written = dict(_constants((root / "docs" / "world.md").read_text(encoding="utf-8")))
    config = WorldConfig()
    expected = {name: getattr(config, name) for name in WorldConfig.__struct_fields__ if name != "actions"}
    expected |= {name: getattr(config.actions, name) for name in ActionConfig.__struct_fields__}
    expected["start"] = str(np.datetime64(config.start, "ms").astype("datetime64[D]"))
    assert written == expected
