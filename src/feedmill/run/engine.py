"""A home, open in this process: the one place where log, catalog, learner and feed are wired together."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from feedmill.domain.clock import Clock, SystemClock
from feedmill.domain.records import Scalar
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.guards.set_aside import SetAsideFile
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.run.config import Config, load_config
from feedmill.run.feed import make_feed
from feedmill.run.home import Home
from feedmill.run.ingesting import open_entrance
from feedmill.serve.feed import Feed
from feedmill.serve.page import Page
from feedmill.serve.pipeline.request import Request
from feedmill.stream.files import atomic_write, storage_errors
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.lock import WriterLock
from feedmill.stream.log.sqlite import SqliteLog

AfterStep = Callable[[Step, int, int], bool]
"""Told after a step what it did, the position that reading has reached and the one to reach; says whether to go on."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How far the trainer came."""

    steps: int
    examples: int
    seconds: float
    """Over reading the log, features, predicting, learning and snapshots."""
    position: int
    end: int
    """Up to where it was to be learned; `position` is less only where `after_step` stopped it."""


class Engine:
    """An open home. What is opened on first use stays open until `close`."""

    def __init__(self, home: Home, config: Config, clock: Clock | None = None) -> None:
        self.home = home
        self.config = config
        self.clock = clock or SystemClock()
        self._resources = contextlib.ExitStack()
        self._log: SqliteLog | None = None
        self._trainer: Trainer | None = None
        self._feed: Feed | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = False,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> Self:
        """Open the home at `path`, with its configuration under the environment's and the arguments'."""
        home = Home(path, create=create, clock=clock)
        return cls(home, load_config(home.config, environment=environment, arguments=arguments), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release files and locks. What was acknowledged is on disk already."""
        self._resources.close()

    @property
    def log(self) -> SqliteLog:
        """The log, for reading."""
        if self._log is None:
            self._log = self._resources.enter_context(contextlib.closing(SqliteLog(self.home.log, read_only=True)))
        return self._log

    @contextlib.contextmanager
    def ingest(self) -> Iterator[Ingest]:
        """The way into the log. Raises HomeError while another process has it."""
        with open_entrance(self.home, self.clock) as entrance:
            yield entrance.ingest

    @property
    def trainer(self) -> Trainer:
        """The trainer, restored to where it was stopped. Raises HomeError while another process trains this home."""
        if self._trainer is None:
            log = self.log
            place = self.home.snapshots / "trainer-lock"
            with storage_errors(place):
                lock = WriterLock(place, "training in this home")
            self._resources.callback(lock.release)
            snapshots = Snapshots(self.home.snapshots, self.config.training.keep_snapshots)
            set_aside = SetAsideFile(self.home.set_aside, self.clock)
            self._trainer = Trainer(log, self.make_learner, snapshots, set_aside, self.config.guard)
            self._resources.callback(self._trainer.close)
        return self._trainer

    def make_learner(self) -> Learner:
        """A learner that has seen nothing, on the home's slots."""
        registry = SlotRegistry.load(self.home.slots)
        learner = Learner(self.config.learning(), registry, folder=self.home.snapshots)
        dumped = registry.dump()
        if not self.home.slots.exists() or self.home.slots.read_bytes() != dumped:
            atomic_write(self.home.slots, dumped)
        return learner

    def catch_up(
        self,
        after_step: AfterStep = lambda step, position, end: True,
        *,
        first: int | None = None,
        until: int | None = None,
    ) -> CaughtUp:
        """Learn what the log holds and the trainer has not seen, then take a snapshot.

        What stands before the position `first` and was not learned yet is folded and not learned. The last step is the
        first that reaches `until`: steps are cut as they are without it, so that whoever goes on makes the same ones.
        After `after_step` has answered False there is at most one more step, and the snapshot is taken there.

        Raises InvalidArgument when something behind `first` was learned already.
        """
        trainer = self.trainer
        if first is not None:
            trainer.skip(first)
        end = self.log.end() if until is None else min(until, self.log.end())
        steps = examples = 0
        started = time.perf_counter()

        def goes_on(step: Step) -> bool:
            nonlocal steps, examples
            steps += 1
            examples += len(step.examples)
            return after_step(step, trainer.position, end)

        trainer.run(goes_on, until=end)
        return CaughtUp(steps, examples, time.perf_counter() - started, trainer.position, end)

    @property
    def feed(self) -> Feed:
        """The feed of what the trainer has learned so far. It goes on learning with the trainer."""
        if self._feed is None:
            learner = self.trainer.learner
            self._feed = make_feed(learner.state, lambda: learner.parameters, self.config.feed, fitted=self.home.models)
            self._resources.callback(self._feed.close)
        return self._feed

    def request(
        self,
        user_id: str,
        *,
        limit: int = 20,
        surface: str = "feed",
        context: Mapping[str, Scalar] = {},
        now: int | None = None,
    ) -> Request:
        """A request for a page, as of now unless another time is given; the surface is part of its context."""
        now = self.clock.now() if now is None else now
        return Request(user_id=user_id, now=now, limit=limit, surface=surface, context={"surface": surface, **context})

    def recommend(self, user_id: str, *, limit: int = 20, surface: str = "feed") -> Page:
        """A page for a user, known or not, from what the trainer has learned so far."""
        return self.feed.recommend(self.request(user_id, limit=limit, surface=surface))
