"""A small world of short videos: users with hidden tastes open sessions, watch, tire, leave, and come back or do not.

The utility of an item to a user, in probits, is

    (taste + mood(part of the day) - fatigue - satiation) . topics + style . manner + appeal - staleness(age)
    - position - repeat

and `behaviour` turns it into a watched share and actions. What was watched decides how long the session lasts
(`sessions`) and, after it, how often the user comes (`visits`); who is seen decides which authors go on (`creators`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.simulation.behaviour import CHANCES, Bools, Watching, act
from feedmill.simulation.commissions import GIFT, studio_items, topic_number, viral_item
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.creators import Audiences, make_authors
from feedmill.simulation.items import Items, make_items
from feedmill.simulation.noise import Channel, Draws
from feedmill.simulation.sessions import Sessions, chance_to_reach, wish_to_leave
from feedmill.simulation.tastes import daypart
from feedmill.simulation.users import draw_demand, make_users
from feedmill.simulation.visits import Visits
from feedmill.simulation.weariness import Exposure

NOTHING = -1
"""Fills slates that are shorter than the page."""
FLICK = 500
"""Milliseconds from one item to the next."""
SHOCK = 0.7
"""Probits by which a shock moves tastes."""

_ORACLE_ROWS = 256
"""Users for whom the oracle looks at once: bounds its memory."""
_PLACES = 1 << 20
"""Places of one user in one step, at most: keeps the counters of draws apart."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one step; indices into the world's users and items."""

    now: int
    """UTC milliseconds."""
    born: Int64s
    """In order of birth. It differs between copies: authors who lost heart do not publish what they planned."""
    joined: Int64s
    arrivals: Int64s
    """Who opens a session now, in ascending order."""


@dataclass(frozen=True, slots=True)
class Responses:
    """What b users did with a page of k positions each. Where `seen` is False everything else is 0."""

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
    commented: Bools
    saved: Bools
    followed: Bools
    """True only at the first time that the user follows the author."""
    hidden: Bools
    reported: Bools
    skipped: Bools
    """Left before three seconds and before the half."""
    goes_on: Bools
    """bool [b]: looked at the whole page, is not bored, and wants another page now."""


class World:
    """One copy of a world. Copies, and worlds from equal generators, have the same luck, whatever is shown in them:
    what is drawn for somebody's impression, day or item is a function of the seed and of whose and which it is.

    The rest differs with what was shown: who is satisfied comes more often, and who is seen publishes more.

    Cost: a step is O(users x topics), a page O(k x topics) a user, the oracle O(k x topics x items) a user; memory
    is a byte for each pair of user and item.
    """

    def __init__(self, config: WorldConfig, generator: np.random.Generator) -> None:
        config.check()
        self.config = config
        self.now = config.start
        """UTC milliseconds."""
        supply, people, self._walk, luck = generator.spawn(4)
        self._draws = Draws(int(luck.integers(1 << 62)))
        demand = draw_demand(people)
        self.users, self._tastes = make_users(config, demand, people)
        self._authors = make_authors(config, demand.mean(axis=0), supply)
        self.items = make_items(config, self._authors, supply)
        """Those to come included; `live_items` says which there are."""
        self._planned = len(self.items)
        """Items from this index on were commissioned: they are born however little their authors are seen."""
        self._watching = Watching(config)
        n_users, n_topics = self._tastes.now.shape
        self._coming: Int64s = np.arange(len(self.items))
        self._live: Int64s = np.zeros(0, dtype=np.int64)
        self._born: Bools = np.zeros(len(self.items), dtype=bool)
        self._joined = 0
        self._exposure = Exposure(config, *np.zeros((2, n_users, n_topics), dtype=np.float32))
        self._sessions = Sessions(n_users)
        self._visits = Visits(config, self.users)
        self._audiences = Audiences(config)
        self._seen: Bools = np.zeros((n_users, len(self.items)), dtype=bool)
        self._follows: Bools = np.zeros((n_users, config.authors), dtype=bool)
        self._item_index = {item_id: i for i, item_id in enumerate(self.items.ids)}

    def copy(self) -> World:
        """A world in the same state that lives on by itself; what never changes is shared."""
        twin = copy.copy(self)
        twin._walk = copy.deepcopy(self._walk)
        for name in ("_tastes", "_exposure", "_sessions", "_visits", "_audiences", "_born", "_seen", "_follows"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    @property
    def ended(self) -> bool:
        """Whether the world's days are over."""
        return self.now >= self.config.end

    @property
    def tastes(self) -> Float32s:
        """float32 [users, topics]: the hidden truth, in probits, without mood, fatigue and satiation; a copy."""
        return self._tastes.now.copy()

    @property
    def satisfaction(self) -> Float32s:
        """float32 [users]: watched share beyond expectation, a fading mean; hidden; a copy."""
        return self._visits.satisfaction.copy()

    @property
    def live_items(self) -> Int64s:
        """int64: the items born in this copy by now, in order of birth; a copy."""
        return self._live.copy()

    @property
    def authors(self) -> tuple[str, ...]:
        """The ids of the authors, new ones last."""
        return self._authors.ids

    @property
    def keen_authors(self) -> Bools:
        """bool [authors]: who has the audience to go on publishing all that was planned."""
        return self._audiences.keen

    def active(self) -> Bools:
        """bool [users]: who has opened a session in the last 24 hours."""
        active: Bools = self._visits.opened_at > self.now - DAY
        return active

    def step(self) -> Step:
        """Move on by one step: tastes drift, weariness fades, items are born, users join, some open a session.

        The first step also brings the items and users that were there before the world started.
        """
        if self.ended:
            raise InvalidArgument(f"the world ended after its {self.config.days} days; configure more of them")
        number = self._number + 1
        self.now += self.config.step
        self._exposure.fade(self.config.step)
        self._visits.fade(self.config.step)
        self._audiences.fade(self.config.step)
        born = self._give_birth()
        joined = np.arange(self._joined, np.searchsorted(self.users.joined_at, self.now, side="right"))
        self._joined += len(joined)
        alive = np.arange(len(self.users)) < self._joined
        self._tastes.drift(self.config, number, alive, self._walk, self._draws)
        free = alive & (self._sessions.until <= self.now)
        arrivals = self._visits.opens(self.now, number, free, joined, self._draws)
        return Step(self.now, born, joined, arrivals)

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
        """Show a page to each user, and let them tire of what they see.

        A further page in the same step goes on with the session of those who wanted it, and opens a new one for others.
        """
        self._check(users, items)
        sessions, draws, config = self._sessions, self._draws, self.config
        b, k = items.shape
        sessions.open(users, self._number)
        starts = np.maximum(sessions.until[users], self.now)
        base = sessions.place[users]
        counter = self._number * _PLACES + base[:, None] + np.arange(k)
        noise = draws.normal(Channel.WATCH, users[:, None], counter)
        stays = draws.uniform(Channel.STAY, users[:, None], counter) < self.users.patience[users, None]
        bores = draws.uniform(Channel.BORE, users[:, None], counter)

        taste = self._taste(users)
        looks = np.ones(b, dtype=bool)
        leaves_at = sessions.leaves_at[users]
        seen, watched = np.zeros((b, k), dtype=bool), np.zeros((b, k), dtype=np.float32)
        utility = np.zeros((b, k), dtype=np.float32)
        for place in range(k):
            item = items[:, place]
            shown = item != NOTHING
            seen[:, place] = looks & shown
            utility[:, place] = self._utility(users, taste, self._exposure.of(users), item, place)
            watched[:, place] = self._watching.share(utility[:, place], noise[:, place])
            wish = wish_to_leave(watched[:, place], self.users.boredom[users], config.boredom_lag, bores[:, place])
            leaves_at = np.where(shown & looks, np.minimum(leaves_at, base + place + wish), leaves_at)
            looks &= (stays[:, place] | ~shown) & (leaves_at > base + place)
            rows = seen[:, place]
            self._exposure.add(users[rows], self.items.topics[item[rows]])
            self._seen[users[rows], item[rows]] = True
        watched[~seen] = 0

        chances = [draws.uniform(Channel.ACT + number, users[:, None], counter) for number in range(CHANCES)]
        durations = self.items.durations[items]
        expressive = self.users.expressive[users, None]
        actions = act(config.actions, watched, self._watching.expected(utility), durations, expressive, chances)
        flags = {name: getattr(actions, name) & seen for name in actions.__dataclass_fields__}
        flags["followed"] = self._follow(users, items, flags["followed"])

        seconds = watched * durations
        spent = np.where(seen, (seconds.astype(np.float64) * 1000).astype(np.int64) + FLICK, 0)
        timestamps = starts[:, None] + np.cumsum(spent, axis=1) - spent
        sessions.until[users] = starts + spent.sum(axis=1)
        sessions.place[users] = base + k
        sessions.pages[users] += 1
        sessions.leaves_at[users] = leaves_at
        more = looks & (items != NOTHING).any(axis=1) & (sessions.pages[users] < config.pages_per_session)
        sessions.goes_on[users] = more
        self._visits.judge(users, watched.sum(axis=1), seen.sum(axis=1), k)
        self._audiences.see(self.items.authors[items[seen]])
        return Responses(users, items, timestamps, seen, watched, seconds, **flags, goes_on=more)

    def value(
        self,
        users: Int64s,  # int64 [b], different users
        items: Int64s,  # int64 [b, k], born items, or NOTHING
    ) -> npt.NDArray[np.float64]:
        """float64 [b]: the watched shares that a slate would bring now as the first page of a session, summed over its
        places: the mean at each place times the chance that patience and boredom let the user come that far. Exact but
        for rounding, because neither of the two depends on the noise of the other places' watched shares."""
        self._check(users, items)
        taste, exposure = self._taste(users), self._exposure.of(users)
        rows = np.arange(len(users))
        patience, boredom = self.users.patience[users], self.users.boredom[users]
        total, means = np.zeros(len(users)), np.zeros(items.shape)
        for place in range(items.shape[1]):
            item = items[:, place]
            utility = self._utility(users, taste, exposure, item, place)
            again = (items[:, :place] == item[:, None]).any(axis=1) & ~self._seen[users, item]
            utility -= np.float32(self.config.repeat) * again
            shown = item != NOTHING
            means[:, place] = np.where(shown, self._watching.expected(utility), 0)
            reached = chance_to_reach(
                means[:, :place], items[:, :place] != NOTHING, patience, boredom, self.config.boredom_lag
            )
            total += means[:, place] * reached
            exposure.add(rows[shown], self.items.topics[item[shown]])
        return total

    def oracle(
        self,
        users: Int64s,  # int64 [b], different users
        k: int,
    ) -> Int64s:
        """int64 [b, k]: for each position the item that brings most, given those above it and the weariness they cause.

        Greedy: it knows all that is hidden except the luck, but plans neither the places below nor later pages. What
        brings most at a place also bores least, so on a full page no trade-off is lost but that with weariness. It is
        the yardstick for the mean watched share of those who fill their pages. It is no bound for minutes, which longer
        items raise, nor for the mean share of those who show fewer items.
        """
        slates = np.full((len(users), k), NOTHING, dtype=np.int64)
        for start in range(0, len(users), _ORACLE_ROWS):
            rows = slice(start, start + _ORACLE_ROWS)
            self._fill(slates[rows], users[rows])
        return slates

    def shock(self, topic: str, strength: float = SHOCK) -> None:
        """Everyone now wants a topic: it becomes `strength` probits dearer than the average loved one, and what was
        loved before loses as much. Raises NotFound for a topic that there is not, and InvalidArgument for a strength
        under 0."""
        if strength < 0:
            raise InvalidArgument(f"strength: {strength}, expected 0 or more probits")
        self._tastes.shock(self.config, topic_number(topic), strength)

    def release_viral(self, topic: str) -> str:
        """An item about a topic that almost everybody likes is born at the next step; returns its id. Raises NotFound
        for a topic that there is not."""
        item = viral_item(self.config, self._draws.seed, self.items, self._authors, topic_number(topic), self.now)
        self._commission(item)
        return item.ids[0]

    def open_studio(self, topic: str) -> str:
        """A gifted new author publishes about a topic from the next step on; returns the author's id. Raises NotFound
        for a topic that there is not."""
        generator = np.random.default_rng([self._draws.seed, len(self._authors), topic_number(topic)])
        self._authors = self._authors.with_one_more(topic_number(topic), GIFT, generator)
        self._audiences.welcome_one_more()
        self._follows = np.pad(self._follows, ((0, 0), (0, 1)))
        studio = len(self._authors) - 1
        self._commission(studio_items(self.config, self._draws.seed, self.items, self._authors, studio, self.now))
        return self._authors.ids[studio]

    @property
    def _number(self) -> int:
        """How many steps there were before this one; -1 before the first."""
        return (self.now - self.config.start) // self.config.step - 1

    def _give_birth(self) -> Int64s:
        """int64: the items whose time has come, if they were commissioned or their authors still publish."""
        due = int(np.searchsorted(self.items.created_at[self._coming], self.now, side="right"))
        ready, self._coming = self._coming[:due], self._coming[due:]
        published = self._audiences.publishes(ready, self.items.authors[ready], self._draws)
        born = ready[published | (ready >= self._planned)]
        self._born[born] = True
        self._live = np.append(self._live, born)
        return born

    def _commission(self, items: Items) -> None:
        """Add commissioned items to those to come, in this copy only."""
        first = len(self.items)
        self.items = self.items.followed_by(items)
        added = np.arange(first, len(self.items))
        coming = np.append(self._coming, added)
        self._coming = coming[self.items.created_at[coming].argsort(kind="stable")]
        self._born = np.append(self._born, np.zeros(len(added), dtype=bool))
        self._seen = np.pad(self._seen, ((0, 0), (0, len(added))))
        self._item_index = self._item_index | dict(zip(items.ids, added.tolist(), strict=True))

    def _fill(self, slates: Int64s, users: Int64s) -> None:
        """The oracle's choice for some users, written into their slates."""
        live, k = self._live, slates.shape[1]
        topics = self.items.topics[live]
        liking = self._taste(users) @ topics.T
        liking += np.float32(self.config.style) * (self.users.styles[users] @ self.items.styles[live].T)
        liking += self._standing(live) - np.float32(self.config.repeat) * self._seen[users[:, None], live]
        exposure = self._exposure.of(users)
        rows = np.arange(len(users))
        for place in range(min(k, len(live))):
            best = (liking - exposure.cost() @ topics.T).argmax(axis=1)
            liking[rows, best] = -np.inf
            slates[:, place] = live[best]
            exposure.add(rows, topics[best])

    def _taste(self, users: Int64s) -> Float32s:
        """float32 [b, topics]: liking at this time of the day."""
        taste: Float32s = self._tastes.now[users] + self.users.moods[users, daypart(self.now)]
        return taste

    def _utility(
        self,
        users: Int64s,  # int64 [b]
        taste: Float32s,  # float32 [b, topics]
        exposure: Exposure,  # of these users
        items: Int64s,  # int64 [b]
        place: int,
    ) -> Float32s:
        """float32 [b]: what an item is to each user at a place of the page."""
        config = self.config
        utility: Float32s = np.einsum("bt,bt->b", taste - exposure.cost(), self.items.topics[items])
        manner = np.einsum("bs,bs->b", self.users.styles[users], self.items.styles[items])
        utility += np.float32(config.style) * manner
        utility += self._standing(items) - np.float32(config.repeat) * self._seen[users, items]
        utility -= np.float32(config.position * place)
        return utility

    def _standing(self, items: Int64s) -> Float32s:
        """float32, the shape of items: what an item brings to everybody now."""
        # Where a page is short, NOTHING stands for the last item there will ever be, which may not be born for long.
        age = np.maximum(self.now - self.items.created_at[items], 0) / self.config.staleness_half_life
        lost = (self.config.staleness * (1 - np.exp2(-age))).astype(np.float32)
        standing: Float32s = self.items.appeal[items] - lost
        return standing

    def _follow(self, users: Int64s, items: Int64s, wishes: Bools) -> Bools:
        """bool [b, k]: which of the wishes to follow are the first for user and author."""
        follows = np.zeros_like(wishes)
        for place in np.flatnonzero(wishes.any(axis=0)):
            author = self.items.authors[items[:, place]]
            follows[:, place] = wishes[:, place] & ~self._follows[users, author]
            self._follows[users, author] |= follows[:, place]
        return follows

    def _check(self, users: Int64s, items: Int64s) -> None:
        if items.ndim != 2 or users.shape != items.shape[:1]:
            raise InvalidArgument(f"users and items: shapes {users.shape} and {items.shape}, expected [b] and [b, k]")
        if len(np.unique(users)) < len(users):
            raise InvalidArgument("users: one of them stands twice; a user looks at one page at a time")
        if len(users) and not 0 <= users.min() <= users.max() < self._joined:
            raise InvalidArgument(f"users: expected indices from 0 to {self._joined - 1}, of those who have joined")
        known = (items >= NOTHING) & (items < len(self.items))
        if not (known.all() and self._born[items[items != NOTHING]].all()):
            raise InvalidArgument("items: expected indices of items born in this copy by now (`live_items`), or -1")
