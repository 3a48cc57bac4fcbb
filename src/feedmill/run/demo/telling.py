"""What the demonstration tells of itself: the page shows it, and `feedmill demo --json` ends with it."""

from __future__ import annotations

import msgspec


class Ages(msgspec.Struct, frozen=True):
    """How long something took, in milliseconds of the machine's time; None before the first measurement."""

    p50: float | None
    p99: float | None


NOT_MEASURED = Ages(None, None)


class EventAges(msgspec.Struct, frozen=True):
    """How old events were, as the server measures its last ones."""

    to_state: Ages = NOT_MEASURED
    """When feeds were made from them."""
    to_trained: Ages = NOT_MEASURED
    """When the trainer had learned them."""
    to_served: Ages = NOT_MEASURED
    """When feeds were ranked by parameters that have learned them."""


class Moment(msgspec.Struct, frozen=True):
    """One point of the charts."""

    now: int
    """UTC milliseconds in the world."""
    engagement: dict[str, float | None]
    """By policy: the mean watched share of what its users saw lately; None where they saw nothing."""
    event_to_feed_ms: Ages
    """From an event posted to the answer of a feed that knows it, lately."""
    event_to_model_ms: Ages
    """From an event posted to a status whose parameters have learned it, lately. Until then the status is asked for
    every 25 ms: so much too long an age may be."""
    auc: float | None
    """Of what feeds predicted before it was seen against what was then watched to 0.6 or beyond, lately."""
    sources: dict[str, float]
    """By source: the share of lately served items that it named; an item that several named counts in parts."""
    trainer_lag: int
    """Records of the log that the parameters had not learned."""


class ProcessTold(msgspec.Struct, frozen=True):
    """A process of the home, as its supervisor sees it."""

    name: str
    pid: int | None
    """None while it is not running."""
    restarts: int


class Told(msgspec.Struct, frozen=True):
    """All that the page shows beside the phone. Made by the thread that lives the world, read by any."""

    seed: int
    started: bool
    now: int
    day: float
    """Days of the world that have passed."""
    users: int
    items: int
    """Born by now."""
    events: int
    """That the simulated users have sent."""
    feeds: int
    """That they were served."""
    moments: tuple[Moment, ...]
    """Oldest first, evenly spaced; the last is now."""
    processes: tuple[ProcessTold, ...]
    parameters_step: int
    learned: bool
    """Whether parameters have arrived that learned anything."""
    notes: tuple[tuple[int, str], ...]
    """What was done to the world, newest last: UTC milliseconds in the world, and a sentence."""
    ages: EventAges = EventAges()
    held: tuple[str, ...] = ()
    """Why the trainer's newer parameters are held back, and older ones served; empty where they are not."""
    ended: bool = False
    """Whether the world's last day is over: nothing more can be done to it; the phone goes on."""


class Card(msgspec.Struct, frozen=True):
    """One item in the hand of the person at the phone."""

    request_id: str
    item_id: str
    title: str
    author_id: str
    topic: str
    """What it is first about."""
    topics: tuple[str, ...]
    mood: str
    duration: float
    """Seconds in the world."""
    sources: tuple[str, ...]
    why: str
    predictions: dict[str, float]
    score: float
    rank: int
    """Its place on the page, from 1: that of its score, but for what variety and exploration have moved."""
    considered: int
    """How many candidates were ranked for this card; 0 where no trace was kept."""
    explored: float | None
    """Where exploration chose it: how likely it was to."""
    ahead_of: tuple[tuple[str, float], ...]
    """Titles and scores of the next best that stand after it on the page; all are below its own."""
    varied: bool = False
    """Whether something with a higher score stands after it: it was placed for variety."""


class Belief(msgspec.Struct, frozen=True):
    """What the engine expects of a person and a topic."""

    topic: str
    watched: float
    """The share of an item about it that the person is expected to watch, 0 to 1."""


class Reaction(msgspec.Struct, frozen=True):
    """What the person did with a card, when leaving it."""

    item_id: str
    request_id: str
    watched: float
    """The share of the card's time that it was looked at, 0 to 1."""
    actions: tuple[str, ...] = ()
    """Of like, share, comment, save, follow, hide, report, skip, click."""
