"""Metrics by objective, over all rows and over the last ones."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.batches import Examples, Features
from feedmill.domain.objectives import Objective
from feedmill.measure.metrics.classification import BinaryMetrics
from feedmill.run.objective_metrics import Recent, ValueMetrics, objective_metrics

OBJECTIVES = {"click": Objective("click"), "seconds": Objective("view", kind="regression")}


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)[:, None]


def examples(labels: list[float], start: int) -> Examples:
    n = len(labels)
    keys = np.ones(n, np.uint64)
    return Examples(
        Features(np.empty(0, np.uint64), np.zeros(n + 1, np.int64), np.empty((n, 0), np.float32)),
        column(*labels), column(*[1.0] * n), keys, keys, np.arange(start, start + n), np.arange(n),
    )  # fmt: skip


def test_binary_and_regressed_objectives_are_measured_where_they_say_something() -> None:
    labels = np.hstack([column(1, 0, 1), column(2.0, 0.0, 9.0)])
    predictions = np.hstack([column(0.9, 0.1, 0.2), column(1.0, 2.0, 9.0)])
    weights = np.hstack([column(1, 1, 0), column(1, 1, 1)])
    found = objective_metrics(OBJECTIVES, labels, predictions, weights)
    click, seconds = found["click"], found["seconds"]
    assert isinstance(click, BinaryMetrics)
    assert (click.rows, click.positives, click.auc) == (2, 1, 1.0)
    # Errors -1, 2, 0: squares 1, 4, 0.
    assert seconds == ValueMetrics(3, pytest.approx(5 / 3), pytest.approx(1.0))


def test_a_weight_below_0_takes_back_the_error_of_a_row_that_was_counted_before() -> None:
    labels, weights = column(2.0, 0.0, 0.0, 3.0), column(1, 1, -1, 1)
    predictions = column(1.0, 2.0, 2.0, 2.0)
    found = objective_metrics({"seconds": OBJECTIVES["seconds"]}, labels, predictions, weights)["seconds"]
    assert found == ValueMetrics(2, 1.0, 1.0)


def test_a_regressed_objective_without_rows_has_no_errors() -> None:
    nothing = np.empty((0, 1), np.float32)
    assert objective_metrics({"seconds": OBJECTIVES["seconds"]}, nothing, nothing, nothing) == {
        "seconds": ValueMetrics(0, None, None)
    }


def test_only_the_last_rows_are_remembered() -> None:
    recent = Recent({"click": OBJECTIVES["click"]}, rows=4)
    assert recent.metrics().rows == 0
    assert recent.summary() == ""
    recent.add(examples([1, 0, 1], 1_000), column(0.1, 0.9, 0.1))
    recent.add(examples([], 2_000), np.empty((0, 1), np.float32))
    recent.add(examples([0, 0], 3_000), column(0.3, 0.4))
    recent.add(examples([1, 1], 4_000), column(0.35, 0.6))
    found = recent.metrics()
    assert (found.rows, found.first, found.last) == (4, "1970-01-01T00:00:03Z", "1970-01-01T00:00:04.001Z")
    # Of the pairs (0.35, 0.6) x (0.3, 0.4) three of four are in order.
    assert recent.summary() == "click 0.750"
