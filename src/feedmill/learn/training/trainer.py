"""The trainer: goes over the log step by step, and can be stopped at any point and taken up again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.records import Record
from feedmill.learn.training.journal import Entry, Journal
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.stream.log.protocol import Log


class Trainer:
    """A learner that follows a log.

    Every step is journalled before it is applied; a snapshot is taken from time to time. After a crash the last
    snapshot and the journal give the parameters that an uninterrupted run would have given.
    """

    def __init__(self, log: Log, make_learner: Callable[[], Learner], snapshots: Snapshots) -> None:
        """Restores the newest snapshot that can be used, and executes the steps that were journalled after it.

        Raises SnapshotError when these have learned from records that the log does not have.
        """
        self.log = log
        self.snapshots = snapshots
        self.refused: list[str] = []
        """Why newer snapshots could not be used; they are removed, as the log can make them again."""
        self._journal: Journal | None = None
        self._interrupted = False
        self.learner, self.step, self.position = self._restored(make_learner)
        self._snapshot_step = self.step
        self._read(self.position, 0)
        for entry in snapshots.journalled(self.learner, self.step):
            records, self.position = self._read(entry.position, entry.records)
            self.learner.step(records)
            self.step = entry.number

    def run(self, goes_on: Callable[[Step], bool] = lambda step: True, *, until: int | None = None) -> None:
        """Step after step up to the end of the log (or the first step that reaches a position), and a snapshot there.

        `goes_on` is told of every step; after it answered False there is at most one more. When it or a step raises,
        the state is ahead of the parameters and this trainer is of no further use: a new one goes on from the journal.
        """
        self._require_whole()
        end = self.log.end() if until is None else until
        stopped = threading.Event()
        more = True
        while more and not stopped.is_set() and self.position < end:
            before = self.step, self._snapshot_step
            self._interrupted = True
            for step in self.learner.run(self._batches(end, stopped)):
                if not goes_on(step):
                    stopped.set()
            self._interrupted = False
            self.save()
            more = before != (self.step, self._snapshot_step)
        self.save()

    def save(self) -> None:
        """Take a snapshot now; nothing to do when there was no step since the last one."""
        self._require_whole()
        if self.step == self._snapshot_step:
            return
        self.close()
        self.snapshots.save(self.learner, self.step, self.position)
        self._snapshot_step = self.step

    def close(self) -> None:
        """Release files. The journal has what is not in a snapshot."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _batches(self, end: int, stopped: threading.Event) -> Iterator[list[Record]]:
        """The records of the steps up to the next snapshot, each journalled before it is given."""
        config = self.learner.config.training
        while self.step < self._snapshot_step + config.snapshot_steps and self.position < end and not stopped.is_set():
            records, position = self.log.read(self.position, config.batch)
            if not records:
                return
            if self._journal is None:
                self._journal = self.snapshots.begin_journal(self.learner, self.step)
            self._journal.append(Entry(self.step + 1, self.position, len(records)))
            self.step += 1
            self.position = position
            yield records

    def _restored(self, make_learner: Callable[[], Learner]) -> tuple[Learner, int, int]:
        for step in reversed(self.snapshots.steps()):
            learner = make_learner()
            try:
                manifest = self.snapshots.restore(learner, step)
            except SnapshotError as error:
                self.refused.append(str(error))
                self.snapshots.remove(step)
                continue
            return learner, manifest.step, manifest.position
        return make_learner(), 0, 0

    def _read(self, position: int, count: int) -> tuple[list[Record], int]:
        """Records that were learned before."""
        try:
            records, following = self.log.read(position, count)
            if len(records) == count:
                return records, following
        except InvalidArgument:
            pass
        raise SnapshotError(
            f"{self.snapshots.folder}: what is here has learned from records that the log does not have; it is of "
            "another log, or the log has lost some: remove the folder to learn again from the log that there is"
        )

    def _require_whole(self) -> None:
        if self._interrupted:
            raise SnapshotError(
                f"{self.snapshots.folder}: the last run was interrupted between two steps; make a new trainer, which "
                "goes on from the journal"
            )
