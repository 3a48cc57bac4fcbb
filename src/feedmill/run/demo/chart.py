"""Points of a chart that goes on for ever and never has too many: as it grows, every second one is left out."""

from __future__ import annotations

from feedmill.run.demo.telling import Moment

MOST = 240
"""Points that are kept."""


class Chart:
    """Moments, evenly spaced but for the last, which is always the latest."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._spacing = 1
        self._since = 0
        """Moments since the last that was kept."""

    def add(self, moment: Moment) -> tuple[Moment, ...]:
        """All points with this one, which is half a second later than the one before."""
        if self._since % self._spacing == 0:
            self._kept.append(moment)
            self._since = 0
        self._since += 1
        if len(self._kept) > MOST:
            # The first and every second after it: the last of an odd number stays, too.
            self._kept = self._kept[::2]
            self._spacing *= 2
        return (*self._kept, moment) if self._kept[-1] is not moment else tuple(self._kept)
