"""Predictions compared: of models that said, for the same rows, what would follow, before it did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import (
    CalibrationCurve,
    Confusion,
    Difference,
    Interval,
    auc,
    auc_by_user,
    average_precision,
    best_threshold,
    calibration_curve,
    confusion_at,
    holm,
    metric_interval,
    paired_bootstrap,
    ratio_interval,
    rmse,
)

Bools = npt.NDArray[np.bool_]
Float64s = npt.NDArray[np.float64]


class PredictionResult(msgspec.Struct, frozen=True):
    """One model on one objective; every interval is from resampling users."""

    name: str
    metrics: dict[str, Interval]
    """Binary: auc, gauc, average_precision, log_loss, calibration, f1. Values: rmse, mae."""
    confusion: Confusion | None
    """At the threshold with the highest F1 on the rows before those that are judged."""
    curve: CalibrationCurve | None


class ObjectiveEvaluation(msgspec.Struct, frozen=True):
    """Models on one objective."""

    objective: str
    binary: bool
    rows: int
    positives: int
    users: int
    models: list[PredictionResult]
    """The best first, by AUC or by RMSE."""
    differences: list[Difference]
    """Every pair by AUC or RMSE, the better one first, by a paired bootstrap over users."""


def compare_predictions(
    objective: str,
    labels: npt.ArrayLike,  # [n]
    users: npt.ArrayLike,  # [n], any type that sorts
    predictions: Mapping[str, npt.ArrayLike],  # [n] each
    judged: Bools,  # [n]: rows that are judged; a threshold is chosen on the others
    *,
    binary: bool,
    samples: int,
    seed: int,
) -> ObjectiveEvaluation:
    """Judge every model on the same rows. Raises InvalidArgument where the judged rows are of one class or user."""
    label = np.asarray(labels, dtype=np.float64)
    truth, owner = label[judged], np.unique(np.asarray(users)[judged], return_inverse=True)[1].ravel()
    positives = int((truth > 0).sum())
    if binary and not 0 < positives < len(truth):
        raise InvalidArgument(
            f"{objective}: {positives:,} of {len(truth):,} rows are positive; there is nothing to tell"
        )
    if len(np.unique(owner)) < 2:
        raise InvalidArgument(f"{objective}: the rows that are judged are of one user; there is nobody to resample")
    scores = {name: np.asarray(values, dtype=np.float64) for name, values in predictions.items()}
    generators = iter(np.random.default_rng(seed).spawn(len(scores) ** 2 + len(scores)))
    results = [
        _binary(name, label, owner, values, judged, samples, next(generators))
        if binary
        else _value(name, truth, owner, values[judged], samples, next(generators))
        for name, values in scores.items()
    ]
    metric = auc if binary else rmse
    best_first = -1 if binary else 1
    results.sort(key=lambda result: best_first * result.metrics["auc" if binary else "rmse"].estimate)
    pairs = []
    for first, second in combinations([result.name for result in results], 2):
        gap = paired_bootstrap(
            metric, truth, scores[first][judged], scores[second][judged], owner, samples, next(generators)
        )
        pairs.append((first, second, gap))
    corrected = holm([gap.p_value for *_, gap in pairs])
    differences = [
        Difference(first, second, gap, gap.p_value, float(value))
        for (first, second, gap), value in zip(pairs, corrected, strict=True)
    ]
    return ObjectiveEvaluation(objective, binary, len(truth), positives, len(np.unique(owner)), results, differences)


def _binary(
    name: str,
    label: Float64s,
    owner: npt.NDArray[np.int64],
    scores: Float64s,
    judged: Bools,
    samples: int,
    generator: np.random.Generator,
) -> PredictionResult:
    before = ~judged
    truth, score = label[judged] > 0, scores[judged]
    threshold = best_threshold(label[before], scores[before]) if (label[before] > 0).any() else 0.5
    taken = score >= threshold

    each, rows = auc_by_user(truth, score, owner)
    defined = ~np.isnan(each)
    likelihood = np.clip(np.where(truth, score, 1 - score), np.finfo(np.float32).eps, 1)
    metrics = {
        "auc": metric_interval(auc, truth, score, owner, samples, generator),
        "gauc": ratio_interval(np.where(defined, each, 0) * rows, np.where(defined, rows, 0), samples, generator),
        "average_precision": metric_interval(average_precision, truth, score, owner, samples, generator),
        "log_loss": ratio_interval(
            _sums(owner, -np.log(likelihood)), _sums(owner, np.ones(len(truth))), samples, generator
        ),
        "calibration": ratio_interval(_sums(owner, score), _sums(owner, truth), samples, generator),
        "f1": ratio_interval(
            _sums(owner, 2.0 * (taken & truth)), _sums(owner, taken.astype(float) + truth), samples, generator
        ),
    }
    return PredictionResult(
        name, metrics, confusion_at(threshold, truth, score), calibration_curve(truth, np.clip(score, 0, 1))
    )


def _value(
    name: str,
    truth: Float64s,
    owner: npt.NDArray[np.int64],
    predicted: Float64s,
    samples: int,
    generator: np.random.Generator,
) -> PredictionResult:
    rows, error = _sums(owner, np.ones(len(truth))), predicted - truth
    squared = ratio_interval(_sums(owner, error**2), rows, samples, generator)
    root = msgspec.structs.replace(
        squared, estimate=math.sqrt(squared.estimate), low=math.sqrt(squared.low), high=math.sqrt(squared.high)
    )
    absolute = ratio_interval(_sums(owner, np.abs(error)), rows, samples, generator)
    return PredictionResult(name, {"rmse": root, "mae": absolute}, None, None)


def _sums(owner: npt.NDArray[np.int64], values: npt.ArrayLike) -> Float64s:
    """float64 [users]: the sum of each user's values."""
    sums: Float64s = np.bincount(owner, np.asarray(values, dtype=np.float64)).astype(np.float64)
    return sums


def prediction_verdict(found: ObjectiveEvaluation) -> list[str]:
    """Of the best model beside each other one: how far ahead it is, and whether that could be chance."""
    best = found.models[0]
    metric, name = ("auc", "AUC") if found.binary else ("rmse", "RMSE")
    sentences = []
    for pair in found.differences:
        if pair.first != best.name:
            continue
        other = next(result for result in found.models if result.name == pair.second)
        ours, theirs = best.metrics[metric].estimate, other.metrics[metric].estimate
        if ours == theirs:
            sentences.append(
                f"Predicting {found.objective}, {best.name} and {other.name} are level ({name} {ours:.4f})."
            )
            continue
        chance = "not chance" if pair.significant() else "that could be chance"
        corrected = f", corrected for {len(found.differences)} pairs" if len(found.differences) > 1 else ""
        sentences.append(
            f"Predicting {found.objective}, {best.name} is ahead of {other.name} ({name} {ours:.4f} and {theirs:.4f}):"
            f" {chance} (the difference lies between {pair.interval.low:+.4f} and {pair.interval.high:+.4f} with 95 %"
            f" confidence; p = {pair.corrected:.2g}{corrected})."
        )
    return sentences or [f"Predicting {found.objective}, {best.name} has {name} {best.metrics[metric].estimate:.4f}."]
