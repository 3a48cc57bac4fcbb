"""A replay whose joiner has no room in memory can be stopped and goes on, as any other."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.run.replay import Replay, replay
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.small_log import SMALL, small_log

CONFIG = msgspec.structs.replace(SMALL, join=msgspec.structs.replace(SMALL.join, impressions=2, pages=1))


def test_it_goes_on_from_where_it_was_stopped_and_finds_what_is_on_disk(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append(small_log(np.random.default_rng(1), 1000))
    steps: list[int] = []

    def make(folder: Path | None) -> Replay:
        return Replay(log, Learner(CONFIG, SlotRegistry(), learn_retrieval=False, folder=folder))

    def stopped_at(step: int, folder: Path) -> Replay | None:
        def after_step(running: Replay) -> bool:
            steps.append(running.step)
            return running.step < step

        return replay(make, folder, snapshot_steps=1000, after_step=after_step)

    assert stopped_at(15, tmp_path / "stopped") is None
    assert list((tmp_path / "stopped").rglob("joined-*"))
    steps.clear()
    done, whole = stopped_at(1000, tmp_path / "stopped"), stopped_at(1000, tmp_path / "whole")
    assert done is not None
    assert whole is not None
    assert steps[0] > 15
    for name, column in whole.columns().items():
        assert done.columns()[name].tobytes() == column.tobytes()
