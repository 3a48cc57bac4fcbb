"""What came of a policy in its copy of the world, counted as it happens."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Int64s
from feedmill.domain.clock import DAY
from feedmill.simulation.records import FLAGS
from feedmill.simulation.world import NOTHING, Responses, Step, World

PUBLISHING = 3 * DAY
"""A creator counts as active for so many milliseconds after an item."""


class Measures(msgspec.Struct, frozen=True):
    """How a policy did over some time. None where there was nothing to measure."""

    engagement: float | None
    """The mean watched share of what was seen."""
    minutes: float | None
    """Watched by a member in a day; a member is a user who has joined, whether he or she still comes or not."""
    active: float | None
    """The share of members who opened the feed on a day."""
    topics: float | None
    """Different first topics on a page, as it was served; empty pages left out."""
    filled: float | None
    """The share of the places of all pages asked for that were served with an item: 1 where each page was full. Who
    shows less is watched to a larger share, so compare engagement only where this is alike."""
    gini: float | None
    """How unevenly what was seen falls on the creators who had published by then: 0 evenly, near 1 on few."""
    creators: float | None
    """Creators who published within three days, at the end of a day."""


class Tally:
    """Sums by step and by day. Over several days, `Measures` of days are their mean, `gini` is that of the sum.

    Days are those of the calendar (UTC). The step that ends at midnight is the last of the day before.
    """

    def __init__(self, world: World) -> None:
        self.watched: list[float] = []
        """By step: the sum of watched shares."""
        self.seen: list[int] = []
        """By step: items seen."""
        self.feeds = 0
        """Pages that were served."""
        self.actions = dict.fromkeys(FLAGS, 0)
        """How often each action followed."""
        self._world = world
        self._seconds: list[float] = []
        self._asked: list[int] = []
        self._served: list[int] = []
        self._pages: list[int] = []
        self._topics: list[int] = []
        self._joined = 0
        self._days: list[_Day] = []
        self._published: Int64s = np.zeros(0, dtype=np.int64)

    def open(self, step: Step) -> None:
        """A step begins."""
        world = self._world
        date = (step.now - 1) // DAY
        if not self._days or self._days[-1].date != date:
            self._days.append(_Day(date, len(self.seen), len(world.users)))
        for sums in (self.watched, self._seconds):
            sums.append(0.0)
        for counts in (self.seen, self._asked, self._served, self._pages, self._topics):
            counts.append(0)
        authors = world.items.authors[step.born]
        self._published = _grown(self._published, int(authors.max(initial=-1)) + 1)
        np.maximum.at(self._published, authors, world.items.created_at[step.born])
        self._joined += len(step.joined)
        day = self._days[-1]
        day.active[step.arrivals] = True
        day.members = self._joined
        day.published = self._published > 0
        day.creators = int((self._published > step.now - PUBLISHING).sum())

    def add(self, responses: Responses) -> None:
        """A page was shown to some users."""
        self.watched[-1] += float(responses.watched.sum(dtype=np.float64))
        self.seen[-1] += int(responses.seen.sum())
        self._seconds[-1] += float(responses.seconds.sum(dtype=np.float64))
        for action, column in FLAGS.items():
            self.actions[action] += int(getattr(responses, column).sum())
        there = responses.items != NOTHING
        self._asked[-1] += len(there)
        self._served[-1] += int(there.sum())
        shown = there.any(axis=1)
        self.feeds += int(shown.sum())
        self._pages[-1] += int(shown.sum())
        self._topics[-1] += self._different_topics(responses.items)
        authors = np.bincount(self._world.items.authors[responses.items[responses.seen]])
        day = self._days[-1]
        day.exposure = _grown(day.exposure, len(authors))
        day.exposure[: len(authors)] += authors

    def engagement_by_day(self) -> list[float | None]:
        """The mean watched share of what was seen on each day up to today."""
        return [_ratio(sum(self.watched[day]), sum(self.seen[day])) for day in self._each_day()]

    def by_day(self) -> list[Measures]:
        """Each day up to today."""
        return [self.between(day.start, day.stop) for day in self._each_day()]

    def between(self, start: int, end: int) -> Measures:
        """Over the steps from `start` up to `end`; activity and creators are those of the days that they touch."""
        config = self._world.config
        seen, pages = sum(self.seen[start:end]), sum(self._pages[start:end])
        steps = [len(range(max(start, one.start), min(end, one.stop))) for one in self._each_day()]
        days = [day for day, touched in zip(self._days, steps, strict=True) if touched]
        members = sum(day.members * touched for day, touched in zip(self._days, steps, strict=True))
        published = days[-1].published if days else np.zeros(0, dtype=bool)
        exposure = np.zeros(len(published), dtype=np.int64)
        for day in days:
            exposure[: len(day.exposure)] += day.exposure
        return Measures(
            engagement=_ratio(sum(self.watched[start:end]), seen),
            minutes=_ratio(sum(self._seconds[start:end]) / 60, members * config.step / DAY),
            active=_ratio(sum(int(day.active.sum()) for day in days), sum(day.members for day in days)),
            topics=_ratio(sum(self._topics[start:end]), pages),
            filled=_ratio(sum(self._served[start:end]), sum(self._asked[start:end]) * config.page),
            gini=gini(exposure[published]),
            creators=_ratio(sum(day.creators for day in days), len(days)),
        )

    def returned(self, after: int) -> float | None:
        """The share of those active on a day who were active `after` days later, over all days that have such a day;
        None where nobody was active on one."""
        pairs = list(zip(self._days, self._days[after:], strict=False))
        came = sum(int(day.active.sum()) for day, _ in pairs)
        return sum(int((day.active & later.active).sum()) for day, later in pairs) / came if came else None

    def _each_day(self) -> list[slice]:
        starts = [day.start for day in self._days]
        return [slice(start, stop) for start, stop in pairwise([*starts, len(self.seen)])]

    def _different_topics(self, items: Int64s) -> int:
        """Summed over the pages `items` [b, k]."""
        first = self._world.items.topics.argmax(axis=1)[items]
        there = np.zeros((len(items), self._world.items.topics.shape[1] + 1), dtype=bool)
        np.put_along_axis(there, np.where(items == NOTHING, -1, first), True, axis=1)
        return int(there[:, :-1].sum())


class _Day:
    def __init__(self, date: int, start: int, users: int) -> None:
        self.date = date
        """Days since 1970."""
        self.start = start
        """Its first step."""
        self.active: npt.NDArray[np.bool_] = np.zeros(users, dtype=bool)
        self.exposure: Int64s = np.zeros(0, dtype=np.int64)
        """int64 [authors]: how often items of each were seen."""
        self.published: npt.NDArray[np.bool_] = np.zeros(0, dtype=bool)
        """bool [authors]: who had published by the end of the day."""
        self.members = 0
        self.creators = 0


def gini(counts: npt.NDArray[np.integer]) -> float | None:
    """The Gini coefficient of counts of 0 or more: half the mean difference of two of them over their mean. None where
    all are 0.

    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 1]))
    (0.0, 0.75)
    """
    n, total = len(counts), int(counts.sum())
    if total == 0:
        return None
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float((ranks * np.sort(counts)).sum() / (n * total))


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None


def _grown(values: Int64s, size: int) -> Int64s:
    return np.append(values, np.zeros(size - len(values), dtype=np.int64)) if size > len(values) else values
