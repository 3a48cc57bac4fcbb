"""What can be chosen of a demonstration, and how Feedmill is configured in it."""

from __future__ import annotations

import msgspec

from feedmill.domain.clock import DAY, SECOND, ScaledClock, SystemClock
from feedmill.domain.objectives import Action
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import DEFAULT_ACTIONS, Config

START = 1_767_600_000_000
"""UTC milliseconds: 2026-01-05T08:00:00Z, a Monday morning. Who looks on for a minute sees all of a day, its night
last."""

_REFRESH_SECONDS = 1_200.0
_RANKED = 600
_BEAT_SECONDS = 3_600.0
_TRACE_DAYS = 0.5
"""The phone asks for the trace of a card when it gets it."""
_replace = msgspec.structs.replace


class Setting(msgspec.Struct, frozen=True):
    """What a person may choose of it."""

    seed: int = 0
    users: int = 600
    day_seconds: float = 60.0
    """Seconds of the machine that a day of the world takes."""
    days: int = 360
    """The world has at most so many, six hours at a minute a day; one of many users has fewer."""
    seconds: float | None = None
    """Of the machine, from the start of the world to the end of the demonstration; None: until it is told to stop."""

    def clock(self) -> ScaledClock:
        """The world's clock, which shows the start of the world now."""
        return ScaledClock(START, SystemClock().now(), DAY / (self.day_seconds * SECOND))


def live_config(config: Config) -> Config:
    """A configuration for a world in which a day takes a minute.

    Nobody is held out: popularity lives in a copy of the world beside it. What is refreshed every half minute is so by
    the world's clock, which would be for every feed. What the usual actions mean that the configuration does not name
    is taken back: a file only adds to them. But what is skipped says something: a person who looks on for some minutes
    and passes over a topic four times is shown others. All items are ranked, so that a topic few care for can be found.
    """
    feed = config.feed
    return _replace(
        config,
        actions={**dict.fromkeys(DEFAULT_ACTIONS, Action()), "skip": Action("negative"), **config.actions},
        holdout=HoldoutConfig(share=0.0),
        serving=_replace(config.serving, heartbeat_seconds=_BEAT_SECONDS, trace_days=_TRACE_DAYS),
        feed=_replace(
            feed,
            trending=_replace(feed.trending, limit=_RANKED),
            fresh=_replace(feed.fresh, refresh_seconds=_REFRESH_SECONDS),
            liked=_replace(feed.liked, refresh_seconds=_REFRESH_SECONDS),
            two_tower=_replace(feed.two_tower, refresh_seconds=_REFRESH_SECONDS),
        ),
    )
