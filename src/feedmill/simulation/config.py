"""How large a world is, and how its people behave: every constant that shapes it."""

from __future__ import annotations

import msgspec

from feedmill.domain.clock import DAY, HOUR, MINUTE
from feedmill.domain.errors import ConfigError

_NOT_NEGATIVE = (
    "backlog",
    "births_per_day",
    "feeds_per_day",
    "activity_spread",
    "loyalty",
    "audience",
    "drift",
    "return_rate",
    "jumps_per_day",
    "mood",
    "style",
    "quality",
    "fatigue",
    "satiation",
    "noise",
)
_SHARES = (
    "late_users",
    "declare_interests",
    "patience",
    "boredom",
    "boredom_lag",
    "hope",
    "habituation",
    "impression_weight",
    "comeback",
    "ceiling",
)
_HALF_LIVES = (
    "staleness_half_life",
    "fatigue_half_life",
    "satiation_half_life",
    "audience_half_life",
    "satisfaction_half_life",
)


class ActionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How readily people act. Each chance is also scaled by how expressive the user is, except that of a click."""

    click: float = 1.0
    """The chance of a click on what was watched to the end."""
    click_within: float = 0.26
    """The watched share at which 63 % of that is reached: clicks come early."""
    like: float = 0.10
    """The chance of a like where everything was watched and was sure to be; it falls with both shares."""
    share: float = 0.004
    """The same of passing it on."""
    comment: float = 0.012
    """The same of a comment."""
    save: float = 0.02
    """The same of keeping it for later."""
    follow: float = 0.007
    """The same of following the author."""
    hide: float = 0.0013
    """The chance of hiding what was left at once and was sure to be; it falls with what is watched and what was
    expected."""
    report: float = 0.0003
    """The same of reporting it."""
    skip_seconds: float = 3.0
    """An impression left before that, and before half of the item, is a skip."""


class WorldConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One world. Weights are in probits: standard deviations of the watched share's normal (see `behaviour`)."""

    start: int = 1_767_571_200_000
    """UTC milliseconds: 2026-01-05T00:00:00Z, a Monday."""
    days: int = 12
    step_minutes: int = 30
    page: int = 10
    """Items in one page of a feed."""
    pages_per_session: int = 4
    """Pages after which everybody puts the phone away."""

    users: int = 240
    late_users: float = 0.15
    """The share of users who join while the world runs."""
    declare_interests: float = 0.4
    """The share of users who say at the start what they like."""
    feeds_per_day: float = 1.8
    """How often the average user opens the feed in a day, days off included."""
    activity_spread: float = 1.15
    """The spread of that between users: standard deviation of its logarithm."""
    habit: float = 0.75
    """The chance that a user who is neither pleased nor disappointed comes on a day at all, on average."""
    patience: float = 0.96
    """The average chance that nothing but the feed itself ends a session after an item."""
    boredom: float = 0.19
    """The average chance that an item of which nothing was watched makes the user want to leave; of an item watched
    to the end it is 0."""
    boredom_lag: float = 0.5
    """The chance to look at one more item, and then one more, with the wish to leave."""

    hope: float = 0.3
    """The mean watched share that the average user expects of a session at first."""
    habituation: float = 0.001
    """How far that expectation moves to what was found, with each item seen."""
    impression_weight: float = 0.03
    """How far one item seen moves a user's satisfaction to what it brought beyond expectation."""
    satisfaction_half_life: int = 7 * DAY
    """Milliseconds in which half of a pleasure or disappointment is forgotten."""
    loyalty: float = 4.0
    """How strongly satisfaction moves visits: they are multiplied by exp(loyalty x satisfaction)."""
    least_visits: float = 0.15
    """The least factor: who is disappointed still looks in now and then."""
    most_visits: float = 1.8
    """The largest factor."""

    authors: int = 120
    backlog: int = 500
    """Items born in the week before the world starts."""
    births_per_day: int = 100
    """If no author loses heart."""
    audience: float = 0.2
    """The share of an even audience (every author is seen equally often) under which an author loses heart."""
    audience_half_life: int = 2 * DAY
    """Milliseconds in which half of an audience is forgotten."""
    comeback: float = 0.03
    """The share of planned items that an author without any audience still publishes."""

    drift: float = 0.15
    """How far each taste walks in a day, in standard deviations."""
    return_rate: float = 0.05
    """The share of its distance from the user's long-term taste that a taste walks back in a day."""
    jumps_per_day: float = 0.06
    """How often a user drops one loved topic for another."""
    mood: float = 0.3
    """How much the part of the day moves the liking of a topic, in standard deviations."""

    loved: float = 1.0
    """The liking of the average loved topic."""
    unloved: float = -1.3
    """The liking of the average other topic."""
    style: float = 0.35
    """How much a user's liking of an author's manner weighs: what no tag tells."""
    quality: float = 0.42
    """The spread of quality between items, half of its variance the author's."""
    length: float = 0.12
    """What each doubling of an item's duration costs."""
    staleness: float = 0.7
    """What an item has lost once it is old."""
    staleness_half_life: int = 3 * DAY
    """Milliseconds in which half of that is lost."""
    fatigue: float = 0.25
    """What each doubling of the exposure to a topic in the last hours costs."""
    fatigue_half_life: int = 4 * HOUR
    """Milliseconds in which half of an exposure is forgotten."""
    satiation: float = 0.15
    """What each doubling of the exposure to a topic in the last days costs."""
    satiation_half_life: int = 4 * DAY
    """Milliseconds in which half of an exposure is forgotten."""
    position: float = 0.02
    """What each further position of a page costs: attention wanes."""
    repeat: float = 2.0
    """What having seen the item before costs."""

    noise: float = 1.0
    """The spread of single impressions; with a larger one more are either dropped early or watched to the end."""
    floor: float = 0.003
    """What is watched to less than this share counts as not watched at all."""
    ceiling: float = 0.915
    """What is watched to more than this share counts as watched to the end."""

    actions: ActionConfig = ActionConfig()

    @property
    def step(self) -> int:
        """Milliseconds of one step."""
        return self.step_minutes * MINUTE

    @property
    def steps(self) -> int:
        """Steps until the world ends."""
        return self.days * DAY // self.step

    @property
    def end(self) -> int:
        """UTC milliseconds."""
        return self.start + self.days * DAY

    def check(self) -> None:
        """Raises ConfigError that names the first value no world can have."""
        for name in ("days", "step_minutes", "page", "pages_per_session", "users", "authors"):
            if getattr(self, name) < 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected at least 1")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected 0 or more")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected between 0 and 1")
        for name in ("habit", "least_visits"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)}, expected above 0 and at most 1")
        if self.boredom_lag == 1:
            raise ConfigError("world.boredom_lag: 1, expected under 1; with it nobody would ever leave for boredom")
        if self.most_visits < 1:
            raise ConfigError(f"world.most_visits: {self.most_visits}, expected at least 1")
        if not 0 <= self.floor < self.ceiling <= 1:
            raise ConfigError(f"world.floor: {self.floor}, expected at least 0 and under the ceiling, {self.ceiling}")
        for name in _HALF_LIVES:
            if getattr(self, name) < 1:
                raise ConfigError(f"world.{name}: {getattr(self, name)} ms, expected at least 1")
        if DAY % self.step:
            raise ConfigError(f"world.step_minutes: {self.step_minutes}, expected a divisor of the 1440 of a day")
        for name in ActionConfig.__struct_fields__:
            if getattr(self.actions, name) < 0:
                raise ConfigError(f"world.actions.{name}: {getattr(self.actions, name)}, expected 0 or more")
