"""A learner and the watch over it, as one for snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from feedmill.learn.guards.watch import Watch
from feedmill.learn.training.learner import Learner


class Guarded(NamedTuple):
    """What a snapshot of a trainer holds."""

    learner: Learner
    watch: Watch

    @property
    def digest(self) -> bytes:
        """Of the learner: how publishing is guarded changes no parameters."""
        return self.learner.digest

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write both, as they are when `begun` is called. Raises StorageError."""
        self.watch.save(folder)
        self.learner.save(folder, begun)

    def load(self, folder: Path) -> None:
        """Make a new learner and its watch what `save` wrote. Raises SnapshotError."""
        self.learner.load(folder)
        self.watch.load(folder)
