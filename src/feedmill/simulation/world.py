"""A small world of short videos: users with hidden tastes open feeds, watch, tire and change.

The utility of an item to a user, in probits, is

    taste . topics + style . manner + appeal - staleness(age) - fatigue(topics) - position - repeat

and `behaviour` turns it into a watched share and actions. How deep a user looks into a feed is drawn apart from what is
in it; so the mean watched share of what was seen, and that of what was served, put policies in one order.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.simulation.behaviour import ACTIONS, Bools, act, expected_share, watched_share
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.items import make_items
from feedmill.simulation.users import HOURS, draw_demand, make_users

NOTHING = -1
"""Fills slates that are shorter than the page."""
FLICK = 500
"""Milliseconds from one item to the next."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one step; indices into the world's users and items."""

    now: int
    """UTC milliseconds."""
    born: Int64s
    joined: Int64s
    arrivals: Int64s
    """Who opens the feed."""


@dataclass(frozen=True, slots=True)
class Responses:
    """What b users did with k positions each. Where `seen` is False everything else is 0."""

    users: Int64s
    """int64 [b]."""
    items: Int64s
    """int64 [b, k]; NOTHING where the slate was shorter."""
    timestamps: Int64s
    """int64 [b, k]: UTC milliseconds at which the item came into view."""
    seen: Bools
    watched: Float32s
    """float32 [b, k] in [0, 1]: the share of the item's duration."""
    seconds: Float32s
    """float32 [b, k]: watched, never longer than the item."""
    clicked: Bools
    liked: Bools
    shared: Bools
    followed: Bools
    """True only at the first time that the user follows the author."""
    hidden: Bools
    skipped: Bools
    """Left before three seconds and before the half."""


class World:
    """One copy of a world. Copies, and worlds from equal generators, see the same births, drift and arrivals, whatever
    is shown in them; the noise of responses is the same too as long as slates are equally long.

    Cost: a step is O(users x topics), a response O(k x topics) a user, the oracle O(k x topics x items) a user; memory
    is a byte for each pair of user and item.
    """

    def __init__(self, config: WorldConfig, generator: np.random.Generator) -> None:
        config.check()
        self.config = config
        self.now = config.start
        """UTC milliseconds."""
        supply, people, self._drift, self._arrive, self._respond = generator.spawn(5)
        demand = draw_demand(people)
        self.users, self._tastes = make_users(config, demand, people)
        self.items = make_items(config, demand.mean(axis=0), supply)
        self._born = 0
        self._joined = 0
        self._fatigue: Float32s = np.zeros_like(self._tastes.now)
        self._seen: Bools = np.zeros((len(self.users), len(self.items)), dtype=bool)
        self._follows: Bools = np.zeros((len(self.users), config.authors), dtype=bool)
        self._item_index = {item_id: i for i, item_id in enumerate(self.items.ids)}

    def copy(self) -> World:
        """A world in the same state that lives on by itself; what never changes is shared."""
        twin = copy.copy(self)
        twin._tastes = self._tastes.copy()
        twin._fatigue, twin._seen, twin._follows = self._fatigue.copy(), self._seen.copy(), self._follows.copy()
        twin._drift, twin._arrive = copy.deepcopy(self._drift), copy.deepcopy(self._arrive)
        twin._respond = copy.deepcopy(self._respond)
        return twin

    @property
    def ended(self) -> bool:
        """Whether the world's days are over."""
        return self.now >= self.config.end

    @property
    def tastes(self) -> Float32s:
        """float32 [users, topics]: the hidden truth, in probits; a copy."""
        return self._tastes.now.copy()

    @property
    def live_items(self) -> Int64s:
        """int64: the items born by now."""
        return np.arange(self._born)

    def step(self) -> Step:
        """Move on by one step: tastes drift, fatigue fades, items are born, users join, some open their feed.

        The first step also brings the items and users that were there before the world started.
        """
        if self.ended:
            raise InvalidArgument(f"the world ended after its {self.config.days} days; configure more of them")
        self.now += self.config.step
        self._fatigue *= np.float32(0.5 ** (self.config.step / self.config.fatigue_half_life))
        born = np.arange(self._born, np.searchsorted(self.items.created_at, self.now, side="right"))
        joined = np.arange(self._joined, np.searchsorted(self.users.joined_at, self.now, side="right"))
        self._born += len(born)
        self._joined += len(joined)
        alive = np.arange(len(self.users)) < self._joined
        self._tastes.drift(self.config, alive, self._drift)
        hour = self.now % DAY // HOUR
        rate = self.users.activity * (HOURS[hour] * self.config.step / DAY)
        opens = self._arrive.random(len(self.users)) < -np.expm1(-rate)
        return Step(self.now, born, joined, np.flatnonzero(opens & alive))

    def item_indices(self, slates: Sequence[Sequence[str]]) -> Int64s:
        """int64 [b, page]: the indices of items by id. Raises NotFound for an id that no item has."""
        rows = np.full((len(slates), self.config.page), NOTHING, dtype=np.int64)
        for row, slate in zip(rows, slates, strict=True):
            if len(slate) > self.config.page:
                raise InvalidArgument(f"slate: {len(slate)} items, expected at most the page's {self.config.page}")
            for place, item_id in enumerate(slate):
                index = self._item_index.get(item_id)
                if index is None:
                    raise NotFound(f"item {item_id!r}: the world has no such item")
                row[place] = index
        return rows

    def respond(
        self,
        users: Int64s,  # int64 [b], different users
        items: Int64s,  # int64 [b, k], born items, or NOTHING
    ) -> Responses:
        """Show a slate to each user, and let them tire of what they see."""
        self._check(users, items)
        b, k = items.shape
        stays = np.cumprod(self._respond.random((b, k), dtype=np.float32) < self.users.patience[users, None], axis=1)
        noise = self._respond.standard_normal((b, k), dtype=np.float32)
        chance = self._respond.random((b, k, ACTIONS), dtype=np.float32)
        seen = (items != NOTHING) & np.concatenate([np.ones((b, 1)), stays[:, :-1]], axis=1).astype(bool)

        flags = {
            name: np.zeros((b, k), dtype=bool)
            for name in ("clicked", "liked", "shared", "followed", "hidden", "skipped")
        }
        watched = np.zeros((b, k), dtype=np.float32)
        for place in range(k):
            item = items[:, place]
            now_seen = seen[:, place]
            tired = self._tired(self._fatigue[users])
            utility = self._liking(users, item) - np.einsum("bt,bt->b", tired, self.items.topics[item])
            utility -= np.float32(self.config.position * place)
            share = watched_share(utility, noise[:, place], self.config.noise)
            watched[:, place] = np.where(now_seen, share, 0)
            actions = act(share, expected_share(utility), self.items.durations[item], chance[:, place])
            for name, column in flags.items():
                column[:, place] = getattr(actions, name) & now_seen
            author = self.items.authors[item]
            flags["followed"][:, place] &= ~self._follows[users, author]
            self._follows[users, author] |= flags["followed"][:, place]
            self._expose(users[now_seen], item[now_seen])

        seconds = np.where(seen, watched * self.items.durations[items], 0).astype(np.float32)
        spent = (seconds * 1000).astype(np.int64) + FLICK * seen
        timestamps = self.now + np.cumsum(spent, axis=1) - spent
        return Responses(users, items, timestamps, seen, watched, seconds, **flags)

    def value(
        self,
        users: Int64s,  # int64 [b], different users
        items: Int64s,  # int64 [b, k], born items, or NOTHING
    ) -> npt.NDArray[np.float64]:
        """float64 [b]: the watched shares that a slate would bring now, summed over positions; the exact mean."""
        self._check(users, items)
        fatigue = self._fatigue[users]
        total = np.zeros(len(users))
        for place in range(items.shape[1]):
            item = items[:, place]
            utility = self._liking(users, item)
            utility -= np.einsum("bt,bt->b", self._tired(fatigue), self.items.topics[item])
            utility -= np.float32(self.config.position * place)
            again = (items[:, :place] == item[:, None]).any(axis=1) & ~self._seen[users, item]
            utility -= np.float32(self.config.repeat) * again
            share = expected_share(utility) * self.users.patience[users] ** place
            total += np.where(item == NOTHING, 0, share)
            fatigue = fatigue + np.where(item[:, None] == NOTHING, 0, self.items.topics[item])
        return total

    def oracle(
        self,
        users: Int64s,  # int64 [b], different users
        k: int,
    ) -> Int64s:
        """int64 [b, k]: for each position the item that brings most, given those above it and the fatigue they cause.

        Greedy: it knows all that is hidden except the noise, but plans neither the places below nor later feeds. In
        worlds small enough to try all slates, its own are worth 99.8 % of the best on average, and never under 97 %.
        """
        slates = np.full((len(users), k), NOTHING, dtype=np.int64)
        topics = self.items.topics[: self._born]
        liking = self._liking_of_all(users)
        fatigue = self._fatigue[users]
        for place in range(min(k, self._born)):
            utility = liking - self._tired(fatigue) @ topics.T
            np.put_along_axis(utility, slates[:, :place], -np.inf, axis=1)
            slates[:, place] = utility.argmax(axis=1)
            fatigue = fatigue + self.items.topics[slates[:, place]]
        return slates

    def _liking(self, users: Int64s, items: Int64s) -> Float32s:
        """float32 [b]: utility without fatigue and position, of pairs."""
        liking: Float32s = np.einsum("bt,bt->b", self._tastes.now[users], self.items.topics[items])
        manner = np.einsum("bs,bs->b", self.users.styles[users], self.items.styles[items])
        liking += np.float32(self.config.style) * manner
        liking += self._standing(items) - np.float32(self.config.repeat) * self._seen[users, items]
        return liking

    def _liking_of_all(self, users: Int64s) -> Float32s:
        """float32 [b, live items]: the same of every live item."""
        live = slice(0, self._born)
        liking: Float32s = self._tastes.now[users] @ self.items.topics[live].T
        liking += np.float32(self.config.style) * (self.users.styles[users] @ self.items.styles[live].T)
        liking += self._standing(self.live_items) - np.float32(self.config.repeat) * self._seen[users, live]
        return liking

    def _standing(self, items: Int64s) -> Float32s:
        """float32, the shape of items: what an item brings to everybody now."""
        age = (self.now - self.items.created_at[items]) / self.config.staleness_half_life
        lost = (self.config.staleness * (1 - np.exp2(-age))).astype(np.float32)
        standing: Float32s = self.items.appeal[items] - lost
        return standing

    def _tired(self, fatigue: Float32s) -> Float32s:
        """What each topic has lost to recent exposure, in probits."""
        tired: Float32s = np.float32(self.config.fatigue) * np.log2(1 + fatigue)
        return tired

    def _check(self, users: Int64s, items: Int64s) -> None:
        if items.ndim != 2 or users.shape != items.shape[:1]:
            raise InvalidArgument(f"users and items: shapes {users.shape} and {items.shape}, expected [b] and [b, k]")
        if len(np.unique(users)) < len(users):
            raise InvalidArgument("users: one of them stands twice; a user looks at one feed at a time")
        if len(users) and not 0 <= users.min() <= users.max() < self._joined:
            raise InvalidArgument(f"users: expected indices from 0 to {self._joined - 1}, of those who have joined")
        if items.size and not NOTHING <= items.min() <= items.max() < self._born:
            raise InvalidArgument(f"items: expected indices from 0 to {self._born - 1}, of those born by now, or -1")

    def _expose(self, users: Int64s, items: Int64s) -> None:
        self._fatigue[users] += self.items.topics[items]
        self._seen[users, items] = True
