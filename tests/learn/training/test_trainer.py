"""The trainer can be stopped at any point, in any way, and comes to the same parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import InvalidArgument, SnapshotError, StorageError
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.learner_bytes import learner_bytes
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.small_log import small_config, small_log

BATCH = 32
SIZE = 330
STEPS = 11


Mount = Callable[[str], contextlib.AbstractContextManager[Path]]


class Crash(Exception):
    """Where a test ends a run as a crash would, with nothing saved."""


def filled(records: Sequence[Record]) -> MemoryLog:
    log = MemoryLog()
    log.append(records)
    return log


def log(seed: int = 1, size: int = SIZE) -> MemoryLog:
    return filled(small_log(np.random.default_rng(seed), size))


def new_trainer(log: MemoryLog, folder: Path, config: LearningConfig | None = None, keep: int = 2) -> Trainer:
    chosen = config or small_config()
    return Trainer(log, lambda: Learner(chosen, SlotRegistry(), folder=folder), Snapshots(folder, keep))


def crash_after(steps: int) -> Callable[[Step], bool]:
    left = steps

    def goes_on(step: Step) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash
        return True

    return goes_on


def crash(trainer: Trainer, steps: int) -> None:
    """Run so many steps, and leave the trainer in the middle of the next."""
    with pytest.raises(Crash):
        trainer.run(crash_after(steps))
    trainer.close()


def trained(log: MemoryLog, folder: Path, config: LearningConfig | None = None) -> dict[str, bytes]:
    """What an uninterrupted run makes of the log."""
    trainer = new_trainer(log, folder / "uninterrupted", config)
    trainer.run()
    trainer.close()
    return bytes_of(trainer, folder)


def bytes_of(trainer: Trainer, folder: Path) -> dict[str, bytes]:
    place = folder / "bytes"
    place.mkdir(exist_ok=True)
    return learner_bytes(trainer.learner, place)


def test_a_run_is_the_steps_of_a_learner_over_the_log(tmp_path: Path) -> None:
    source, learner = log(), Learner(small_config(), SlotRegistry())
    trainer = new_trainer(source, tmp_path / "t")
    steps: list[Step] = []
    trainer.run(lambda step: steps.append(step) is None)
    assert (trainer.step, trainer.position, len(steps)) == (STEPS, SIZE, STEPS)
    position = 0
    for step in steps:
        records, position = source.read(position, BATCH)
        assert learner.step(records).predictions.tobytes() == step.predictions.tobytes()
    (tmp_path / "bytes").mkdir()
    assert bytes_of(trainer, tmp_path) == learner_bytes(learner, tmp_path / "bytes")
    assert trainer.snapshots.steps() == [STEPS]


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), max_size=4), st.integers(1, 5))
def test_a_trainer_that_is_stopped_at_any_step_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, seed: int, stops: list[int], snapshot_steps: int
) -> None:
    folder = tmp_path_factory.mktemp("trainer")
    source, config = log(seed), small_config(snapshot_steps=snapshot_steps)
    for stop in stops:
        trainer = new_trainer(source, folder / "stopped", config)
        end = trainer.step + stop
        trainer.run(lambda step, trainer=trainer, end=end: trainer.step < end)
        trainer.close()
    trainer = new_trainer(source, folder / "stopped", config)
    trainer.run()
    trainer.close()
    assert trainer.refused == []
    assert (trainer.step, trainer.position) == (STEPS, SIZE)
    assert bytes_of(trainer, folder) == trained(source, folder)


def on_disk(config: LearningConfig) -> LearningConfig:
    """A configuration whose joiner has room in memory for next to nothing."""
    return msgspec.structs.replace(config, join=msgspec.structs.replace(config.join, impressions=2, pages=1))


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(1, 5), st.booleans())
def test_a_trainer_that_crashes_at_any_step_recovers_from_snapshot_and_journal(
    tmp_path_factory: pytest.TempPathFactory, seed: int, crashes: list[int], snapshot_steps: int, spills: bool
) -> None:
    folder = tmp_path_factory.mktemp("trainer")
    source, config = log(seed, 3 * SIZE), small_config(snapshot_steps=snapshot_steps)
    config = on_disk(config) if spills else config
    begun = 0
    for steps in crashes:
        trainer = new_trainer(source, folder / "crashed", config)
        assert trainer.step >= begun
        crash(trainer, steps)
        begun = trainer.step
    trainer = new_trainer(source, folder / "crashed", config)
    assert trainer.step == begun
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, folder) == trained(source, folder, config)
    assert (trainer.learner.joiner.on_disk[0] > 0) == spills


def test_a_last_batch_that_was_not_full_is_executed_again_as_it_was(tmp_path: Path) -> None:
    records = small_log(np.random.default_rng(4), SIZE)
    expected = None
    for crashes in (False, True):
        source, folder = filled(records[:150]), tmp_path / str(crashes)
        trainer = new_trainer(source, folder)
        if crashes:
            # Four full batches and one of 22 records; the crash comes before the snapshot at the end.
            crash(trainer, 4)
            assert [entry.records for entry in trainer.snapshots.journalled(trainer.learner, 0)] == [32] * 4 + [22]
        else:
            trainer.run()
            trainer.close()
        source.append(records[150:])
        trainer = new_trainer(source, folder)
        assert (trainer.step, trainer.position) == (5, 150)
        trainer.run()
        trainer.close()
        assert trainer.step == 5 + 6
        expected = expected or bytes_of(trainer, tmp_path)
        assert bytes_of(trainer, tmp_path) == expected
    assert trained(source, tmp_path) != expected


def test_a_torn_journal_costs_only_what_is_torn(tmp_path: Path) -> None:
    source = log()
    crash(new_trainer(source, tmp_path / "t"), 5)
    path = tmp_path / "t" / "000000000000.journal"
    whole = len(path.read_bytes()) // 40
    path.write_bytes(path.read_bytes()[:-1])
    trainer = new_trainer(source, tmp_path / "t")
    assert trainer.step == whole - 1
    crash(trainer, 1)
    trainer = new_trainer(source, tmp_path / "t")
    assert trainer.step > whole - 1
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path)


DAMAGED = ["table.bin", "dense.bin", "optimizer.pt", "joiner.msgpack", "state.bin", "manifest.json"]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_newest_snapshot_costs_time_and_nothing_else(tmp_path: Path, damaged: str) -> None:
    records = small_log(np.random.default_rng(4), SIZE)
    source = filled(records[:100])
    for end in (170, SIZE):
        # The runs end with batches that are not full, which nothing but the journals knows of.
        trainer = new_trainer(source, tmp_path / "t")
        trainer.run()
        trainer.close()
        source.append(records[source.end() : end])
    trainer = new_trainer(source, tmp_path / "t")
    trainer.run()
    trainer.close()
    expected = bytes_of(trainer, tmp_path)
    older, newest = trainer.snapshots.steps()
    path = tmp_path / "t" / f"{newest:012d}" / damaged
    path.write_bytes(path.read_bytes()[:-7])
    recovered = new_trainer(source, tmp_path / "t")
    assert len(recovered.refused) == 1
    assert damaged in recovered.refused[0]
    assert recovered.snapshots.steps() == [older]
    assert (recovered.step, recovered.position) == (trainer.step, trainer.position)
    assert bytes_of(recovered, tmp_path) == expected
    source.append(small_log(np.random.default_rng(5), 50))
    recovered.run()
    recovered.close()
    again = new_trainer(source, tmp_path / "t")
    assert again.refused == []
    assert bytes_of(again, tmp_path) == bytes_of(recovered, tmp_path)


def test_when_every_snapshot_is_damaged_the_log_is_learned_again(tmp_path: Path) -> None:
    source = log()
    trainer = new_trainer(source, tmp_path / "t", small_config(snapshot_steps=3))
    trainer.run()
    trainer.close()
    for step in trainer.snapshots.steps():
        (tmp_path / "t" / f"{step:012d}" / "table.bin").unlink()
    trainer = new_trainer(source, tmp_path / "t", small_config(snapshot_steps=3))
    assert len(trainer.refused) == 2
    assert trainer.step == 0
    crash(trainer, 1)
    trainer = new_trainer(source, tmp_path / "t", small_config(snapshot_steps=3))
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path)


@pytest.mark.parametrize("crashes", [False, True])
def test_a_changed_configuration_starts_anew(tmp_path: Path, crashes: bool) -> None:
    source, changed = log(), small_config(seed=5, batch=50)
    trainer = new_trainer(source, tmp_path / "t")
    if crashes:
        crash(trainer, 3)
    else:
        trainer.run()
        trainer.close()
    trainer = new_trainer(source, tmp_path / "t", changed)
    assert (trainer.step, trainer.position) == (0, 0)
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path, changed)


def test_what_another_configuration_has_learned_is_there_when_it_comes_back(tmp_path: Path) -> None:
    source = log()
    crash(new_trainer(source, tmp_path / "t"), 4)
    # More snapshots than are kept, and one of the same step.
    for seed in (5, 6):
        other = new_trainer(source, tmp_path / "t", small_config(seed=seed, snapshot_steps=2))
        assert other.step == 0
        assert [reason for reason in other.refused if "made with another configuration" not in reason] == []
        other.run()
        other.close()
    trainer = new_trainer(source, tmp_path / "t")
    assert trainer.step >= 5
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path)


def test_what_the_joiner_kept_on_disk_is_put_aside_and_removed_with_the_snapshots(tmp_path: Path) -> None:
    source = log()
    files = []
    for seed in (0, 1, 0, 2, 3, 4):
        trainer = new_trainer(source, tmp_path / "t", on_disk(small_config(seed=seed)))
        assert (trainer.step == STEPS) == (len(files) == 2)
        trainer.run()
        trainer.close()
        files.append({path.name for path in (tmp_path / "t").glob("joined-*")})
    assert [len(names) for names in files] == [1, 2, 2, 3, 3, 3]
    assert files[1] == files[2]


def test_a_changed_number_of_snapshots_goes_on(tmp_path: Path) -> None:
    source = log()
    crash(new_trainer(source, tmp_path / "t"), 4)
    trainer = new_trainer(source, tmp_path / "t", small_config(snapshot_steps=2, keep_snapshots=1), keep=1)
    assert trainer.step >= 5
    trainer.run()
    trainer.close()
    assert trainer.snapshots.steps() == [STEPS]
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path)


def test_a_log_that_lacks_what_was_learned_is_refused(tmp_path: Path) -> None:
    source = log()
    trainer = new_trainer(source, tmp_path / "t")
    crash(trainer, 4)
    shorter = filled(source.read(0, 40)[0])
    with pytest.raises(SnapshotError, match="records that the log does not have"):
        new_trainer(shorter, tmp_path / "t")
    trainer = new_trainer(source, tmp_path / "t")
    trainer.run()
    trainer.close()
    with pytest.raises(SnapshotError, match="records that the log does not have"):
        new_trainer(shorter, tmp_path / "t")
    assert trainer.snapshots.steps() == [STEPS]


def test_a_run_goes_to_the_first_step_that_reaches_a_position(tmp_path: Path) -> None:
    trainer = new_trainer(log(), tmp_path / "t")
    trainer.run(until=100)
    assert trainer.position == 128
    assert trainer.snapshots.steps() == [4]
    trainer.run(until=100)
    assert trainer.position == 128
    trainer.run(until=10_000)
    assert trainer.position == SIZE
    trainer.close()


@pytest.mark.parametrize("until", [1, 100, 200, SIZE])
def test_what_is_learned_up_to_a_position_is_handed_over_to_a_trainer_that_follows(tmp_path: Path, until: int) -> None:
    source, online = log(), new_trainer(log(), tmp_path / "online")
    online.follow(Noted(), Waiting(500))
    online.close()
    expected = bytes_of(online, tmp_path)
    batch = new_trainer(source, tmp_path / "t")
    batch.run(until=until)
    batch.close()
    noted, following = Noted(), new_trainer(source, tmp_path / "t")
    assert following.position == min(SIZE, -(-until // BATCH) * BATCH)
    following.follow(noted, Waiting(500))
    following.close()
    assert (online.step, online.position) == (following.step, following.position) == (STEPS, SIZE)
    assert bytes_of(following, tmp_path) == expected


@pytest.mark.parametrize("crashes", [False, True])
def test_what_is_skipped_is_folded_and_not_learned(tmp_path: Path, crashes: bool) -> None:
    source, learner = log(), Learner(small_config(), SlotRegistry())
    trainer = new_trainer(source, tmp_path / "t")
    trainer.skip(100)
    assert (trainer.step, trainer.position, trainer.snapshots.steps()) == (1, 100, [1])
    if crashes:
        crash(trainer, 2)
        (tmp_path / "t" / "000000000001" / "table.bin").unlink()
        trainer = new_trainer(source, tmp_path / "t")
        assert trainer.step >= 4
    trainer.run()
    trainer.close()
    records = source.read(0, SIZE)[0]
    learner.frozen = True
    for start in (0, 32, 64, 96):
        learner.step(records[start : min(start + BATCH, 100)])
    learner.frozen = False
    for start in range(100, SIZE, BATCH):
        learner.step(records[start : start + BATCH])
    (tmp_path / "bytes").mkdir()
    assert bytes_of(trainer, tmp_path) == learner_bytes(learner, tmp_path / "bytes")


def test_what_was_learned_cannot_be_skipped_nor_what_is_not_there(tmp_path: Path) -> None:
    trainer = new_trainer(log(), tmp_path / "t")
    trainer.run(until=64)
    trainer.skip(64)
    assert trainer.step == 2
    with pytest.raises(InvalidArgument, match="learned up to position 64 already"):
        trainer.skip(63)
    with pytest.raises(InvalidArgument, match=f"the log ends at position {SIZE}"):
        trainer.skip(SIZE + 1)
    trainer.run()
    trainer.close()
    assert bytes_of(trainer, tmp_path) == trained(log(), tmp_path)


def test_a_run_follows_a_log_that_grows(tmp_path: Path) -> None:
    records = small_log(np.random.default_rng(1), SIZE)
    source = filled([])
    trainer = new_trainer(source, tmp_path / "t")
    trainer.run()
    assert trainer.snapshots.steps() == []
    for start in range(0, SIZE, BATCH):
        source.append(records[start : start + BATCH])
        trainer.run()
    trainer.close()
    assert trainer.step == STEPS
    assert bytes_of(trainer, tmp_path) == trained(source, tmp_path)


def test_after_a_run_was_interrupted_the_trainer_is_of_no_further_use(tmp_path: Path) -> None:
    trainer = new_trainer(log(), tmp_path / "t")
    crash(trainer, 2)
    for attempt in (trainer.run, trainer.save):
        with pytest.raises(SnapshotError, match="make a new trainer"):
            attempt()
    assert trainer.snapshots.steps() == []


def test_a_snapshot_that_cannot_be_written_ends_a_run_and_loses_nothing(tmpfs: Mount, tmp_path: Path) -> None:
    source, config = log(5), small_config(snapshot_steps=4)
    with tmpfs("size=1m") as place:
        trainer = new_trainer(source, place / "t", config)
        ballast = place / "ballast"

        def fill(step: Step) -> bool:
            if trainer.step == 2:
                with contextlib.suppress(OSError):
                    ballast.write_bytes(bytes(1 << 20))
            return True

        with pytest.raises(StorageError, match="the disk is full"):
            trainer.run(fill)
        trainer.close()
        ballast.unlink()
        again = new_trainer(source, place / "t", config)
        assert again.step >= 4
        again.run()
        again.close()
        uninterrupted = new_trainer(source, tmp_path / "u", config)
        uninterrupted.run()
        uninterrupted.close()
        assert bytes_of(again, tmp_path) == bytes_of(uninterrupted, tmp_path)


def test_saving_again_writes_nothing(tmp_path: Path) -> None:
    trainer = new_trainer(log(), tmp_path / "t")
    trainer.run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "t").rglob("*")}
    trainer.save()
    trainer.run()
    trainer.close()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "t").rglob("*")} == before


class Noted:
    """An audience that notes what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.covers: list[int] = []
        self.beats = 0
        self.flushed = False

    def after_step(self, step: int, position: int, received: int) -> None:
        self.steps.append((step, position, received))

    def beat(self) -> None:
        self.beats += 1

    def covered(self, step: int) -> None:
        self.covers.append(step)

    def flush(self) -> None:
        self.flushed = True


class Waiting:
    """Lets time pass that nobody waits for; stops when it is over. `meanwhile` is told the milliseconds so far."""

    def __init__(self, milliseconds: int, meanwhile: Callable[[int], None] = lambda now: None) -> None:
        self.now = 0
        self._until = milliseconds
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> bool:
        if seconds:
            self.now += round(seconds * 1000)
            self._meanwhile(self.now)
        return self.now >= self._until


def test_following_learns_what_there_is_and_then_what_comes(tmp_path: Path) -> None:
    records = small_log(np.random.default_rng(6), SIZE)
    source, noted = filled(records[:200]), Noted()
    trainer = new_trainer(source, tmp_path / "t")

    def come(now: int) -> None:
        if now == 100:
            source.append(records[200:260])
        if now == 300:
            source.append(records[260:])

    trainer.follow(noted, Waiting(1_000, come))
    trainer.close()
    positions = [position for _, position, _ in noted.steps]
    # Steps of 32; 8 and 28 were left when the time of a step was over, and 6 of the last 70.
    assert positions == [32, 64, 96, 128, 160, 192, 200, 232, 260, 292, 324, 330]
    assert [number for number, _, _ in noted.steps] == list(range(1, 13))
    assert (trainer.step, trainer.position, noted.covers, noted.flushed) == (12, SIZE, [12], True)
    assert noted.beats > 50
    learner, start = Learner(small_config(), SlotRegistry()), 0
    for position in positions:
        learner.step(records[start:position])
        start = position
    (tmp_path / "bytes").mkdir()
    assert bytes_of(trainer, tmp_path) == learner_bytes(learner, tmp_path / "bytes")


def test_a_step_closes_when_it_is_full_or_its_time_has_passed(tmp_path: Path) -> None:
    records = small_log(np.random.default_rng(6), SIZE)
    source, noted = filled([]), Noted()
    trainer = new_trainer(source, tmp_path / "t", small_config(batch_ms=50))

    def come(now: int) -> None:
        # One record each 10 ms up to 200 ms; then forty at once.
        source.append(records[source.end() :][: 40 if now == 210 else 1] if now <= 210 else [])

    trainer.follow(noted, Waiting(400, come))
    trainer.close()
    # The first is found at 10 ms, with 50 ms to wait: six records; the last step but one is full at 32.
    assert [position for _, position, _ in noted.steps] == [6, 12, 18, 50, 60]


def test_following_says_until_when_everything_received_is_learned(tmp_path: Path) -> None:
    records = [Record("seen", 1_700_000_000_000, f"u{n}", "i1", received_at=1_700_000_000_000 + n) for n in range(40)]
    noted = Noted()
    trainer = new_trainer(filled(records), tmp_path / "t")
    trainer.follow(noted, Waiting(200))
    trainer.close()
    assert [received - 1_700_000_000_000 for _, _, received in noted.steps] == [31, 39]


def test_following_takes_snapshots_after_so_many_steps_and_when_nothing_comes(tmp_path: Path) -> None:
    source, noted = log(7, 1_600), Noted()
    trainer = new_trainer(source, tmp_path / "t", small_config(snapshot_steps=15))
    trainer.follow(noted, Waiting(5_000))
    trainer.close()
    # 50 steps; the last five had too few records for another snapshot before the end.
    assert noted.covers == [15, 30, 45, 50]
    noted = Noted()
    trainer = new_trainer(source, tmp_path / "u")
    trainer.follow(noted, lambda seconds: bool(noted.covers))
    trainer.close()
    assert noted.covers == [50]
    # 2 seconds of looking each 10 ms.
    assert noted.beats >= 200


def test_a_trainer_that_is_stopped_while_far_behind_stops_after_one_more_step(tmp_path: Path) -> None:
    noted = Noted()
    trainer = new_trainer(log(), tmp_path / "t")
    trainer.follow(noted, lambda seconds: len(noted.steps) >= 3)
    trainer.close()
    assert [number for number, _, _ in noted.steps] in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5])
    assert trainer.step == len(noted.steps)
    assert trainer.snapshots.steps() == [trainer.step]


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 9))
def test_a_follower_of_the_log_that_crashes_recovers_what_it_had_learned(
    tmp_path_factory: pytest.TempPathFactory, seed: int, crashes: list[int], snapshot_steps: int
) -> None:
    folder = tmp_path_factory.mktemp("trainer")
    source, config = log(seed, 0), small_config(snapshot_steps=snapshot_steps)
    records, generator = small_log(np.random.default_rng(seed), 2_000), np.random.default_rng(seed)
    ends: dict[int, int] = {}

    def come(now: int) -> None:
        source.append(records[source.end() :][: int(generator.integers(60))])

    class Crashing(Noted):
        left = 0

        def after_step(self, step: int, position: int, received: int) -> None:
            ends[step] = position
            self.left -= 1
            if self.left < 0:
                raise Crash

    for left in [*crashes, 1_000]:
        trainer = new_trainer(source, folder / "t", config)
        ends[trainer.step] = trainer.position
        audience = Crashing()
        audience.left = left
        try:
            trainer.follow(audience, Waiting(300, come))
        except Crash:
            ends[trainer.step] = trainer.position
        trainer.close()
    learner, start = Learner(config, SlotRegistry()), 0
    for number in range(1, trainer.step + 1):
        learner.step(records[start : ends[number]])
        start = ends[number]
    (folder / "bytes").mkdir(exist_ok=True)
    assert bytes_of(trainer, folder) == learner_bytes(learner, folder / "bytes")
