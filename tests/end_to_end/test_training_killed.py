"""Training is killed at random moments; in the end there are the parameters of a run that was not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.learner_bytes import learner_bytes
from feedmill.testing.small_log import small_config, small_log

RECORDS = 6_000
CHILD = """
import sys
from pathlib import Path
import torch
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.small_log import small_config
torch.set_num_threads(1)
log = SqliteLog(Path(sys.argv[1]), read_only=True)
config = small_config(snapshot_steps=7)
trainer = Trainer(log, lambda: Learner(config, SlotRegistry()), Snapshots(Path(sys.argv[2])))
print(trainer.step, flush=True)
trainer.run(lambda step: print(trainer.step, flush=True) is None)
"""


def new_trainer(log: SqliteLog, folder: Path) -> Trainer:
    return Trainer(log, lambda: Learner(small_config(), SlotRegistry()), Snapshots(folder))


def train_and_kill(folder: Path, kills: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    torch.set_num_threads(1)
    log = SqliteLog(folder / "log")
    log.append(small_log(generator, RECORDS))
    reached = killed = 0
    while killed < kills:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder / "log"), str(folder / "killed")],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        began = int(child.stdout.readline())
        # What was reported as begun is in the journal, so nothing of it is lost.
        assert began >= reached
        # Some steps on, and then at any moment of the following: a fold, a step, a journal's entry, a snapshot.
        for _ in range(int(generator.integers(0, RECORDS // 32 // kills))):
            line = child.stdout.readline()
            reached = int(line) if line else reached
        deadline = time.perf_counter() + float(generator.uniform(0, 0.03))
        while time.perf_counter() < deadline:
            pass
        child.kill()
        rest = child.communicate()[0].split()
        reached = max([reached, *map(int, rest)])
        killed += 1

    recovered = new_trainer(log, folder / "killed")
    assert recovered.refused == []
    assert recovered.step >= reached
    recovered.run()
    recovered.close()
    uninterrupted = new_trainer(log, folder / "uninterrupted")
    uninterrupted.run()
    uninterrupted.close()
    assert recovered.step == uninterrupted.step == -(-RECORDS // 32)
    found = learner_bytes(recovered.learner, folder)
    assert found == learner_bytes(uninterrupted.learner, folder)
    log.close()


def test_training_that_is_killed_comes_to_the_same_parameters(tmp_path: Path) -> None:
    train_and_kill(tmp_path, kills=3, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_training_that_is_killed_twenty_times_comes_to_the_same_parameters(tmp_path: Path) -> None:
    train_and_kill(tmp_path, kills=20, seed=2)
