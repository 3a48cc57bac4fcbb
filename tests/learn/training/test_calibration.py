"""KuaiRand, with one in ten of the negatives learned: predictions stay as calibrated as with all of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.measure.metrics import calibration
from feedmill.run.engine import Engine
from feedmill.testing.command_line import run_here


def test_sampled_negatives_leave_predictions_calibrated_to_two_percent(data_dir: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert run_here("import", "kuairand", data_dir / "kuairand", "--home", home).code == 0
    with Engine.open(home, environment={}) as engine:
        config = engine.config.learning()
        sampled = msgspec.structs.replace(config, join=msgspec.structs.replace(config.join, negative_rate=0.1))
        everything, sparse = Learner(config, SlotRegistry()), Learner(sampled, SlotRegistry())
        labels, predicted, predicted_sparsely = [], [], []
        position, end, learned = 0, engine.log.end(), 0
        while position < end:
            records, position = engine.log.read(position, config.training.batch)
            step = everything.step(records)
            # Every row is predicted before it is learned, or left out.
            predicted_sparsely.append(sparse.parameters.predict(step.examples.features))
            learned += len(sparse.step(records).examples)
            labels.append(step.examples.labels)
            predicted.append(step.predictions)
    truth, all_, few = (np.concatenate(parts) for parts in (labels, predicted, predicted_sparsely))
    positive = int(truth.any(axis=1).sum())
    assert learned == pytest.approx(positive + (len(truth) - positive) / 10, rel=0.01)
    for column in range(truth.shape[1]):
        ratio = calibration(truth[:, column], few[:, column]) / calibration(truth[:, column], all_[:, column])
        assert ratio == pytest.approx(1, abs=0.02)
