"""The watch: falls are noticed, noise is not, and recovery comes to the same verdict."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.batches import Examples, Features, Float32s
from feedmill.domain.errors import ConfigError, SnapshotError
from feedmill.domain.objectives import Objective
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.guards.config import GuardConfig
from feedmill.learn.guards.set_aside import Refusal
from feedmill.learn.guards.watch import FILE, Watch, Watched, last_seen
from feedmill.learn.training.learner import Learner, Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.poisoned_log import GUARD, first_bad, poisoned_log, quick_learner

OBJECTIVES = {"click": Objective("click"), "seconds": Objective("view", kind="regression")}
CONFIG = GuardConfig(window=1_000, baseline=8)


def step(clicks: Float32s, click_predictions: Float32s, seconds: Float32s, predictions: Float32s) -> Step:
    n = len(clicks)
    features = Features(np.zeros(0, np.uint64), np.zeros(1, np.int64), np.zeros((n, 0), np.float32))
    keys, times = np.zeros(n, np.uint64), np.zeros(n, np.int64)
    labels = np.stack([clicks, seconds], 1).astype(np.float32)
    examples = Examples(features, labels, np.ones_like(labels), keys, keys, times, times)
    predicted = np.stack([click_predictions, predictions], 1).astype(np.float32)
    return Step(examples, predicted, learned=True)


def ordinary(
    generator: np.random.Generator, n: int = 1_000, *, skill: float = 1.0, shift: float = 0.0, bias: float = 0.0
) -> Step:
    """`n` examples whose click chances the predictions know, but for what is changed."""
    logits = generator.normal(-2.0, 1.0, n)
    clicks = (generator.random(n) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    predicted = -2.0 + skill * (logits + 2.0) + shift
    seconds = generator.normal(10.0, 5.0, n)
    return step(clicks, 1 / (1 + np.exp(-predicted)), seconds, seconds + generator.normal(bias, 5.0, n))


def warmed_up(seed: int = 0, config: GuardConfig = CONFIG) -> tuple[Watch, np.random.Generator]:
    generator = np.random.default_rng(seed)
    watch = Watch(OBJECTIVES, config)
    for number in range(8):
        watch.add(number, ordinary(generator))
    return watch, generator


def test_ordinary_windows_are_no_reason() -> None:
    for seed in range(5):
        watch, generator = warmed_up(seed)
        for number in range(8, 60):
            watch.add(number, ordinary(generator))
            assert watch.hold is None


@pytest.mark.parametrize(
    ("fall", "reason"),
    [
        ({"skill": 0.0}, "click: AUC"),
        ({"skill": -1.0}, "click: AUC"),
        ({"shift": 2.0}, "predicted for each one observed"),
        ({"shift": -2.5}, "predicted for each one observed"),
        ({"shift": 6.0}, "click: mean prediction"),
        ({"bias": 5.0}, "seconds: predictions are off by"),
    ],
)
def test_a_cliff_holds_publishing_and_says_which(fall: dict[str, float], reason: str) -> None:
    watch, generator = warmed_up()
    watch.add(8, ordinary(generator, **fall))
    assert watch.hold is not None
    assert watch.hold.step == 8
    assert any(reason in one for one in watch.hold.reasons)


def test_a_window_of_which_most_was_set_aside_holds_publishing() -> None:
    watch, generator = warmed_up()
    refused = (Refusal("ranker", 600, "the loss is nan"),)
    watch.add(8, ordinary(generator)._replace(refusals=refused))
    assert watch.hold is not None
    assert watch.hold.reasons == ("600 of 1,000 examples were set aside",)


def test_nothing_is_judged_before_there_is_something_to_compare_with() -> None:
    generator = np.random.default_rng(0)
    watch = Watch(OBJECTIVES, CONFIG)
    watch.add(0, ordinary(generator))
    watch.add(1, ordinary(generator, skill=-1.0))
    assert watch.hold is None


def test_publishing_goes_on_after_enough_windows_in_a_row_that_are_well() -> None:
    watch, generator = warmed_up()
    held = []
    for number, skill in enumerate((0.0, 1.0, 0.0, 1.0, 1.0), 8):
        watch.add(number, ordinary(generator, skill=skill))
        held.append(watch.hold and watch.hold.step)
    assert held == [8, 8, 8, 8, None]


def test_where_people_change_and_predictions_follow_all_is_well_again() -> None:
    watch, generator = warmed_up()

    def rarer(n: int = 1_000) -> Step:
        logits = generator.normal(-6.0, 1.0, n)
        clicks = (generator.random(n) < 1 / (1 + np.exp(-logits))).astype(np.float32)
        seconds = generator.normal(10.0, 5.0, n)
        return step(clicks, 1 / (1 + np.exp(-logits)), seconds, seconds)

    for number in range(8, 20):
        watch.add(number, rarer())
    assert watch.hold is None


def test_a_guard_that_is_turned_off_measures_and_holds_nothing() -> None:
    watch, generator = warmed_up(config=msgspec.structs.replace(CONFIG, enabled=False))
    watch.add(8, ordinary(generator, skill=0.0))
    assert watch.hold is None
    assert watch.latest is not None
    assert watch.latest.step == 8


def test_the_error_of_an_auc_is_that_of_its_source() -> None:
    # Hanley and McNeil's own formula by hand: Q1 = 0.8/1.2, Q2 = 1.28/1.8.
    watched = Watched(150.0, 50.0, 50.0, 0.8, 50, 100, None)
    square = (0.16 + 49 * (0.8 / 1.2 - 0.64) + 99 * (1.28 / 1.8 - 0.64)) / 5_000
    assert watched.auc_error(0.8) == pytest.approx(math.sqrt(square))
    assert watched.auc_error(0.8) == pytest.approx(0.04125, abs=1e-5)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 40), st.integers(1, 700))
def test_a_watch_that_is_loaded_goes_on_as_the_one_that_was_saved(
    tmp_path_factory: pytest.TempPathFactory, stop: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("watch")
    generator = np.random.default_rng(size)
    watch, steps = Watch(OBJECTIVES, CONFIG), [ordinary(generator, size, skill=float(n < 30)) for n in range(45)]
    # Of which some was set aside, and could not be predicted either.
    for number in range(0, 45, 7):
        steps[number] = ordinary(generator, size // 3 + 1)._replace(refusals=(Refusal("ranker", size, "nan"),))
    for number, one in enumerate(steps):
        if number == stop:
            watch.save(folder)
            watch = Watch(OBJECTIVES, CONFIG)
            watch.load(folder)
        watch.add(number, one)
    uninterrupted = Watch(OBJECTIVES, CONFIG)
    for number, one in enumerate(steps):
        uninterrupted.add(number, one)
    assert (watch.hold, watch.latest) == (uninterrupted.hold, uninterrupted.latest)
    watch.save(folder)
    assert last_seen(folder) == (uninterrupted.latest, uninterrupted.hold)


@pytest.mark.parametrize("content", [None, b"", b"\x93", msgspec.msgpack.encode([[], [], None, 0, 0, 0, [b"1"] * 3])])
def test_a_damaged_watch_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SnapshotError, match=FILE):
        Watch(OBJECTIVES, CONFIG).load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window", 99), ("baseline", 3), ("well_windows", 0), ("auc_drop", 0.0), ("auc_drop", 1.1),
        ("calibration_factor", 1.0), ("prediction_factor", math.inf), ("value_bias", math.nan),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_key(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"guard.{name}"):
        GuardConfig(**{name: value})  # type: ignore[arg-type]


def test_clicks_that_are_turned_round_for_a_while_hold_publishing_until_they_are_unlearned(tmp_path: Path) -> None:
    records = poisoned_log()
    log = MemoryLog()
    log.append(records)
    trainer = Trainer(
        log, lambda: Learner(quick_learner(), SlotRegistry()), Snapshots(tmp_path), guard=GUARD
    )  # fmt: skip
    holds = []
    trainer.run(lambda done: holds.append(trainer.watch.hold is not None) is None)
    trainer.close()
    first, last = holds.index(True), len(holds) - holds[::-1].index(True)
    # The window in which it began, and the one after it, are the first that can tell.
    assert first_bad(records) / 32 <= first <= first_bad(records) / 32 + 2 * GUARD.window / 32
    assert all(holds[first:last])
    assert not holds[-1]


def test_recovery_comes_to_the_same_verdict_at_every_step(tmp_path: Path) -> None:
    records = poisoned_log()
    end = first_bad(records) + 320
    log = MemoryLog()
    log.append(records[:end])

    def new(folder: Path, **training: int) -> Trainer:
        config = quick_learner(**training)
        return Trainer(log, lambda: Learner(config, SlotRegistry()), Snapshots(folder), guard=GUARD)

    expected = {}
    trainer = new(tmp_path / "whole")
    trainer.run(lambda done: expected.update({len(expected) + 1: trainer.watch.hold}) is None)
    trainer.close()
    assert expected[len(expected)] is not None
    for stop in range(len(expected) - 12, len(expected) + 1):
        folder = tmp_path / str(stop)
        left = [stop]

        def goes_on(done: Step, left: list[int] = left) -> bool:
            left[0] -= 1
            if left[0] == 0:
                raise InterruptedError
            return True

        crashed = new(folder, snapshot_steps=40)
        with pytest.raises(InterruptedError):
            crashed.run(goes_on)
        crashed.close()
        recovered = new(folder, snapshot_steps=40)
        assert recovered.watch.hold == expected[recovered.step]
        recovered.close()
