"""The dense part learns where the configuration says, and snapshots go from one device to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
import torch

from feedmill.domain.errors import ConfigError
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.device import chosen_device
from feedmill.learn.training.learner import Learner
from feedmill.testing.learner_bytes import learner_bytes, parameter_bytes
from feedmill.testing.small_log import small_config, small_log

Device = Literal["cpu", "cuda", "auto"]
RECORDS = small_log(np.random.default_rng(1), 480)


def new_learner(device: Device) -> Learner:
    config = small_config()
    training = msgspec.structs.replace(config.training, device=device)
    return Learner(msgspec.structs.replace(config, training=training), SlotRegistry())


def learned(device: Device, *, saved: Path | None = None, goes_on: Device | None = None) -> Learner:
    """One that has learned all records, on two devices where another is named, by way of files in `saved`."""
    learner = new_learner(device)
    for start in range(0, len(RECORDS), 40):
        if start == 240 and saved is not None:
            learner.save(saved)
            learner = new_learner(goes_on or device)
            learner.load(saved)
        learner.step(RECORDS[start : start + 40])
    return learner


@pytest.fixture
def cuda(require: Callable[[str, bool, str], None]) -> None:
    require("cuda", torch.cuda.is_available(), f"torch {torch.__version__} finds no CUDA device")


def test_cuda_where_there_is_none_is_an_error_that_says_what_to_do() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ConfigError, match=r"training\.device: 'cuda' is asked for.*finds no GPU; say 'cpu', or 'auto'"):
        new_learner("cuda")


def test_auto_without_a_gpu_is_the_processor_bit_for_bit(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert chosen_device("auto") == torch.device("cpu")
    assert learner_bytes(learned("auto"), tmp_path) == learner_bytes(learned("cpu"), tmp_path)


@pytest.mark.usefixtures("cuda")
def test_a_gpu_learns_what_the_processor_learns() -> None:
    gpu, processor = learned("auto"), learned("cpu")
    assert gpu.parameters.device.type == "cuda"
    examples = next(step.examples for step in map(new_learner("cpu").step, [RECORDS]) if len(step.examples))
    on_gpu, on_processor = (one.parameters.predict(examples.features) for one in (gpu, processor))
    assert np.abs(on_gpu - on_processor).max() < 1e-4
    values = [np.frombuffer(one.parameters.dense()[16:], "<f4") for one in (gpu, processor)]
    assert np.abs(values[0] - values[1]).max() < 1e-3


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")])
def test_a_snapshot_goes_from_one_device_to_another(tmp_path: Path, first: Device, then: Device) -> None:
    before = new_learner(first)
    for start in range(0, 240, 40):
        before.step(RECORDS[start : start + 40])
    before.save(tmp_path)
    after = new_learner(then)
    after.load(tmp_path)
    assert parameter_bytes(after) == parameter_bytes(before)
    assert after.parameters.device.type == then
    gone_on, whole = learned(first, saved=tmp_path, goes_on=then), learned("cpu")
    examples = next(step.examples for step in map(new_learner("cpu").step, [RECORDS]) if len(step.examples))
    assert np.allclose(
        gone_on.parameters.predict(examples.features), whole.parameters.predict(examples.features), atol=1e-4
    )
