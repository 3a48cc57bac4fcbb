"""The server's state: what the log says, up to a position that is always known exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from feedmill.domain.errors import SnapshotError
from feedmill.domain.records import Record
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.snapshots import Snapshots
from feedmill.run.local.turns import Turns
from feedmill.stream.log.protocol import Log
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.snapshot import load_state
from feedmill.stream.state.state import State, StateConfig

_CHUNK = 500
"""Records that are folded while requests wait: a few milliseconds."""
_READ = 5_000

Report = Callable[[int, int], None]
"""Told of the position that is reached and the one to reach."""


class FoldedState:
    """A state that follows a log. Folds and whoever holds `turns` exclude each other."""

    def __init__(self, config: LearningConfig, log: Log, turns: Turns) -> None:
        """Empty, at the beginning of the log."""
        self._config = config
        self._log = log
        self._turns = turns
        self.state = _empty(config)
        self.position = 0
        """The log position up to which it is folded."""
        self.refused: list[str] = []
        """Why newer snapshots could not be used."""

    def restore(self, snapshots: Snapshots) -> None:
        """Begin where the newest snapshot that fits has been taken, if there is one."""
        for step in reversed(snapshots.steps()):
            restored = _RestoredState(self._config)
            try:
                manifest = snapshots.restore(restored, step)
            except SnapshotError as error:
                self.refused.append(str(error))
                continue
            if manifest.position > self._log.end():
                self.refused.append(f"{snapshots.folder}: of another log, which was longer")
                continue
            self.state, self.position = restored.state, manifest.position
            return

    def catch_up(self, end: int, report: Report = lambda position, end: None) -> None:
        """Fold the log up to `end`. Cost: about 8 us a record."""
        while self.position < end:
            records, following = self._log.read(self.position, min(_READ, end - self.position))
            self._fold(records)
            assert self.position == following
            report(self.position, end)

    def fold(self, records: Sequence[Record], position: int) -> None:
        """Fold records that the log has accepted; they end at `position`.

        Where others stand between them and what has been folded, these come first: an append that failed after it had
        reached the disk is in the log all the same.
        """
        self.catch_up(position - len(records))
        self._fold(records)

    def _fold(self, records: Sequence[Record]) -> None:
        for start in range(0, len(records), _CHUNK):
            chunk = records[start : start + _CHUNK]
            with self._turns:
                self.state.fold(chunk)
                self.position += len(chunk)


class _RestoredState:
    """The state among what a snapshot holds."""

    def __init__(self, config: LearningConfig) -> None:
        self.state = _empty(config)
        self._digest = config.digest()

    @property
    def digest(self) -> bytes:
        return self._digest

    def load(self, folder: Path) -> None:
        load_state(self.state, folder)


def _empty(config: LearningConfig) -> State:
    reader = FeedbackReader(config.actions, config.objectives)
    return State(StateConfig(config.features, reader, frozenset(config.join.served_means_seen), config.training.seed))
