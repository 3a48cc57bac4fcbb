"""What makes a loss or a gradient not finite is set aside, by its place in the log; all else goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import StorageError
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.guards.set_aside import Refusal, SetAsideCount, SetAsideFile, read_set_aside
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.learner_bytes import learner_bytes, parameter_bytes
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.small_log import START, small_config, small_log

REFUSAL = Refusal("ranker", 3, "the loss is nan")
RECORDS = small_log(np.random.default_rng(1), 600)
STEPS = 19


class Crash(Exception):
    """Where a test ends a run as a crash would, with nothing saved."""


def wild(**training: int) -> LearningConfig:
    """So deep a network under so high a rate that within a few steps it gives no numbers any more."""
    ranker = RankerConfig(dimension=4, hidden=(64,) * 20, dense_learning_rate=10.0)
    return msgspec.structs.replace(small_config(**training), ranker=ranker)


def new_trainer(folder: Path, config: LearningConfig) -> Trainer:
    log = MemoryLog()
    log.append(RECORDS)
    set_aside = SetAsideFile(folder / "set-aside.jsonl", ManualClock(START))
    return Trainer(log, lambda: Learner(config, SlotRegistry()), Snapshots(folder / "snapshots"), set_aside)


def trained(folder: Path, config: LearningConfig) -> Trainer:
    folder.mkdir()
    trainer = new_trainer(folder, config)
    trainer.run()
    trainer.close()
    return trainer


def test_steps_that_are_not_finite_are_named_by_their_place_in_the_log(tmp_path: Path) -> None:
    trained(tmp_path / "t", wild())
    lines = list(read_set_aside(tmp_path / "t" / "set-aside.jsonl"))
    assert len(lines) > 10
    for line in lines:
        assert (line.position, line.at) == (32 * (line.step - 1), "2023-11-14T22:13:20Z")
        assert line.records == (24 if line.step == STEPS else 32)
        # A step is learned in parts of as many examples as a step has records.
        assert {one.model for one in line.refusals} == {"ranker"}
        assert line.refusals[0].reason == "the loss is nan"
        assert all(0 < one.examples <= 32 for one in line.refusals)


def test_what_is_set_aside_changes_no_parameters_and_the_state_goes_on(tmp_path: Path) -> None:
    learner, sane = Learner(wild(), SlotRegistry()), Learner(small_config(), SlotRegistry())
    refused = 0
    for start in range(0, len(RECORDS), 32):
        before = parameter_bytes(learner)
        step = learner.step(RECORDS[start : start + 32])
        sane.step(RECORDS[start : start + 32])
        ranker = {name for name in before if "two_tower" not in name and name != "ids"}
        if step.refusals:
            refused += 1
            after = parameter_bytes(learner)
            assert {name: after[name] for name in ranker} == {name: before[name] for name in ranker}
        assert np.isfinite(step.predictions).all()
        assert len(step.examples) == len(step.predictions)
    assert refused > 10
    wild_bytes, sane_bytes = learner_bytes(learner, tmp_path), learner_bytes(sane, tmp_path)
    assert wild_bytes["state"] == sane_bytes["state"]
    assert wild_bytes["joiner"] == sane_bytes["joiner"]


@settings(deadline=None, max_examples=6)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=3), st.integers(1, 6))
def test_recovery_sets_the_same_aside_and_says_so_once(
    tmp_path_factory: pytest.TempPathFactory, crashes: list[int], snapshot_steps: int
) -> None:
    folder = tmp_path_factory.mktemp("recovery")
    expected = trained(folder / "uninterrupted", wild())
    (folder / "crashed").mkdir()
    config = wild(snapshot_steps=snapshot_steps)
    for steps in crashes:
        trainer, left = new_trainer(folder / "crashed", config), steps

        def goes_on(step: Step) -> bool:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return True

        with contextlib.suppress(Crash):
            trainer.run(goes_on)
        trainer.close()
    trainer = new_trainer(folder / "crashed", config)
    trainer.run()
    trainer.close()
    assert trainer.step == expected.step == STEPS
    assert learner_bytes(trainer.learner, folder) == learner_bytes(expected.learner, folder)
    said = [list(read_set_aside(folder / name / "set-aside.jsonl")) for name in ("crashed", "uninterrupted")]
    assert said[0] == said[1]


def test_a_line_that_a_crash_has_torn_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "set-aside.jsonl"
    SetAsideFile(path, ManualClock(START)).add(1, 0, 32, [REFUSAL])
    path.write_bytes(path.read_bytes() + b'{"step": 2, "posi')
    SetAsideFile(path, ManualClock(START)).add(2, 32, 32, [REFUSAL])
    assert [line.step for line in read_set_aside(path)] == [1, 2]


def test_the_count_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "set-aside.jsonl"
    count = SetAsideCount(path)
    assert count.now() == 0
    file = SetAsideFile(path, ManualClock(START))
    for step in range(1, 4):
        file.add(step, 32 * step, 32, [REFUSAL])
        file.add(step, 32 * step, 32, [REFUSAL])
        assert count.now() == step
    assert SetAsideCount(path).now() == 3


def test_a_disk_that_refuses_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        SetAsideFile(tmp_path / "nowhere" / "set-aside.jsonl", ManualClock(START)).add(1, 0, 32, [REFUSAL])
