"""Replay: one progressive pass over a log. Every example is predicted before it is first learned.

A replay that was stopped goes on from its last snapshot: same home, same configuration, same instant of freezing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from feedmill.domain.clock import format_time
from feedmill.domain.errors import SnapshotError
from feedmill.domain.records import Record
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.run.objective_metrics import ObjectiveMetrics, Recent, objective_metrics
from feedmill.stream.files import storage_errors
from feedmill.stream.log.lock import WriterLock
from feedmill.stream.log.protocol import Log

PREDICTIONS = "predictions.npz"


class ReplayReport(msgspec.Struct, frozen=True):
    """What a replay measured."""

    rows: int
    """Examples predicted."""
    window_rows: int
    """Of them, those of the window that `objectives` is about."""
    window_from: str | None
    frozen_from: str | None
    learned: int
    """Examples learned, repeats counted: more than `rows` where the learner goes over earlier rows again."""
    seconds: float
    rows_per_second: float
    """Over reading the log, features, predicting and learning, from the first record to the last."""
    objectives: dict[str, ObjectiveMetrics]


class Replay:
    """A learner on its way through a log, with everything that it has predicted."""

    COLUMNS = ("labels", "weights", "users", "items", "timestamps")

    def __init__(self, log: Log, learner: Learner, *, frozen_from: int | None = None) -> None:
        self.log = log
        self.learner = learner
        self.frozen_from = frozen_from
        self.step = 0
        self.position = 0
        self.learned = 0
        self.seconds = 0.0
        self._stopped = False
        self.recent = Recent(learner.config.objectives)
        """The last examples of this run, for a word on the way."""
        self._parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("predictions", *self.COLUMNS)}

    @property
    def digest(self) -> bytes:
        """What tells one replay of a log from another."""
        return self.learner.digest + str(self.frozen_from).encode()

    def run(self, until: int, steps: int, goes_on: Callable[[], bool]) -> None:
        """At most so many steps, up to a position; `goes_on` is asked after each, and may let one more pass."""
        self._stopped = False
        started = time.perf_counter()
        for done in self.learner.run(self._batches(until, steps)):
            self._parts["predictions"].append(done.predictions)
            for name in self.COLUMNS:
                self._parts[name].append(getattr(done.examples, name))
            self.recent.add(done.examples, done.predictions)
            self.learned += len(done.examples) if done.learned else 0
            self._stopped = not goes_on() or self._stopped
        self.seconds += time.perf_counter() - started

    def _batches(self, until: int, steps: int) -> Iterator[list[Record]]:
        for _ in range(steps):
            if self._stopped or self.position >= until:
                return
            records, position = self.log.read(self.position, self.learner.config.training.batch)
            records, self.position = self._cut_where_frozen(records, position)
            self.step += 1
            yield records

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """`predictions` float32 [n, O], and `labels`, `weights`, `users`, `items`, `timestamps` of the examples."""
        columns = {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}
        self._parts = {name: [column] for name, column in columns.items()}
        return columns

    def report(self, window_from: int | None = None) -> ReplayReport:
        """The metrics of every objective over the examples from an instant on."""
        columns = self.columns()
        rows = len(columns["timestamps"]) if columns else 0
        inside = columns["timestamps"] >= (window_from or 0) if columns else np.zeros(0, dtype=np.bool_)
        objectives = (
            objective_metrics(
                self.learner.config.objectives,
                *(columns[name][inside] for name in ("labels", "predictions", "weights")),
            )
            if columns
            else {}
        )
        return ReplayReport(
            rows=rows,
            window_rows=int(inside.sum()),
            window_from=None if window_from is None else format_time(window_from),
            frozen_from=None if self.frozen_from is None else format_time(self.frozen_from),
            learned=self.learned,
            seconds=self.seconds,
            rows_per_second=rows / self.seconds if self.seconds else 0.0,
            objectives=objectives,
        )

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write the learner and the predictions to files in `folder`, as they are when `begun` is called."""
        counts = np.array([self.step, self.position, self.learned], dtype=np.int64)
        columns: dict[str, Any] = self.columns()
        with storage_errors(folder):
            np.savez(folder / PREDICTIONS, counts=counts, seconds=np.float64(self.seconds), **columns)
        self.learner.save(folder, begun)

    def load(self, folder: Path) -> None:
        """Make a new replay what `save` wrote."""
        self.learner.load(folder)
        try:
            with np.load(folder / PREDICTIONS) as file:
                columns = dict(file)
        except (OSError, ValueError) as error:
            raise SnapshotError(f"{folder / PREDICTIONS}: cannot be read ({error})") from None
        self.step, self.position, self.learned = columns.pop("counts").tolist()
        self.seconds = float(columns.pop("seconds"))
        self._parts = {name: [columns[name]] for name in self._parts}
        self.learner.frozen = self._is_frozen()

    def _is_frozen(self) -> bool:
        return self.frozen_from is not None and self.learner.state.watermark >= self.frozen_from

    def _cut_where_frozen(self, records: list[Record], position: int) -> tuple[list[Record], int]:
        """Ends a batch before the first record that must not be learned from, and freezes the learner there."""
        if self.frozen_from is None or self.learner.frozen:
            return records, position
        after = next((i for i, record in enumerate(records) if record.timestamp >= self.frozen_from), len(records))
        if after == 0:
            self.learner.frozen = True
            return records, position
        return self.log.read(self.position, after) if after < len(records) else (records, position)


def replay(
    make_replay: Callable[[Path | None], Replay],
    folder: Path,
    *,
    snapshot_steps: int,
    after_step: Callable[[Replay], bool] = lambda replay: True,
    keep: bool = False,
) -> Replay | None:
    """Run a replay to the end of its log, from the snapshot in `folder` where an earlier one was stopped.

    `make_replay` makes a new one, whose learner keeps in the folder that it is given what it has no room for in memory.
    `after_step` is told of every step; when it returns False, a snapshot is taken and None is returned. At the end
    nothing is left in the folder, unless `keep` says that there is to be a snapshot until `forget` is called.
    Raises HomeError while another process runs the same replay.
    """
    place = _place(folder, make_replay(None))
    snapshots = Snapshots(place, keep=1)
    with storage_errors(place):
        lock = WriterLock(place / "lock", "running this very replay")
    try:
        done = _go_on(lambda: make_replay(place), snapshots, snapshot_steps, after_step, keep)
    finally:
        lock.release()
    if done is not None and not keep:
        forget(done, folder)
    return done


def forget(done: Replay, folder: Path) -> None:
    """Remove what a replay that has ended has left in the folder."""
    shutil.rmtree(_place(folder, done), ignore_errors=True)


def _place(folder: Path, one: Replay) -> Path:
    return folder / xxhash.xxh3_64_hexdigest(one.digest)


def _go_on(
    make_replay: Callable[[], Replay],
    snapshots: Snapshots,
    snapshot_steps: int,
    after_step: Callable[[Replay], bool],
    keep: bool,
) -> Replay | None:
    running = make_replay()
    for step in reversed(snapshots.steps()):
        try:
            snapshots.restore(running, step)
            break
        except SnapshotError:
            snapshots.remove(step)
            running.learner.close()
            running = make_replay()
    end = running.log.end()
    stopped = False

    def goes_on() -> bool:
        nonlocal stopped
        stopped = not after_step(running) or stopped
        return not stopped

    while running.position < end and not stopped:
        running.run(end, snapshot_steps, goes_on)
        if running.position < end or keep:
            snapshots.save(running, running.step, running.position)
    return None if running.position < end else running
