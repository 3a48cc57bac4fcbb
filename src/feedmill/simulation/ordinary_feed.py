"""A world under an ordinary feed: what to compare with the log of a platform."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Int64s
from feedmill.domain.clock import DAY
from feedmill.simulation.impression_log import LONG_SECONDS, ImpressionLog
from feedmill.simulation.world import NOTHING, Responses, World


class OrdinaryFeed:
    """What a plain platform would show: what is watched well, of the subjects that the user watches well.

    Items score by the smoothed mean watched share of everybody, plus that of the user for the item's subject (its first
    category), plus normal noise. It keeps no history beyond these means, knows nothing that is hidden, and shows
    nothing twice. Cost: O(items) a user and page.
    """

    def __init__(self, world: World, generator: np.random.Generator, noise: float = 0.03) -> None:
        names = sorted({body.categories[0] for body in world.items.bodies})
        self._subjects = np.array([names.index(body.categories[0]) for body in world.items.bodies])
        self._shown = np.zeros(len(world.items))
        self._watched = np.zeros(len(world.items))
        self._subject_shown = np.zeros((len(world.users), len(names)))
        self._subject_watched = np.zeros((len(world.users), len(names)))
        self._seen = np.zeros((len(world.users), len(world.items)), dtype=bool)
        self._generator = generator
        self._noise = np.float32(noise)

    def page(
        self,
        users: Int64s,  # int64 [b]
        live: Int64s,  # int64: items born by now
        k: int,
    ) -> Int64s:
        """int64 [b, k]: the best k; NOTHING where the user has seen everything."""
        mean = (self._watched.sum() + 1) / (self._shown.sum() + 3)
        popular = ((self._watched + 10 * mean) / (self._shown + 10))[live].astype(np.float32)
        liked = (self._subject_watched[users] + 4 * mean) / (self._subject_shown[users] + 4)
        scores = liked.astype(np.float32)[:, self._subjects[live]] + popular
        scores += self._noise * self._generator.standard_normal(scores.shape, dtype=np.float32)
        scores[self._seen[users][:, live]] = -np.inf
        found = min(k, len(live))
        best = np.argpartition(-scores, found - 1, axis=1)[:, :found]
        order = np.take_along_axis(-scores, best, axis=1).argsort(axis=1)
        best = np.take_along_axis(best, order, axis=1)
        slates = np.full((len(users), k), NOTHING, dtype=np.int64)
        slates[:, :found] = np.where(np.isfinite(np.take_along_axis(scores, best, axis=1)), live[best], NOTHING)
        return slates

    def observe(self, responses: Responses) -> None:
        """Learn from one page of each user."""
        row, place = np.nonzero(responses.seen)
        users, items, watched = responses.users[row], responses.items[row, place], responses.watched[row, place]
        np.add.at(self._shown, items, 1)
        np.add.at(self._watched, items, watched)
        np.add.at(self._subject_shown, (users, self._subjects[items]), 1)
        np.add.at(self._subject_watched, (users, self._subjects[items]), watched)
        self._seen[users, items] = True


def live(world: World, warm_up_days: int, generator: np.random.Generator) -> ImpressionLog:
    """Let a world live to its end under an OrdinaryFeed, and log what is seen after the first `warm_up_days`."""
    feed = OrdinaryFeed(world, generator)
    begin = world.now + warm_up_days * DAY
    pages: list[Responses] = []
    while not world.ended:
        step = world.step()
        users = step.arrivals
        for _ in range(world.config.pages_per_session):
            if not len(users):
                break
            responses = world.respond(users, feed.page(users, world.live_items, world.config.page))
            feed.observe(responses)
            if step.now > begin:
                pages.append(responses)
            users = users[responses.goes_on]
    return _log_of(world, pages)


def _log_of(world: World, pages: list[Responses]) -> ImpressionLog:
    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(page, name)[page.seen] for page in pages])

    items = column("items")
    durations = world.items.durations[items]
    return ImpressionLog(
        users=np.concatenate([page.users[np.nonzero(page.seen)[0]] for page in pages]),
        items=items,
        times=column("timestamps"),
        watched=column("watched"),
        durations=durations,
        actions={
            "click": column("clicked"),
            "long_view": column("seconds") >= np.minimum(durations, LONG_SECONDS),
            "like": column("liked"),
            "follow": column("followed"),
            "comment": column("commented"),
            "share": column("shared"),
            "hate": column("hidden") | column("reported"),
        },
    )
