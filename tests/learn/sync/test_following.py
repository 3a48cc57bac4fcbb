"""A copy that follows a trainer is equal to it, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.batches import Features
from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import SnapshotError, StorageError
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.config import SyncConfig
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.follower import Follower
from feedmill.learn.sync.protocol import Channel, Delta, Head, Header
from feedmill.learn.sync.publisher import Publisher
from feedmill.learn.table.storage import Storage, rounded
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.memory_channel import MemoryChannel
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.small_log import START, small_config, small_log

AT_ONCE = SyncConfig(sparse_seconds=0, dense_seconds=0, beat_seconds=0, rows="float32")
RECORDS = small_log(np.random.default_rng(0), 2_000)


class Killed(Exception):
    """Where a test ends a trainer as a kill would, with nothing saved."""


def dense_columns(config: LearningConfig) -> int:
    return Learner(config, SlotRegistry()).state.native.dense_columns


COLUMNS = dense_columns(small_config())


def some_features() -> Features:
    """Of forty items for one user, as a log of 300 records makes them."""
    learner = Learner(small_config(), SlotRegistry())
    learner.step(RECORDS[:300])
    items = np.arange(-1, 14, dtype=np.int32)
    return learner.state.read(learner.parameters.ranker_schema.view, 0, items, START, {"surface": "feed"})


FEATURES = some_features()


def held(parameters: Parameters) -> dict[str, bytes]:
    """All that parameters hold, and what they predict."""
    rows = {f"ids {dimension}": rows.ids.tobytes() for dimension, rows in parameters.touched(0).items()}
    rows |= {f"rows {dimension}": rows.vectors.tobytes() for dimension, rows in parameters.touched(0).items()}
    return rows | {"dense": parameters.dense(), "predictions": parameters.predict(FEATURES).tobytes()}


class World:
    """A trainer and a follower over one folder."""

    made: ClassVar[list[World]] = []
    """Those of one test."""

    def __init__(
        self, folder: Path, sync: SyncConfig = AT_ONCE, channel: Channel | None = None, **training: int
    ) -> None:  # fmt: skip
        self.clock = ManualClock(START)
        self.latest = 0.0
        self.log = MemoryLog()
        self.sync = sync
        self.channel = channel or FileChannel(folder / "deltas")
        self.snapshots = Snapshots(folder / "snapshots")
        self.config = small_config(**training)
        self.trainer, self.publisher = self.start()
        self.follower = self.follow()
        self.made.append(self)

    def start(self) -> tuple[Trainer, Publisher]:
        trainer = Trainer(self.log, lambda: Learner(self.config, SlotRegistry()), self.snapshots)
        return trainer, Publisher(self.channel, trainer, self.clock, self.sync, self.seconds)

    def seconds(self) -> float:
        """What a timer says that goes as the clock does, but never back."""
        self.latest = max(self.latest, (self.clock.now() - START) / 1000)
        return self.latest

    def restart(self) -> None:
        self.trainer.close()
        self.trainer, self.publisher = self.start()

    def follow(self, config: LearningConfig | None = None, storage: Storage = "float32") -> Follower:
        config = config or self.config
        return Follower(
            self.channel, self.snapshots, lambda: Parameters(config, SlotRegistry(), COLUMNS, storage), config.digest()
        )

    def append(self, count: int) -> None:
        start = self.log.end()
        self.log.append(RECORDS[start : start + count])

    def learn(self, records: int) -> None:
        """So many records, in steps of their own, published as is due."""
        self.append(records)
        left = [False, False]

        def wait(seconds: float) -> bool:
            self.clock.advance(round(seconds * 1000))
            if self.trainer.position == self.log.end() and seconds:
                left.append(True)
            return len(left) > 3

        self.trainer.follow(self.publisher, wait)

    def assert_equal(self) -> None:
        assert held(self.follower.parameters) == held(self.trainer.learner.parameters)


@pytest.fixture(autouse=True)
def close_worlds() -> Iterator[None]:
    yield
    while World.made:
        World.made.pop().trainer.close()


class Checking:
    """An audience that lets followers poll after steps, and compares them."""

    def __init__(self, world: World, kill_after: int, poll_every: int) -> None:
        self.world = world
        self.left = kill_after
        self.poll_every = poll_every
        self.compared = 0

    def after_step(self, step: int, position: int, received: int) -> None:
        self.world.publisher.after_step(step, position, received)
        if step % self.poll_every == 0:
            follower = self.world.follower
            follower.poll()
            assert (follower.step, follower.position) == (step, position)
            self.world.assert_equal()
            self.compared += 1
        self.left -= 1
        if self.left < 0:
            raise Killed

    def beat(self) -> None:
        self.world.publisher.beat()

    def covered(self, step: int) -> None:
        self.world.publisher.covered(step)

    def flush(self) -> None:
        self.world.publisher.flush()


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9), st.integers(1, 6)), min_size=1, max_size=5),
    st.integers(1, 7),
    st.integers(0, 2**32),
)
def test_a_copy_at_the_head_is_equal_bit_for_bit_through_kills_and_snapshots(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[int, int, int]], snapshot_steps: int, seed: int
) -> None:
    world = World(tmp_path_factory.mktemp("sync"), snapshot_steps=snapshot_steps)
    generator = np.random.default_rng(seed)
    for records, kill_after, poll_every in lives:
        world.append(records)
        checking = Checking(world, kill_after, poll_every)
        world.restart()

        def wait(seconds: float) -> bool:
            world.clock.advance(round(seconds * 1000))
            if seconds and generator.random() < 0.3:
                world.append(int(generator.integers(40)))
            return bool(generator.random() < 0.05)

        try:
            world.trainer.follow(checking, wait)
        except Killed:
            continue
        world.follower.poll()
        world.assert_equal()
    world.restart()
    world.publisher.beat()
    world.follower.poll()
    assert (world.follower.step, world.follower.position) == (world.trainer.step, world.trainer.position)
    world.assert_equal()
    late = world.follow()
    late.poll()
    assert held(late.parameters) == held(world.trainer.learner.parameters)
    assert world.follower.refused == []


@pytest.mark.parametrize(("storage", "apart"), [("bfloat16", 0.01), ("int8", 0.02)])
def test_a_copy_that_rounds_is_the_rounded_one_by_deltas_and_by_snapshots(
    tmp_path: Path, storage: Storage, apart: float
) -> None:
    world = World(tmp_path)
    by_deltas = world.follow(storage=storage)
    by_deltas.poll()
    world.learn(600)
    by_deltas.poll()
    world.trainer.save()
    from_snapshot = world.follow(storage=storage)
    from_snapshot.poll()
    exact = world.trainer.learner.parameters
    for follower in (by_deltas, from_snapshot):
        assert follower.step == world.trainer.step
        for dimension, rows in exact.touched(0).items():
            read = follower.parameters.table.lookup(rows.ids, dimension)
            assert read.tobytes() == rounded(rows.vectors, storage).tobytes()
        predicted = follower.parameters.predict(FEATURES)
        assert 0 < np.abs(predicted - exact.predict(FEATURES)).max() < apart


def test_without_snapshot_and_delta_parameters_are_initial_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert not world.follower.poll()
    assert (world.follower.step, world.follower.position, world.follower.age_ms(START)) == (0, 0, None)
    world.assert_equal()


def test_polling_says_whether_there_was_anything_new(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.learn(100)
    before = world.follower.parameters
    assert world.follower.poll()
    assert not world.follower.poll()
    # A snapshot was taken since: another copy was made of it.
    same = world.follower.parameters
    assert same is not before
    world.learn(100)
    assert world.follower.poll()
    assert world.follower.parameters is same
    world.assert_equal()


def test_a_snapshot_is_loaded_once_when_a_follower_starts(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.learn(100)
    world.append(100)
    publish_steps(world)
    late = world.follow()
    loaded = late.parameters
    assert late.step < world.trainer.step
    assert late.poll()
    assert late.parameters is loaded
    assert held(loaded) == held(world.trainer.learner.parameters)


def test_a_trainer_that_could_not_use_the_newest_snapshot_is_followed_from_the_one_before(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(3):
        world.learn(64)
    early = world.follow()
    assert early.step == 6
    # Only the trainer reads the state, and without its journals it cannot come to step 6 in the same way.
    (world.snapshots.path(6) / "state.bin").write_bytes(b"")
    for journal in world.snapshots.folder.glob("*.journal"):
        journal.unlink()
    world.restart()
    assert world.trainer.step == 4
    world.append(20)
    publish_steps(world)
    early.poll()
    assert early.step == world.trainer.step == 7
    assert held(early.parameters) == held(world.trainer.learner.parameters)


def test_applying_a_delta_twice_is_as_applying_it_once(tmp_path: Path) -> None:
    world = World(tmp_path, channel=MemoryChannel())
    world.learn(100)
    world.follower.poll()
    for epoch, sequence in world.channel.kept() * 2:
        delta = world.channel.read(epoch, sequence)
        if delta.header.step == world.follower.step:
            world.follower.parameters.put(delta.rows, delta.dense, now=START)
    world.assert_equal()


def test_the_age_is_the_time_since_the_trainer_was_last_up_to_date(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publisher.beat()
    world.follower.poll()
    assert world.follower.age_ms(START + 30) == 30
    world.clock.advance(1_000)
    world.publisher.beat()
    assert not world.follower.poll()
    assert world.follower.age_ms(START + 1_000) == 0
    world.publisher.after_step(1, 32, START + 2_000)
    world.follower.poll()
    assert world.follower.age_ms(START + 2_500) == 500
    assert world.follower.age_ms(START) == 0


def test_an_age_is_not_known_while_a_clock_that_was_ahead_is_still_ahead(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.clock.advance(3_600_000)
    world.publisher.after_step(1, 32, START + 3_600_000)
    world.follower.poll()
    assert world.follower.age_ms(START + 3_600_010) == 10
    # The clock is set back by an hour.
    assert world.follower.age_ms(START) is None
    world.clock.advance(-3_600_000)
    world.publisher.beat()
    world.follower.poll()
    assert world.follower.age_ms(START + 40) == 40
    world.publisher.after_step(2, 64, START + 100)
    world.follower.poll()
    assert world.follower.age_ms(START + 150) == 50


def test_rows_and_dense_parameters_are_published_at_most_so_often(tmp_path: Path) -> None:
    world = World(tmp_path, SyncConfig(sparse_seconds=0.5, dense_seconds=2.5, beat_seconds=2.5))
    channel = world.channel
    for step in range(1, 23):
        world.publisher.after_step(step, step, 0)
        world.clock.advance(125)
    # At 0, 500, 1000, ... 2500 ms; dense ones at 0 and 2500.
    published = [channel.read(*each) for each in channel.kept()]
    assert [delta.header.step for delta in published] == [1, 5, 9, 13, 17, 21]
    assert [delta.header.since for delta in published] == [0, 1, 5, 9, 13, 17]
    assert [delta.dense is not None for delta in published] == [True, False, False, False, False, True]
    world.publisher.flush()
    last = channel.read(1, 7)
    assert (last.header.step, last.dense is not None) == (22, True)
    world.publisher.flush()
    assert len(channel.kept()) == 7


def test_what_the_last_steps_left_is_published_while_nothing_comes(tmp_path: Path) -> None:
    world = World(tmp_path, SyncConfig(sparse_seconds=0.2, dense_seconds=1.0, beat_seconds=1.0))
    world.publisher.after_step(1, 1, START)
    world.publisher.after_step(2, 2, START)
    heads = []
    for _ in range(130):
        world.clock.advance(10)
        world.publisher.beat()
        head = world.channel.head()
        assert head is not None
        if not heads or heads[-1] != head:
            heads.append(head)
    # Rows after 200 ms, dense ones after 1000, and from then on all is up to date.
    assert [(head.sequence, head.step, head.at - START) for head in heads] == [(1, 1, 0), (2, 2, 0), (3, 2, 1_000)]


def test_a_clock_that_runs_ahead_of_the_machine_does_not_publish_more_often(tmp_path: Path) -> None:
    world = World(tmp_path, SyncConfig(sparse_seconds=0.2, dense_seconds=1.0, beat_seconds=1.0))
    seconds = 0.0
    channel = MemoryChannel()
    publisher = Publisher(channel, world.trainer, world.clock, world.sync, lambda: seconds)
    for step in range(1, 12):
        publisher.after_step(step, step, 0)
        seconds = step * 0.05
        world.clock.advance(72_000)
    published = [channel.read(*each).header for each in channel.kept()]
    # At 0, 0.2 and 0.4 seconds; the headers have the clock's time.
    assert [header.step for header in published] == [1, 5, 9]
    assert [header.published_at - START for header in published] == [0, 288_000, 576_000]


class FullChannel(MemoryChannel):
    """One whose disk may be full."""

    full = ""

    def publish(self, delta: Delta) -> None:
        if self.full == "publish":
            raise StorageError("the disk is full")
        super().publish(delta)

    def announce(self, head: Head) -> None:
        if self.full == "announce":
            raise StorageError("the disk is full")
        super().announce(head)


@pytest.mark.parametrize("full", ["publish", "announce"])
def test_what_could_not_be_published_is_published_later(tmp_path: Path, full: str) -> None:
    channel = FullChannel()
    world = World(tmp_path, channel=channel)
    world.learn(60)
    world.follower.poll()
    channel.full = full
    world.learn(60)
    assert world.publisher.last_error == "the disk is full"
    assert not world.follower.poll()
    channel.full = ""
    world.learn(60)
    assert world.publisher.last_error is None
    assert world.follower.poll()
    world.assert_equal()
    assert world.follower.refused == []


def damage(world: World, epoch: int, sequence: int, *, remove: bool = False) -> None:
    path = next((world.snapshots.folder.parent / "deltas").glob(f"{epoch:08d}-{sequence:012d}.delta"))
    if remove:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("remove", [False, True])
def test_a_damaged_delta_is_passed_by_with_the_next_snapshot(tmp_path: Path, remove: bool) -> None:
    world = World(tmp_path, snapshot_steps=1_000)
    world.append(64)
    publish_steps(world)
    world.follower.poll()
    assert world.follower.step == 2
    before = held(world.follower.parameters)
    world.append(64)
    publish_steps(world)
    damage(world, 1, 3, remove=remove)
    assert not world.follower.poll()
    assert not world.follower.poll()
    assert held(world.follower.parameters) == before
    (reason,) = world.follower.refused
    assert "00000001-000000000003.delta" in reason
    world.trainer.save()
    world.publisher.covered(world.trainer.step)
    assert world.follower.poll()
    assert world.follower.step == 4
    world.assert_equal()
    world.append(64)
    publish_steps(world)
    assert world.follower.poll()
    world.assert_equal()


class FailingChannel(MemoryChannel):
    """One whose disk fails to give some deltas."""

    failing = 0
    read_whole = 0

    def read(self, epoch: int, sequence: int) -> Delta:
        self.read_whole += 1
        if self.failing:
            self.failing -= 1
            raise SnapshotError(f"delta {sequence} of epoch {epoch}: cannot be read (Too many open files)")
        return super().read(epoch, sequence)

    def header(self, epoch: int, sequence: int) -> Header:
        return super().read(epoch, sequence).header


def test_a_read_that_failed_once_costs_one_poll(tmp_path: Path) -> None:
    channel = FailingChannel()
    world = World(tmp_path, channel=channel, snapshot_steps=1_000)
    world.learn(64)
    world.follower.poll()
    world.restart()
    world.append(64)
    publish_steps(world)
    channel.failing = 1
    assert [world.follower.poll() for _ in range(3)] == [False, False, True]
    world.assert_equal()


def test_what_fails_again_and_again_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    channel = FailingChannel()
    world = World(tmp_path, channel=channel, snapshot_steps=1_000)
    world.learn(64)
    world.follower.poll()
    world.restart()
    world.append(64)
    publish_steps(world)
    channel.failing, channel.read_whole = 10**9, 0
    for _ in range(1 + 1 + 1 + 2 + 1 + 4 + 1):
        assert not world.follower.poll()
    # At polls 1, 3, 6 and 11.
    assert channel.read_whole == 4
    channel.failing = 0
    assert [world.follower.poll() for _ in range(9)] == [False] * 8 + [True]
    world.assert_equal()


def test_each_delta_is_read_whole_once_where_a_copy_starts_from_a_snapshot(tmp_path: Path) -> None:
    channel = FailingChannel()
    world = World(tmp_path, channel=channel, snapshot_steps=1_000)
    world.append(320)
    publish_steps(world)
    assert len(channel.kept()) == 10
    late, channel.read_whole = world.follow(), 0
    assert late.poll()
    assert channel.read_whole == 10
    assert held(late.parameters) == held(world.trainer.learner.parameters)


def publish_steps(world: World) -> None:
    """The steps of the log that are not learned yet, with no snapshot at the end."""
    trainer, publisher = world.trainer, world.publisher

    class Stop(Exception):
        pass

    class Quiet(Checking):
        def beat(self) -> None:
            raise Stop

    with pytest.raises(Stop):
        trainer.follow(Quiet(world, 10_000, 10_000), lambda seconds: False)
    assert publisher.last_error is None


def test_deltas_are_removed_one_snapshot_later_and_those_of_other_epochs_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, channel=MemoryChannel())
    world.append(64)
    publish_steps(world)
    for steps in (2, 4, 6):
        assert world.trainer.step == steps
        world.trainer.save()
        world.publisher.covered(steps)
        world.append(64)
        publish_steps(world)
    # Snapshots are of steps 2, 4 and 6; what follows 4 may still be needed.
    assert world.channel.kept() == [(1, 5), (1, 6), (1, 7), (1, 8)]
    late = world.follow()
    assert late.step == 6
    late.poll()
    assert held(late.parameters) == held(world.trainer.learner.parameters)
    world.restart()
    assert len(world.channel.kept()) == 4
    world.publisher.beat()
    assert world.channel.kept() == [(2, 1)]


def test_a_follower_that_slept_through_a_snapshot_starts_again_from_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.learn(64)
    world.follower.poll()
    old = world.follower.parameters
    for _ in range(4):
        world.learn(64)
    assert world.follower.poll()
    assert world.follower.parameters is not old
    assert world.follower.parameters.version != old.version
    world.assert_equal()


@pytest.mark.parametrize("damaged", ["table.bin", "dense.bin", "manifest.json"])
def test_a_damaged_newest_snapshot_is_passed_by(tmp_path: Path, damaged: str) -> None:
    world = World(tmp_path)
    for _ in range(3):
        world.learn(64)
    path = world.snapshots.path(world.snapshots.steps()[-1]) / damaged
    path.write_bytes(path.read_bytes()[:-7])
    late = world.follow()
    assert late.poll()
    assert held(late.parameters) == held(world.trainer.learner.parameters)
    assert len(late.refused) == 1
    assert damaged in late.refused[0]


def test_a_trainer_with_another_configuration_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    other = world.follow(small_config(seed=5))
    world.learn(64)
    before = held(other.parameters)
    for _ in range(2):
        assert not other.poll()
    assert held(other.parameters) == before
    assert [("another configuration" in reason) for reason in other.refused] == [True]


def test_a_trainer_that_was_rolled_back_is_followed_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.learn(64)
    world.learn(64)
    world.follower.poll()
    assert world.follower.step == 4
    for step in world.snapshots.steps()[1:]:
        world.snapshots.remove(step)
    for journal in world.snapshots.folder.glob("*.journal"):
        journal.unlink()
    world.restart()
    world.publisher.beat()
    assert world.follower.poll()
    assert world.follower.step == world.trainer.step == 2
    world.assert_equal()


def test_a_record_is_learned_within_a_second_of_its_arrival_also_when_few_come(tmp_path: Path) -> None:
    world = World(tmp_path, SyncConfig())
    arrived: dict[int, int] = {}
    ages: list[int] = []

    def wait(seconds: float) -> bool:
        world.clock.advance(round(seconds * 1000))
        if world.clock.now() - START > 5_000:
            return True
        if seconds and len(arrived) < world.clock.now() // 100 - START // 100:
            arrived[world.log.end()] = world.clock.now()
            record: Record = RECORDS[world.log.end()]
            world.log.append([record])
        world.follower.poll()
        for position in [each for each in arrived if each < world.follower.position and arrived[each]]:
            ages.append(world.clock.now() - arrived[position])
            arrived[position] = 0
        return False

    world.trainer.follow(world.publisher, wait)
    assert len(ages) > 30
    # A step closes after 50 ms, rows wait for 200 ms at most, and each is looked for every 10 ms.
    assert max(ages) <= 50 + 200 + 30


def test_many_deltas_do_not_import_the_compiler_of_torch(run_apart: Callable[[str], str]) -> None:
    found = run_apart("""
import sys
import numpy as np
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.follower import Follower
from feedmill.testing.small_log import small_config
from feedmill.stream.state.state import State, StateConfig
parameters = Parameters(small_config(), SlotRegistry(), 43)
parameters.put({}, parameters.dense(), now=0)
print("torch._dynamo" in sys.modules)
""")
    assert found.strip() == "False"
