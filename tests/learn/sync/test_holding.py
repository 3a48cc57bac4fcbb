"""While a trainer's watch holds, followers stay on the last good parameters, whoever starts when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.config import SyncConfig
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.follower import Follower
from feedmill.learn.sync.publisher import Publisher
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.poisoned_log import GUARD, first_bad, poisoned_log, quick_learner
from feedmill.testing.small_log import START

CONFIG = quick_learner(snapshot_steps=20)
AT_ONCE = SyncConfig(sparse_seconds=0, dense_seconds=0, beat_seconds=0, rows="float32")
RECORDS = poisoned_log()
COLUMNS = Learner(CONFIG, SlotRegistry()).state.native.dense_columns
BAD = first_bad(RECORDS)


class Home:
    """A trainer over the poisoned log, its publisher, and whoever follows."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.channel = FileChannel(folder / "deltas")
        self.snapshots = Snapshots(folder / "snapshots")
        self.log = MemoryLog()
        self.log.append(RECORDS)
        self.latest, self.stopped = 0.0, False
        self.restart()

    def restart(self) -> None:
        self.trainer = Trainer(self.log, lambda: Learner(CONFIG, SlotRegistry()), self.snapshots, guard=GUARD)
        self.publisher = Publisher(self.channel, self.trainer, self.clock, AT_ONCE, lambda: 0.0)

    def seconds(self) -> float:
        """A timer that a test can stop."""
        self.latest += 0 if self.stopped else 1
        return self.latest

    def kill(self) -> None:
        """Close files as the end of a process does, with nothing saved."""
        self.trainer.close()

    def follow(self) -> Follower:
        follower = Follower(
            FileChannel(self.channel.folder),
            Snapshots(self.snapshots.folder),
            lambda: Parameters(CONFIG, SlotRegistry(), COLUMNS),
            CONFIG.digest(),
        )
        follower.poll()
        return follower

    def learn(self, until: int) -> None:
        """Up to a position, published step by step, without a snapshot at the end."""
        trainer = self.trainer

        class Publishing:
            after_step, beat, covered = self.publisher.after_step, self.publisher.beat, self.publisher.covered

            @staticmethod
            def flush() -> None:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            trainer.follow(Publishing(), lambda seconds: trainer.position >= until)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.kill()


def dense(follower: Follower) -> bytes:
    return follower.parameters.dense()


def test_followers_stay_where_they_are_while_training_goes_on(home: Home) -> None:
    follower = home.follow()
    home.learn(BAD + 320)
    hold = home.trainer.watch.hold
    assert hold is not None
    follower.poll()
    assert follower.head is not None
    assert (follower.head.hold, follower.head.held_at) == (hold, START)
    stays = follower.step, dense(follower)
    assert follower.step == hold.step - 1
    home.clock.advance(60_000)
    home.learn(BAD + 600)
    home.publisher.beat()
    follower.poll()
    assert (follower.step, dense(follower)) == stays
    assert home.trainer.step > hold.step + 5
    assert home.trainer.learner.parameters.dense() != dense(follower)


def test_who_starts_during_a_hold_has_the_last_good_parameters_and_no_newer_snapshot(home: Home) -> None:
    follower = home.follow()
    home.learn(BAD + 320)
    home.learn(len(RECORDS) - 2_500 + 300)
    hold = home.trainer.watch.hold
    assert hold is not None
    assert max(home.snapshots.steps()) > hold.step
    follower.poll()
    late = home.follow()
    assert (late.step, dense(late)) == (follower.step, dense(follower))
    assert late.refused == []


def test_a_trainer_that_is_killed_during_a_hold_comes_back_holding(home: Home) -> None:
    follower = home.follow()
    home.learn(BAD + 320)
    hold, epoch = home.trainer.watch.hold, home.publisher.epoch
    for _ in range(3):
        home.kill()
        home.restart()
        assert home.trainer.watch.hold == hold
        home.publisher.beat()
        follower.poll()
        late = home.follow()
        assert follower.head is not None
        assert (follower.head.hold, follower.head.epoch) == (hold, epoch)
        assert (late.step, dense(late)) == (follower.step, dense(follower))


def test_when_all_is_well_again_followers_get_everything_that_was_held_back(home: Home) -> None:
    follower = home.follow()
    home.learn(BAD + 320)
    follower.poll()
    home.learn(len(RECORDS))
    assert home.trainer.watch.hold is None
    for one in (follower, home.follow()):
        one.poll()
        assert one.head is not None
        assert one.head.hold is None
        assert (one.step, one.position) == (home.trainer.step, len(RECORDS))
        theirs, ours = one.parameters, home.trainer.learner.parameters
        assert theirs.dense() == ours.dense()
        rows, expected = theirs.touched(0), ours.touched(0)
        assert all(rows[d].vectors.tobytes() == expected[d].vectors.tobytes() for d in expected)
        assert one.refused == []


def test_a_hold_that_a_restart_outlives_ends_in_a_new_epoch(home: Home) -> None:
    follower = home.follow()
    home.learn(BAD + 320)
    home.learn(BAD + 600)
    home.kill()
    home.restart()
    home.publisher.beat()
    home.learn(len(RECORDS))
    follower.poll()
    assert (follower.step, follower.position) == (home.trainer.step, len(RECORDS))
    assert dense(follower) == home.trainer.learner.parameters.dense()


def test_a_home_that_fell_before_anybody_followed_is_served_from_before_the_fall(home: Home) -> None:
    home.trainer.run(until=BAD + 320)
    hold = home.trainer.watch.hold
    assert hold is not None
    home.publisher.beat()
    follower = home.follow()
    assert follower.step == max(step for step in home.snapshots.steps() if step < hold.step)
    assert follower.head is not None
    assert follower.head.hold == hold


def test_who_starts_during_a_hold_has_no_snapshot_that_was_not_published(home: Home) -> None:
    home.snapshots = Snapshots(home.snapshots.folder, keep=6)
    home.restart()
    home.publisher = Publisher(
        home.channel, home.trainer, home.clock, SyncConfig(sparse_seconds=0.2, dense_seconds=0), home.seconds
    )  # fmt: skip
    follower = home.follow()
    home.learn(BAD - 1_280)
    follower.poll()
    # From here on nothing is due, whatever is learned.
    home.stopped = True
    home.learn(BAD + 320)
    hold = home.trainer.watch.hold
    assert hold is not None
    follower.poll()
    assert follower.head is not None
    assert follower.head.hold == hold
    between = [step for step in home.snapshots.steps() if follower.step < step < hold.step]
    assert between
    assert home.follow().step <= follower.step


def test_good_snapshots_are_kept_however_long_a_hold_lasts(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, keep=2)
    learner = Learner(CONFIG, SlotRegistry())
    for step in (10, 20, 30):
        snapshots.save(learner, step, step)
    for step in (40, 50, 60):
        snapshots.save(learner, step, step, good_before=35)
    assert snapshots.steps() == [20, 30, 50, 60]
    snapshots.save(learner, 70, 70)
    assert snapshots.steps() == [60, 70]
