"""The trainer process: follows the log, learns, and publishes parameters for the server beside it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

import structlog
import torch

from feedmill.domain.clock import read_clock
from feedmill.domain.errors import FeedmillError, HomeError
from feedmill.learn.guards.hold import Hold
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.publisher import Publisher
from feedmill.run.engine import Engine
from feedmill.run.local.lifeline import hold_on
from feedmill.run.local.patience import patiently
from feedmill.run.local.rollback import Requests
from feedmill.run.local.supervisor import FAILED_AT_START
from feedmill.run.logs import open_log

_NICENESS = 5
"""Serving never waits for training: where there are too few processors, the trainer is the one that waits."""


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--clock")
    options = parser.parse_args()
    hold_on()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.set())
    torch.set_num_threads(1)
    os.nice(_NICENESS)
    log = open_log()
    try:
        clock = None if options.clock is None else read_clock(options.clock)
        with Engine.open(options.home, arguments=options.settings, clock=clock) as engine:
            follow(engine, stopping)
    except FeedmillError as error:
        log.error("the trainer has ended", reason=str(error))
        return FAILED_AT_START
    return 0


def follow(engine: Engine, stopping: threading.Event) -> None:
    """Learn what the log holds, and what comes, until told to stop; every step's parameters are published.

    A request to roll back is taken up between two steps.
    """
    while not _has_log(engine):
        # The server makes it.
        if stopping.wait(0.05):
            return
    trainer = patiently(lambda: engine.trainer, stopping)
    for refused in trainer.refused:
        structlog.get_logger().warning("snapshots not used", reason=refused)
    requests = Requests(engine.home)
    while not stopping.is_set():
        # After a rollback it is another epoch.
        publisher = Publisher(FileChannel(engine.home.deltas), trainer, engine.clock, engine.config.sync)
        trainer.follow(_Told(publisher), lambda seconds: stopping.wait(seconds) or requests.pending())
        if requests.pending():
            requests.fulfil(trainer)


def _has_log(engine: Engine) -> bool:
    try:
        return engine.log.end() >= 0
    except HomeError as error:
        # There is none, or it is just being made. What else can be wrong with it is of a kind of its own.
        if type(error) is not HomeError:
            raise
        return False


class _Told:
    """A publisher whose troubles, and why it holds back, go to the log, each once."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._log = structlog.get_logger()
        self._last_error: str | None = None
        self._hold: Hold | None = None

    def after_step(self, step: int, position: int, received: int) -> None:
        self._publisher.after_step(step, position, received)
        self._tell()

    def beat(self) -> None:
        self._publisher.beat()
        self._tell()

    def covered(self, step: int) -> None:
        self._publisher.covered(step)
        self._tell()

    def flush(self) -> None:
        self._publisher.flush()
        self._tell()

    def _tell(self) -> None:
        error = self._publisher.last_error
        if error is not None and error != self._last_error:
            self._log.warning("parameters are not published; the next attempt has them all", reason=error)
        self._last_error = error
        hold = self._publisher.hold
        if hold is not None and hold != self._hold:
            self._log.warning("parameters are held back; training goes on", since_step=hold.step, reasons=hold.reasons)
        elif hold is None and self._hold is not None:
            self._log.info("all is well again; parameters are published")
        self._hold = hold


if __name__ == "__main__":
    sys.exit(main())
