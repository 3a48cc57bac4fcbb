"""The moments of the world as columns for the charts, and which of them a browser does not have yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from feedmill.run.demo.telling import Moment

Column = Callable[[Moment], float | None]


@dataclass(frozen=True)
class News:
    """What one message to a chart brings: it drops points before `start`, and those after `after` are these."""

    start: int
    after: int
    moments: tuple[Moment, ...]

    def columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        """As a chart's `tell` takes them."""
        return {
            "from": self.start,
            "after": self.after,
            "times": [moment.now for moment in self.moments],
            "values": {name: [_short(read(moment)) for moment in self.moments] for name, read in columns.items()},
        }


class Sent:
    """Remembers which moments a browser has. The last of them may still have moved with the world's time."""

    def __init__(self) -> None:
        self._times: list[int] = []

    def news(self, moments: Sequence[Moment]) -> News:
        """What to send so that the browser has `moments`, oldest first."""
        if not moments:
            return News(0, -1, ())
        times = [moment.now for moment in moments]
        lasting = self._times[:-1]
        known = set(times)
        # Where older moments were thinned out, what the browser has is no part of what there is: all is sent again.
        kept = [time for time in lasting if time >= times[0]]
        after = kept[-1] if kept and all(time in known for time in kept) and kept[0] == times[0] else -1
        self._times = times
        return News(times[0], after, tuple(moment for moment in moments if moment.now > after))


def _short(value: float | None) -> float | None:
    """Four digits: no pixel shows more, and a message is a third as long."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.4g}")
