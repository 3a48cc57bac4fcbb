"""The world of a demonstration, and who fills the feeds of each of its copies."""

from __future__ import annotations

import numpy as np

from feedmill.run.demo.setting import START, Setting
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.contest import Entrant
from feedmill.simulation.policies import Oracle, Policy, Popularity, Random
from feedmill.simulation.world import World

FEWEST_DAYS = 120
"""Of a world of many users: what its copies take of memory goes with users, days, and births a day."""
STEP_MINUTES = 10
FEEDS_PER_DAY = 3.0
"""Sessions of the average user: more than where policies are compared, so that a minute shows more."""
_USUAL = 600


def enter(setting: Setting, feedmill: Policy) -> tuple[Entrant, ...]:
    """Feedmill, popularity, chance and the oracle, each in its own copy of the world."""
    world = World(world_of(setting), np.random.default_rng(setting.seed))
    chance = Random(np.random.default_rng([setting.seed, 1]))
    beside = [Entrant(policy, world.copy()) for policy in (Popularity(), chance)]
    known = world.copy()
    return (Entrant(feedmill, world), *beside, Entrant(Oracle(known), known))


def world_of(setting: Setting) -> WorldConfig:
    """The world's configuration. Items and authors go with the number of users, so that those of a small world are
    seen, too."""
    share = (setting.users / _USUAL) ** 0.5
    return WorldConfig(
        start=START,
        days=min(setting.days, max(FEWEST_DAYS, round(setting.days / share**2))),
        step_minutes=STEP_MINUTES,
        users=setting.users,
        feeds_per_day=FEEDS_PER_DAY,
        authors=max(16, round(120 * share)),
        backlog=max(100, round(900 * share)),
        births_per_day=max(16, round(120 * share)),
    )
