"""What came of a demonstration: the last line of `feedmill demo --json`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from feedmill.run.demo.telling import Ages
from feedmill.stream.files import atomic_write


class Report(msgspec.Struct, frozen=True):
    """How a demonstration went."""

    url: str
    """Where its page was."""
    seed: int
    events: int = 0
    """That the simulated users sent."""
    feeds: int = 0
    """That they were served."""
    engagement: dict[str, float | None] = {}
    """By policy: the mean watched share of what was seen in the last quarter of the time; None where that was
    nothing."""
    likes: dict[str, float | None] = {}
    """By policy: likes for each item seen."""
    event_to_feed_ms: Ages = Ages(None, None)
    event_to_model_ms: Ages = Ages(None, None)
    missed: int = 0
    """Feeds that did not know of an event posted before they were asked for; there should be none."""
    auc: float | None = None
    """Of the last 2,000 predictions."""
    days: float = 0.0
    """Of the world."""
    users: int = 0
    items: int = 0
    parameters_step: int = 0
    seconds: float = 0.0
    """Since the world began."""
    notes: tuple[str, ...] = ()
    """What was done to the world."""


def write_report(path: Path, report: Report) -> None:
    """Leave the report for the process that prints it. Raises StorageError."""
    atomic_write(path, msgspec.json.encode(report) + b"\n")


def read_report(path: Path) -> Report | None:
    """The report; None where there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
