"""What is measured of feeds while people live on them: how old what they know is, how well they predict, and whose
items they are made of. Safe to use from any thread."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from feedmill.measure.metrics import auc
from feedmill.run.demo.telling import Ages

WATCHED_FROM = 0.6
"""The watched share from which an item counts as watched."""
_IMPRESSIONS = 2_000
_SERVED = 2_000
_LATELY = 200
_MOST_AGES = 50_000


class AgesOf:
    """Durations, the latest of them and all."""

    def __init__(self) -> None:
        self._all: deque[float] = deque(maxlen=_MOST_AGES)
        self._lately: deque[float] = deque(maxlen=_LATELY)

    def add(self, milliseconds: float) -> None:
        self._all.append(milliseconds)
        self._lately.append(milliseconds)

    def lately(self) -> Ages:
        return _ages(self._lately)

    def all(self) -> Ages:
        return _ages(self._all)


class Measures:
    """Rolling measurements of what the simulated people were served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._to_feed = AgesOf()
        self._to_model = AgesOf()
        self._missed = 0
        self._predicted: deque[tuple[float, bool]] = deque(maxlen=_IMPRESSIONS)
        self._sources: deque[tuple[str, ...]] = deque(maxlen=_SERVED)

    def knew_event(self, milliseconds: float) -> None:
        """A feed was answered so long after an event was posted that it knew of."""
        with self._lock:
            self._to_feed.add(milliseconds)

    def missed_event(self) -> None:
        """A feed was answered that did not know of an event posted before it was asked for."""
        with self._lock:
            self._missed += 1

    def learned_event(self, milliseconds: float) -> None:
        """Parameters that have learned an event were in serving so long after it was posted."""
        with self._lock:
            self._to_model.add(milliseconds)

    def saw(self, pairs: Iterable[tuple[float, float]]) -> None:
        """What was predicted of impressions before they were seen, and the share that was then watched."""
        with self._lock:
            self._predicted.extend((predicted, watched >= WATCHED_FROM) for predicted, watched in pairs)

    def served(self, sources: Iterable[Sequence[str]]) -> None:
        """The sources that named each of some items on a page."""
        with self._lock:
            self._sources.extend(map(tuple, sources))

    def event_to_feed(self, *, lately: bool) -> Ages:
        with self._lock:
            return self._to_feed.lately() if lately else self._to_feed.all()

    def event_to_model(self, *, lately: bool) -> Ages:
        with self._lock:
            return self._to_model.lately() if lately else self._to_model.all()

    def missed(self) -> int:
        """How many feeds did not know what they had to."""
        with self._lock:
            return self._missed

    def auc(self) -> float | None:
        """Of the last 2,000 predictions; None while there are none, or only of one kind."""
        with self._lock:
            pairs = np.array(self._predicted, dtype=np.float64).reshape(-1, 2)
        value = auc(pairs[:, 1], pairs[:, 0])
        return None if math.isnan(value) else value

    def sources(self) -> dict[str, float]:
        """By source: its share of the last 2,000 items served."""
        with self._lock:
            named = list(self._sources)
        return shares_of(named)


def shares_of(named: Sequence[Sequence[str]]) -> dict[str, float]:
    """The share of items that each source named, the largest first; one that k sources named counts as 1 / k of each.

    >>> shares_of([("liked",), ("liked", "fresh")])
    {'liked': 0.75, 'fresh': 0.25}
    """
    totals: dict[str, float] = {}
    for sources in named:
        for source in sources:
            totals[source] = totals.get(source, 0.0) + 1 / len(sources)
    return _descending({source: total / len(named) for source, total in totals.items()})


def _descending(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def _ages(milliseconds: Sequence[float] | deque[float]) -> Ages:
    if not milliseconds:
        return Ages(None, None)
    half, most = np.percentile(np.array(milliseconds), (50, 99)).tolist()
    return Ages(half, most)
