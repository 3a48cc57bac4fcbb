"""The trainer: goes over the log step by step, and can be stopped at any point and taken up again."""

from __future__ import annotations

import mmap
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.records import Record
from feedmill.learn.guards.config import GuardConfig
from feedmill.learn.guards.guarded import Guarded
from feedmill.learn.guards.set_aside import SetAsideFile
from feedmill.learn.guards.watch import Watch
from feedmill.learn.training.journal import Entry, Journal
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.stream.log.protocol import Log

_LOOK_SECONDS = 0.01
"""How often a trainer that follows the log looks for new records."""
_FAR_BEHIND = 4
"""Batches that wait in the log when it is worth to fold one while another is learned."""
_IDLE_SECONDS = 2.0
_IDLE_RECORDS = 1000
"""A snapshot is taken, too, when nothing has come for so long and as many records were learned since the last one."""
_ROOM = 15 / 16
"""Of the steps between two snapshots those after which the memory of the next one is seen to."""


class Audience(Protocol):
    """Who is told what a trainer does that follows the log. Parameters are not changed meanwhile."""

    def after_step(self, step: int, position: int, received: int) -> None:
        """Everything before the position is learned, and was received until then: UTC milliseconds."""
        ...

    def beat(self) -> None:
        """There is nothing to learn; told a hundred times a second."""
        ...

    def covered(self, step: int) -> None:
        """There is a snapshot of that step."""
        ...

    def flush(self) -> None:
        """There will be no more steps."""
        ...


class _Saving(NamedTuple):
    """A snapshot that is being written."""

    step: int
    version: int
    """Of the table in it."""
    written: Future[None]


class _Begun(NamedTuple):
    """A step that is about to be applied."""

    entry: Entry
    position: int
    """After its records."""
    received: int


class Trainer:
    """A learner that follows a log.

    Every step is journalled before it is applied; from time to time a snapshot is taken, which is written beside the
    steps that follow. After a crash the last snapshot that is complete and the journals since then give the parameters
    that an uninterrupted run would have given.
    """

    def __init__(
        self,
        log: Log,
        make_learner: Callable[[], Learner],
        snapshots: Snapshots,
        set_aside: SetAsideFile | None = None,
        guard: GuardConfig | None = None,
    ) -> None:
        """Restores the newest snapshot that can be used, and executes the steps that were journalled after it.

        `set_aside` is told of what was not learned. Raises SnapshotError when the snapshot and the journal have learned
        from records that the log does not have.
        """
        self.log = log
        self.snapshots = snapshots
        self._make_learner = make_learner
        self._guard = guard or GuardConfig()
        self._set_aside = set_aside
        self.refused: list[str] = []
        """Why newer snapshots could not be used; they are removed, as the log can make them again."""
        self._journal: Journal | None = None
        self._interrupted = False
        self.learner, self.watch = self._new()
        self.step = self.position = self._received = 0
        self._restore()
        self.snapshot_step = self.step
        """Of the newest snapshot that is complete; 0 where there is none."""
        self.snapshot_version = self.learner.parameters.table.version
        """Of the table in it."""
        self._saving: _Saving | None = None
        self._writer = ThreadPoolExecutor(1, "feedmill_snapshot")
        self._room: Future[object] | None = None
        """Memory for the next snapshot, before it is taken."""
        self._begun: deque[_Begun] = deque()
        self._unsaved = 0
        """Records that were learned since the newest snapshot, complete or not."""
        self._read(self.position, 0)
        for entry in snapshots.journalled(self.learner, self.step):
            if not self._execute(entry):
                break

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
            before = self.step, self._last_cut
            for step, _ in self._steps(end, stopped):
                if not goes_on(step):
                    stopped.set()
            self._begin_snapshot()
            more = before != (self.step, self._last_cut)
        self.save()

    def skip(self, until: int) -> None:
        """Fold what stands before a position without learning from it, and take a snapshot there.

        Raises InvalidArgument when something behind that position was learned, or the log does not reach it.
        """
        self._require_whole()
        if until == self.position:
            return
        if until < self.position:
            raise InvalidArgument(
                f"position {until:,}: the log was learned up to position {self.position:,} already; to learn from there"
                f" alone, remove {self.snapshots.folder} or take another home"
            )
        if until > self.log.end():
            raise InvalidArgument(f"position {until:,}: the log ends at position {self.log.end():,}")
        self._interrupted = True
        self._append(Entry(self.step + 1, until, 0))
        self.step += 1
        self._fold(until)
        self._interrupted = False
        self.save()

    def follow(self, audience: Audience, wait: Callable[[float], bool]) -> None:
        """Learn what the log holds and whatever comes, until told to stop, and a snapshot there.

        `wait` lets so many seconds pass, and answers True to stop; 0 only asks. A step closes when it has
        `training.batch` records, or `training.batch_ms` after its first was found. A trainer that is far behind folds
        ahead, as `run` does. For what raises the same holds as there.
        """
        self._require_whole()
        config = self.learner.config.training
        idle = 0.0
        while not wait(0):
            if self._saving is not None and self._saving.written.done():
                self._complete(audience)
            records, position = self.log.read(self.position, config.batch)
            if not records:
                audience.beat()
                if self._saving is None and idle >= _IDLE_SECONDS and self._unsaved >= _IDLE_RECORDS:
                    self._begin_snapshot()
                wait(_LOOK_SECONDS)
                idle += _LOOK_SECONDS
                continue
            idle = 0.0
            if self._is_far_behind(len(records), position):
                self._run_ahead(audience, wait)
            else:
                self._step_alone(*self._filled(records, position, wait), audience)
            if self.step >= self._last_cut + config.snapshot_steps:
                self._complete(audience)
                self._begin_snapshot()
        audience.flush()
        self._complete(audience)
        self._begin_snapshot()
        self._complete(audience)

    def save(self) -> None:
        """Take a snapshot now, on disk when this returns; nothing to do when there was no step since the last one."""
        self._require_whole()
        self._begin_snapshot()
        self._end_snapshot()

    def roll_back(self, version: int, *, relearn: bool = False) -> None:
        """Go back to the parameters of the snapshot after step `version`, and take a snapshot of that as a new step.

        State and joiner stay where they are, and what was learned since is not learned again. With `relearn` all goes
        back, and the log is learned again from there on. Snapshots between are removed: what was learned in them is not
        wanted. Raises SnapshotError where there is no such version, or it is damaged; all is then as it was.
        """
        self._require_whole()
        self._end_snapshot()
        if version not in self.snapshots.steps():
            known = ", ".join(map(str, self.snapshots.steps())) or "none"
            raise SnapshotError(f"{self.snapshots.folder}: there is no version {version}; there are: {known}")
        manifest = self.snapshots.check(self.learner.digest, version)
        entry = Entry(self.step + 1, manifest.position if relearn else self.position, 0, version)
        self._append(entry)
        self._interrupted = True
        self._go_back(entry)
        self._interrupted = False
        for unwanted in self.snapshots.steps():
            if unwanted > version:
                self.snapshots.remove(unwanted)
        self.save()

    def close(self) -> None:
        """Release files, once what is being written is complete. The journal has what is not in a snapshot."""
        self._writer.shutdown()
        self._end_journal()
        self.learner.close()

    @property
    def _last_cut(self) -> int:
        """The step of the newest snapshot, complete or not."""
        return self.snapshot_step if self._saving is None else self._saving.step

    def _begin_snapshot(self) -> None:
        """Have a snapshot of the present step written beside the next ones, when the last one is complete."""
        self._end_snapshot()
        if self.step == self.snapshot_step:
            return
        self._end_journal()
        hold, begun, self._room = self.watch.hold, threading.Event(), None
        written = self._writer.submit(
            self.snapshots.save,
            Guarded(self.learner, self.watch),
            self.step,
            self.position,
            self._received,
            good_before=None if hold is None else hold.step,
            begun=begun.set,
        )
        written.add_done_callback(lambda written: begun.set())
        self._saving = _Saving(self.step, self.learner.parameters.table.version, written)
        self._unsaved = 0
        begun.wait()

    def _end_snapshot(self) -> None:
        """Wait for the snapshot that is being written, if there is one. Raises what its writing has raised."""
        if self._saving is not None:
            saving, self._saving = self._saving, None
            saving.written.result()
            self.snapshot_step, self.snapshot_version = saving.step, saving.version

    def _complete(self, audience: Audience) -> None:
        if self._saving is not None:
            self._end_snapshot()
            audience.covered(self.snapshot_step)

    def _end_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _batches(self, end: int, stopped: threading.Event) -> Iterator[list[Record]]:
        """The records of the steps up to the next snapshot, each journalled before it is given."""
        config = self.learner.config.training
        while self.step < self._last_cut + config.snapshot_steps and self.position < end and not stopped.is_set():
            records, position = self.log.read(self.position, config.batch)
            if not records:
                return
            self._begin(records, position)
            yield records

    def _begin(self, records: list[Record], position: int) -> None:
        """Journal a step that takes these records, and count it."""
        entry = Entry(self.step + 1, self.position, len(records))
        self._append(entry)
        self._count(entry, records, position)
        self._begun.append(_Begun(entry, position, self._received))

    def _count(self, entry: Entry, records: list[Record], position: int) -> None:
        self.step = entry.number
        self.position = position
        self._unsaved += len(records)
        self._received = records[-1].received_at
        if self._room is None and self.step >= self._last_cut + _ROOM * self.learner.config.training.snapshot_steps:
            self._room = self._writer.submit(_touched, self.learner.copied)

    def _execute(self, entry: Entry) -> bool:
        """Do again what was journalled; False where a rollback is to a version that can be read no more."""
        if not entry.version and not entry.records:
            self._fold(entry.position)
            self.step = entry.number
            return True
        if not entry.version:
            records, position = self._read(entry.position, entry.records)
            self._note(self.learner.step(records), entry)
            self._count(entry, records, position)
            return True
        try:
            self.snapshots.check(self.learner.digest, entry.version)
        except SnapshotError as error:
            self.refused.append(f"the rollback to version {entry.version} is lost, roll back again: {error}")
            return False
        self._go_back(entry)
        return True

    def _go_back(self, entry: Entry) -> None:
        """Take a version's parameters; where that is at another place of the log, all else of it, too."""
        folder = self.snapshots.path(entry.version)
        if entry.position == self.position:
            self.learner.load_parameters(folder)
        else:
            self.learner.close()
            self.learner = self._make_learner()
            self.learner.load(folder)
            self.position = entry.position
            self._received = self.snapshots.manifest(self.learner.digest, entry.version).received
        self.watch.forget_fall()
        self.step = entry.number

    def _append(self, entry: Entry) -> None:
        if self._journal is None:
            self._journal = self.snapshots.begin_journal(self.learner, self.step)
        self._journal.append(entry)

    def _fold(self, until: int) -> None:
        """Take records up to a position into state and joiner, and leave the parameters as they are."""
        self.learner.frozen = True
        while self.position < until:
            size = min(self.learner.config.training.batch, until - self.position)
            records, self.position = self._read(self.position, size)
            self.learner.step(records)
        self.learner.frozen = False

    def _steps(self, end: int, stopped: threading.Event) -> Iterator[tuple[Step, _Begun]]:
        """Steps up to the next snapshot, one of them folded ahead."""
        self._interrupted = True
        for step in self.learner.run(self._batches(end, stopped)):
            begun = self._begun.popleft()
            self._note(step, begun.entry)
            yield step, begun
        self._interrupted = False

    def _note(self, step: Step, entry: Entry) -> None:
        """Let the guards see what a step did."""
        self.watch.add(entry.number, step)
        if step.refusals and self._set_aside is not None:
            self._set_aside.add(entry.number, entry.position, entry.records, step.refusals)

    def _is_far_behind(self, found: int, position: int) -> bool:
        size = self.learner.config.training.batch
        more = (_FAR_BEHIND - 1) * size
        return found == size and len(self.log.read(position, more)[0]) == more

    def _run_ahead(self, audience: Audience, wait: Callable[[float], bool]) -> None:
        stopped = threading.Event()
        for _, begun in self._steps(self.log.end(), stopped):
            _tell(audience, begun)
            if wait(0):
                stopped.set()

    def _filled(
        self, records: list[Record], position: int, wait: Callable[[float], bool]
    ) -> tuple[list[Record], int]:  # fmt: skip
        """The records of a step and the position after them, when the step is full or its time has passed."""
        config = self.learner.config.training
        left = config.batch_ms / 1000
        while len(records) < config.batch and left > 0:
            if wait(min(_LOOK_SECONDS, left)):
                break
            left -= _LOOK_SECONDS
            more, position = self.log.read(position, config.batch - len(records))
            records = records + more
        return records, position

    def _step_alone(self, records: list[Record], position: int, audience: Audience) -> None:
        self._interrupted = True
        self._begin(records, position)
        begun = self._begun.pop()
        self._note(self.learner.step(records), begun.entry)
        self._interrupted = False
        _tell(audience, begun)

    def _new(self) -> tuple[Learner, Watch]:
        learner = self._make_learner()
        return learner, Watch(learner.config.objectives, self._guard)

    def _restore(self) -> None:
        if self.snapshots.enter(self.learner):
            self.refused.append(
                f"{self.snapshots.folder}: what was there was made with another configuration of features, objectives"
                " or models; it is put aside, and taken up again with that"
            )
        for step in reversed(self.snapshots.steps()):
            try:
                manifest = self.snapshots.restore(Guarded(self.learner, self.watch), step)
            except SnapshotError as error:
                self.refused.append(str(error))
                self.snapshots.remove(step)
                # What it has read of the damaged one may be in it.
                self.learner.close()
                self.learner, self.watch = self._new()
                continue
            self.step, self.position, self._received = manifest.step, manifest.position, manifest.received
            return

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


def _touched(size: int) -> npt.NDArray[np.uint8]:
    """Memory that the system has given. What is given back is at hand for a while; a virtual machine that has to ask
    its host takes 2 s a gigabyte, for which training would wait."""
    memory = np.empty(size, dtype=np.uint8)
    memory[:: mmap.PAGESIZE] = 0
    return memory


def _tell(audience: Audience, begun: _Begun) -> None:
    audience.after_step(begun.entry.number, begun.position, begun.received)
