"""The demonstration: Feedmill beside simpler policies in one world, and one user's feed seen up close."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.records import Item
from feedmill.run.policy import FeedmillPolicy, world_config
from feedmill.serve.page import Page
from feedmill.simulation import ContestResult, Policy, Popularity, Random, Standing, World, WorldConfig
from feedmill.simulation import run as run_contest
from feedmill.simulation.topics import TOPICS

LIKED_FROM = 0.15
"""The taste, in probits, from which a user counts as fond of a topic: half-way between loved topics and others."""

REGULAR = 1.5
"""Feeds a day of the user who is seen up close: one who comes back, and has not seen everything."""


class DemoReport(msgspec.Struct, frozen=True):
    """What came of a demonstration."""

    events: int
    """Impressions, with what followed, that Feedmill has learned from."""
    feeds: int
    """That each policy has filled."""
    engagement: dict[str, float]
    """By policy: the mean watched share of what was seen in the last quarter of the time."""
    by_quarter: dict[str, list[float]]
    by_day: dict[str, list[float]]
    likes: dict[str, float]
    """By policy: likes for each item seen."""
    seed: int
    days: int
    users: int
    items: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ShownItem:
    """One position of the followed user's feed."""

    title: str
    topics: tuple[str, ...]
    """What it is about: its categories, and what it is tagged with besides."""
    why: str


@dataclass(frozen=True, slots=True)
class ShownFeed:
    """One feed of the followed user."""

    now: int
    """UTC milliseconds in the world."""
    items: tuple[ShownItem, ...]
    fond_of: frozenset[str]
    """The topics that the user was fond of at that moment."""


class Followed:
    """One user up close. What the user is fond of is hidden from every policy; it is read from a copy of the world,
    which has the same drift."""

    def __init__(self, config: WorldConfig, seed: int) -> None:
        self._world = World(config, np.random.default_rng(seed))
        self._bodies: dict[str, Item] = dict(zip(self._world.items.ids, self._world.items.bodies, strict=True))
        self._user = _regular(self._world)
        self.user_id = self._world.users.ids[self._user]
        self.start = config.start
        """UTC milliseconds."""
        self.feeds: list[ShownFeed] = []
        self._fond_since: dict[str, int] = {}

    def step(self) -> None:
        """Move on with the contest."""
        self._world.step()
        self._fond_since = {name: self._fond_since.get(name, self._world.now) for name in self.tastes()}

    def fond_since(self, topic: str) -> int:
        """The day, from 1, from which on the user has been fond of a topic."""
        return 1 + (self._fond_since.get(topic, self._world.now) - self.start) // DAY

    def see(self, user_id: str, page: Page, now: int) -> None:
        """Take note of a page, if it is the user's. It is served before the user's own world has moved on."""
        if user_id == self.user_id:
            shown = tuple(ShownItem(item.title, _topics(self._bodies[item.item_id]), item.why) for item in page.items)
            self.feeds.append(ShownFeed(now, shown, frozenset(self.tastes())))

    def tastes(self) -> dict[str, float]:
        """The topics that the user is fond of now, the dearest first, and how much, in probits."""
        tastes = self._world.tastes[self._user]
        fond = [topic for topic in (-tastes).argsort().tolist() if tastes[topic] > LIKED_FROM]
        return {TOPICS[topic].name: float(tastes[topic]) for topic in fond}


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to see after a step."""

    config: WorldConfig
    standing: Standing
    events: int
    followed: Followed
    seconds: float


class Stopped(Exception):
    """Raised out of a demonstration that was told to stop; `scene` is how far it came."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene


def demonstrate(
    config: WorldConfig, seed: int, after_step: Callable[[Scene], bool], timer: Callable[[], float] = time.monotonic
) -> tuple[DemoReport, Scene]:
    """Let Feedmill, popularity, chance and the oracle fill the feeds of one world, and look on.

    `after_step` says whether to go on; Stopped is raised when it does not. `timer` gives seconds.
    """
    started = timer()
    followed = Followed(config, seed)
    feedmill = FeedmillPolicy(world_config(seed), followed.see)
    scene: Scene | None = None

    def look(standing: Standing) -> None:
        nonlocal scene
        followed.step()
        scene = Scene(config, standing, feedmill.learner.state.rows_folded, followed, timer() - started)
        if not after_step(scene):
            raise Stopped(scene)

    policies: list[Policy] = [Random(np.random.default_rng([seed, 1])), Popularity(), feedmill]
    result = run_contest(config, policies, seed, progress=look)
    assert scene is not None
    return _report(result, scene.events, timer() - started), scene


def _report(result: ContestResult, events: int, seconds: float) -> DemoReport:
    outcomes = {name: result.outcomes[name] for name in ("feedmill", "popularity", "random", "oracle")}
    return DemoReport(
        events=events,
        feeds=outcomes["feedmill"].feeds,
        engagement={name: outcome.engagement for name, outcome in outcomes.items()},
        by_quarter={name: outcome.by_quarter for name, outcome in outcomes.items()},
        by_day={name: outcome.by_day for name, outcome in outcomes.items()},
        likes={
            name: outcome.actions.get("like", 0) / max(outcome.impressions, 1) for name, outcome in outcomes.items()
        },
        seed=result.seed,
        days=result.days,
        users=result.users,
        items=result.items,
        seconds=round(seconds, 3),
    )


def _regular(world: World) -> int:
    """The user who comes nearest to opening REGULAR feeds a day, among those who are there from the start and have
    declared nothing, if there are any."""
    users = world.users
    silent = np.array([not body.interests for body in users.bodies])
    early = users.joined_at < world.config.start
    strangeness = np.abs(np.log(users.activity / REGULAR)) + 10 * ~silent + 100 * ~early
    return int(strangeness.argmin())


def _topics(item: Item) -> tuple[str, ...]:
    names = {topic.name for topic in TOPICS}
    return tuple(dict.fromkeys(name for name in (*item.categories, *item.tags) if name in names))
