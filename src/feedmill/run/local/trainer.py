"""The trainer process: follows the log, learns, and publishes parameters for the server beside it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

import structlog
import torch

from feedmill.domain.errors import FeedmillError, HomeError
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.publisher import Publisher
from feedmill.learn.training.trainer import Trainer
from feedmill.run.engine import Engine
from feedmill.run.local.lifeline import hold_on
from feedmill.run.local.supervisor import FAILED_AT_START
from feedmill.run.logs import open_log

_PATIENCE_SECONDS = 10.0
"""How long to wait for a home that a trainer which was killed a moment ago still seems to have, or for its log."""
_NICENESS = 5
"""Serving never waits for training: where there are too few processors, the trainer is the one that waits."""


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    hold_on()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.set())
    torch.set_num_threads(1)
    os.nice(_NICENESS)
    log = open_log()
    try:
        with Engine.open(options.home, arguments=options.settings) as engine:
            follow(engine, stopping)
    except FeedmillError as error:
        log.error("the trainer has ended", reason=str(error))
        return FAILED_AT_START
    return 0


def follow(engine: Engine, stopping: threading.Event) -> None:
    """Learn what the log holds, and what comes, until told to stop; every step's parameters are published."""
    trainer = _open_with_patience(engine, stopping)
    if trainer is None:
        return
    for refused in trainer.refused:
        structlog.get_logger().warning("snapshot refused, learning from the log instead", reason=refused)
    publisher = Publisher(FileChannel(engine.home.deltas), trainer, engine.clock, engine.config.sync)
    trainer.follow(publisher, stopping.wait)


def _open_with_patience(engine: Engine, stopping: threading.Event) -> Trainer | None:
    """The trainer; None where it was told to stop before it could have the home."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not stopping.is_set():
        try:
            return engine.trainer
        except HomeError as error:
            if type(error) is not HomeError or time.monotonic() > deadline:
                raise
            stopping.wait(0.05)
    return None


if __name__ == "__main__":
    sys.exit(main())
