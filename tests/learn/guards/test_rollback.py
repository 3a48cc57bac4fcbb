"""A rollback brings back the parameters of a version, and recovery brings back the rollback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from feedmill.domain.errors import SnapshotError
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.learner_bytes import learner_bytes, parameter_bytes
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.poisoned_log import GUARD, first_bad, poisoned_log, quick_learner

RECORDS = poisoned_log()
BAD = first_bad(RECORDS)
SPOILED = BAD + 640
KEEP = 3


class Killed(Exception):
    """Where a test ends a trainer as a kill would, with nothing saved."""


def new_trainer(folder: Path, log: MemoryLog, config: LearningConfig | None = None) -> Trainer:
    config = config or quick_learner(snapshot_steps=50)
    return Trainer(log, lambda: Learner(config, SlotRegistry()), Snapshots(folder, KEEP), guard=GUARD)


def spoiled(folder: Path, end: int = SPOILED) -> Trainer:
    log = MemoryLog()
    log.append(RECORDS[:end])
    trainer = new_trainer(folder, log)
    trainer.run()
    return trainer


def good_version(trainer: Trainer) -> int:
    """The newest version from before the clicks were turned round."""
    return max(step for step in trainer.snapshots.steps() if step * 32 <= BAD)


def bytes_of(trainer: Trainer, folder: Path) -> dict[str, bytes]:
    place = folder / "bytes"
    place.mkdir(exist_ok=True)
    return learner_bytes(trainer.learner, place)


def killed(trainer: Trainer, steps: int) -> None:
    left = [steps]

    def goes_on(step: object) -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return True

    with pytest.raises(Killed):
        trainer.run(goes_on)
    trainer.close()


def test_parameters_go_back_and_state_and_joiner_stay(tmp_path: Path) -> None:
    trainer = spoiled(tmp_path / "t")
    version, step, before = good_version(trainer), trainer.step, bytes_of(trainer, tmp_path)
    assert trainer.watch.hold is not None
    good = Learner(quick_learner(snapshot_steps=50), SlotRegistry())
    good.load(trainer.snapshots.path(version))
    trainer.roll_back(version)
    after = bytes_of(trainer, tmp_path)
    assert parameter_bytes(trainer.learner) == parameter_bytes(good)
    assert (after["state"], after["joiner"]) == (before["state"], before["joiner"])
    assert (trainer.step, trainer.position) == (step + 1, SPOILED)
    assert trainer.watch.hold is None
    assert trainer.snapshots.steps()[-2:] == [version, step + 1]
    trainer.close()


def test_what_was_learned_since_the_version_is_not_learned_again(tmp_path: Path) -> None:
    trainer = spoiled(tmp_path / "t")
    trainer.roll_back(good_version(trainer))
    healthy = [trainer.watch.hold is None]
    trainer.log.append(RECORDS[BAD + 700 :])  # type: ignore[attr-defined]
    trainer.run(lambda step: healthy.append(trainer.watch.hold is None) is None)
    # As if the clicks had never been turned round.
    assert all(healthy)
    assert len(healthy) > 70
    trainer.close()


@pytest.mark.parametrize("relearn", [False, True])
@pytest.mark.parametrize("damaged", [False, True])
def test_recovery_after_a_rollback_gives_the_same_parameters(tmp_path: Path, relearn: bool, damaged: bool) -> None:
    trainers = [spoiled(tmp_path / name) for name in ("whole", "killed")]
    for trainer in trainers:
        trainer.roll_back(good_version(trainer), relearn=relearn)
        trainer.log.append(RECORDS[SPOILED : SPOILED + 2_000])  # type: ignore[attr-defined]
    whole, broken = trainers
    killed(broken, 30)
    if damaged:
        # Of the rolled back: recovery goes over what was unlearned, and rolls back again.
        newest = broken.snapshots.steps()[-1]
        (broken.snapshots.path(newest) / "table.bin").write_bytes(b"")
    recovered = new_trainer(tmp_path / "killed", broken.log)  # type: ignore[arg-type]
    assert bool(recovered.refused) == damaged
    assert recovered.step == broken.step
    for trainer in (whole, recovered):
        trainer.run()
        trainer.close()
    assert (whole.step, whole.position) == (recovered.step, recovered.position)
    assert bytes_of(recovered, tmp_path) == bytes_of(whole, tmp_path)
    assert recovered.watch.hold == whole.watch.hold


def test_with_relearn_the_log_is_learned_again_from_the_version_on(tmp_path: Path) -> None:
    trainer, once = spoiled(tmp_path / "t"), spoiled(tmp_path / "once")
    version = good_version(trainer)
    trainer.roll_back(version, relearn=True)
    assert trainer.position == version * 32 < SPOILED
    trainer.run()
    assert trainer.position == SPOILED
    assert bytes_of(trainer, tmp_path) == bytes_of(once, tmp_path)
    for one in (trainer, once):
        one.close()


def test_a_kill_between_the_journal_and_the_snapshot_of_a_rollback_loses_nothing(tmp_path: Path) -> None:
    trainer, interrupted = spoiled(tmp_path / "t"), spoiled(tmp_path / "interrupted")
    version = good_version(trainer)
    trainer.roll_back(version)
    before = tmp_path / "before"
    shutil.copytree(tmp_path / "interrupted", before)
    interrupted.roll_back(version)
    interrupted.close()
    # What is there when the entry of the journal is on disk and nothing else has happened.
    for journal in (tmp_path / "interrupted").glob("*.journal"):
        shutil.copy(journal, before / journal.name)
    recovered = new_trainer(before, trainer.log)  # type: ignore[arg-type]
    assert (recovered.step, recovered.position) == (trainer.step, trainer.position)
    assert bytes_of(recovered, tmp_path) == bytes_of(trainer, tmp_path)
    for one in (trainer, recovered):
        one.close()


def test_a_version_that_is_not_there_or_damaged_is_refused_and_all_stays(tmp_path: Path) -> None:
    trainer = spoiled(tmp_path / "t")
    before, steps = bytes_of(trainer, tmp_path), trainer.snapshots.steps()
    with pytest.raises(SnapshotError, match=rf"no version 7; there are: {steps[0]}"):
        trainer.roll_back(7)
    (trainer.snapshots.path(steps[0]) / "dense.bin").write_bytes(b"")
    with pytest.raises(SnapshotError, match=r"dense\.bin: damaged"):
        trainer.roll_back(steps[0])
    assert bytes_of(trainer, tmp_path) == before
    assert (trainer.snapshots.steps(), trainer.step) == (steps, steps[-1])
    trainer.close()


def test_a_rollback_whose_version_is_lost_twice_is_said_to_be_lost(tmp_path: Path) -> None:
    trainer = spoiled(tmp_path / "t", BAD)
    oldest, version = trainer.snapshots.steps()[0], trainer.snapshots.steps()[1]
    trainer.roll_back(version)
    trainer.close()
    for step in trainer.snapshots.steps():
        if step != oldest:
            (trainer.snapshots.path(step) / "table.bin").write_bytes(b"")
    recovered = new_trainer(tmp_path / "t", trainer.log)  # type: ignore[arg-type]
    assert recovered.position == BAD
    assert f"the rollback to version {version} is lost" in recovered.refused[-1]
    recovered.close()
