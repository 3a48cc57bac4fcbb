"""Predictions compared on the same rows: metrics are of those that are judged, thresholds of the others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.evaluation.predictions import compare_predictions, prediction_verdict

GENERATOR = np.random.default_rng(0)
USERS = np.repeat(np.arange(80), 25)
TASTE = GENERATOR.normal(size=2_000)
LABELS = (GENERATOR.random(2_000) < 1 / (1 + np.exp(1 - 1.5 * TASTE))).astype(float)
RIGHT = 1 / (1 + np.exp(1 - 1.5 * TASTE))
WORSE = np.clip(RIGHT + GENERATOR.normal(0, 0.3, 2_000), 0.01, 0.99)
JUDGED = np.arange(2_000) % 2 == 1


def compared(**models):
    return compare_predictions("click", LABELS, USERS, models, JUDGED, binary=True, samples=200, seed=0)


def test_metrics_of_the_judged_rows_equal_those_of_scikit_learn() -> None:
    found = compared(right=RIGHT)
    assert (found.rows, found.users, found.positives) == (1_000, 80, int(LABELS[JUDGED].sum()))
    metrics = {name: value.estimate for name, value in found.models[0].metrics.items()}
    truth, score = LABELS[JUDGED], RIGHT[JUDGED]
    assert metrics["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, score))
    assert metrics["average_precision"] == pytest.approx(sklearn_metrics.average_precision_score(truth, score))
    assert metrics["log_loss"] == pytest.approx(sklearn_metrics.log_loss(truth, score), rel=1e-5)
    assert metrics["calibration"] == pytest.approx(score.sum() / truth.sum())
    confusion = found.models[0].confusion
    assert confusion is not None
    assert metrics["f1"] == pytest.approx(sklearn_metrics.f1_score(truth, score >= confusion.threshold))
    for value in found.models[0].metrics.values():
        assert value.low < value.estimate < value.high


def test_the_threshold_is_chosen_on_rows_that_do_not_judge_it() -> None:
    labels = np.where(JUDGED, 1 - LABELS, LABELS)
    one = compared(right=RIGHT).models[0].confusion
    other = compare_predictions("click", labels, USERS, {"right": RIGHT}, JUDGED, binary=True, samples=100, seed=0)
    assert one is not None
    assert other.models[0].confusion is not None
    assert one.threshold == other.models[0].confusion.threshold


def test_the_better_one_comes_first_and_the_verdict_says_that_it_is_not_chance() -> None:
    found = compared(worse=WORSE, right=RIGHT)
    assert [result.name for result in found.models] == ["right", "worse"]
    (pair,) = found.differences
    assert (pair.first, pair.second) == ("right", "worse")
    assert pair.interval.low > 0
    assert pair.significant()
    (sentence,) = prediction_verdict(found)
    assert sentence.startswith("Predicting click, right is ahead of worse (AUC 0.")
    assert ": not chance (" in sentence


def test_models_that_say_the_same_are_level() -> None:
    found = compared(one=RIGHT, other=RIGHT)
    assert not found.differences[0].significant()
    assert "are level" in prediction_verdict(found)[0]
    assert "has AUC" in prediction_verdict(compared(one=RIGHT))[0]


def test_values_are_judged_by_their_errors_and_the_smaller_one_comes_first() -> None:
    truth = TASTE * 10
    models = {"worse": truth + GENERATOR.normal(0, 3, 2_000), "right": truth + GENERATOR.normal(0, 1, 2_000)}
    found = compare_predictions("seconds", truth, USERS, models, JUDGED, binary=False, samples=200, seed=0)
    assert [result.name for result in found.models] == ["right", "worse"]
    metrics = found.models[0].metrics
    error = (models["right"] - truth)[JUDGED]
    assert metrics["rmse"].estimate == pytest.approx(np.sqrt((error**2).mean()))
    assert metrics["mae"].estimate == pytest.approx(np.abs(error).mean())
    assert found.differences[0].interval.high < 0
    assert ": not chance (" in prediction_verdict(found)[0]


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert compared(worse=WORSE, right=RIGHT) == compared(worse=WORSE, right=RIGHT)


def test_rows_of_one_class_or_one_user_cannot_be_judged() -> None:
    with pytest.raises(InvalidArgument, match="0 of 1,000 rows are positive"):
        compare_predictions("click", 0 * LABELS, USERS, {"a": RIGHT}, JUDGED, binary=True, samples=100, seed=0)
    with pytest.raises(InvalidArgument, match="of one user"):
        compare_predictions("click", LABELS, 0 * USERS, {"a": RIGHT}, JUDGED, binary=True, samples=100, seed=0)


def test_counting_what_a_user_did_before_looks_bad_within_users_though_it_says_nothing_wrong() -> None:
    """Why the report warns of GAUC: users differ, their own rows do not, and a running rate falls below one half."""
    generator = np.random.default_rng(1)
    likes = generator.random((2_000, 5)) < generator.beta(2, 4, 2_000)[:, None]
    before = np.cumsum(likes, axis=1) - likes
    running = (before + 2) / (np.arange(5) + 6)
    users = np.repeat(np.arange(2_000), 5)
    found = compare_predictions(
        "like", likes.ravel(), users, {"running": running.ravel()}, np.ones(10_000, dtype=bool), binary=True,
        samples=100, seed=0,
    )  # fmt: skip
    assert found.models[0].metrics["auc"].low > 0.55
    assert found.models[0].metrics["gauc"].high < 0.25
