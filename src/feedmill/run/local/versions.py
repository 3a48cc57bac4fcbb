"""The versions of a home: the snapshots of its parameters, and how well each predicted."""

from __future__ import annotations

import msgspec

from feedmill.domain.errors import SnapshotError
from feedmill.learn.guards.watch import last_seen
from feedmill.learn.training.snapshots import Snapshots
from feedmill.run.config import Config
from feedmill.run.home import Home


class Quality(msgspec.Struct, frozen=True):
    """How well the examples of the last window were predicted, each before it was learned."""

    auc: float | None
    calibration: float | None
    """Predicted positives for each one observed; None where the objective is a value."""
    prediction: float | None
    """The mean."""


class Version(msgspec.Struct, frozen=True):
    """Parameters that can be gone back to."""

    version: int
    """The step after which they were kept."""
    position: int
    """Of the log, up to which they have learned."""
    received: int | None
    """When the last record of that was received: UTC milliseconds."""
    examples: int
    """Of the last window; 0 where none was full yet."""
    objectives: dict[str, Quality]
    held: bool
    """Whether publishing was held when they were kept."""


def list_versions(home: Home, config: Config) -> list[Version]:
    """The versions of a home under a configuration, oldest first; also while it is served."""
    snapshots = Snapshots(home.snapshots)
    digest = config.learning().digest()
    versions = []
    for step in snapshots.steps():
        try:
            manifest = snapshots.manifest(digest, step)
            window, hold = last_seen(snapshots.path(step))
        except SnapshotError:
            # Of another configuration, or removed meanwhile.
            continue
        objectives = {} if window is None else window.objectives
        binary = {name for name, objective in config.objectives.items() if objective.kind == "binary"}
        versions.append(
            Version(
                step,
                manifest.position,
                manifest.received or None,
                0 if window is None else window.examples,
                {
                    name: Quality(one.auc, one.calibration if name in binary else None, one.mean)
                    for name, one in objectives.items()
                },
                hold is not None,
            )
        )
    return versions
