"""The report of a progressive evaluation as one HTML file."""

from __future__ import annotations

import math

from feedmill.measure.evaluation.predictions import ObjectiveEvaluation, PredictionResult
from feedmill.run.evaluation.pairs import pairs_table
from feedmill.run.evaluation.progressive import ProgressiveReport
from feedmill.run.report.page import command, facts, notes, page, section, table, tiles
from feedmill.run.report.plots import Mark, curves, intervals

_BINARY = {
    "auc": ("AUC", "How often a row that was followed by it is above one that was not."),
    "gauc": ("GAUC", "AUC within users, weighed by their rows."),
    "average_precision": ("Average precision", "The area under precision over recall."),
    "log_loss": ("Log loss", "In nats; less is better."),
    "calibration": ("Calibration", "Predicted for each one observed: 1 is right."),
    "f1": ("F1", "At the threshold that was best before the judged rows."),
}
_VALUES = {
    "rmse": ("RMSE", "The root of the mean squared error; less is better."),
    "mae": ("MAE", "The mean absolute error; less is better."),
}


def progressive_page(report: ProgressiveReport) -> str:
    """The whole file."""
    sections = [section("", "", tiles(_numbers(report)), notes(report.notes), wide=True)]
    for found in report.objectives:
        sections += _objective(found)
    sections.append(section("How it was measured", "", facts(_facts(report)), command(report.command), wide=True))
    best = {found.models[0].name for found in report.objectives}
    title = f"{best.pop()} leads" if len(best) == 1 else "Models lead on different objectives"
    lead = [sentence for found in report.objectives for sentence in _lead(found, report)]
    return page(title, f"Evaluation of {report.home} · progressive", lead, sections)


def _lead(found: ObjectiveEvaluation, report: ProgressiveReport) -> list[str]:
    return [s for s in report.verdict if s.startswith(f"Predicting {found.objective},")][:1]


def _objective(found: ObjectiveEvaluation) -> list[str]:
    metrics = _BINARY if found.binary else _VALUES
    best = found.models[0]
    drawn = []
    for key, (title, about) in metrics.items():
        marks = [_mark(result, key, best) for result in found.models]
        drawn.append(section(f"{found.objective}: {title}", about, intervals(marks, digits=4, zero=False)))
    if found.binary:
        drawn += [
            section(
                f"{found.objective}: predicted and observed",
                "Rows in ten bins by their prediction; on the dashed line predictions are right.",
                curves([(result.name, _points(result)) for result in found.models if result.curve is not None]),
            ),
            section(
                f"{found.objective}: decisions",
                "What is right and wrong at that threshold.",
                table(
                    ("model", "at", "true +", "false +", "true −", "false −", "precision", "recall"),
                    [_confusion(result) for result in found.models],
                ),
            ),
        ]
    if found.differences:
        drawn.append(
            section(
                f"{found.objective}: pairs",
                f"By {'AUC' if found.binary else 'RMSE'}: a paired bootstrap over users, p corrected for the number of"
                " pairs (Holm).",
                pairs_table(found.differences),
                wide=True,
            )
        )
    return drawn


def _mark(result: PredictionResult, key: str, best: PredictionResult) -> Mark:
    value = result.metrics[key]
    return Mark(result.name, value.estimate, value.low, value.high, result is best)


def _points(result: PredictionResult) -> list[tuple[float, float]]:
    assert result.curve is not None
    return list(zip(result.curve.predicted, result.curve.observed, strict=True))


def _confusion(result: PredictionResult) -> tuple[str, ...]:
    found = result.confusion
    if found is None:
        return (result.name, *["–"] * 7)
    shares = ("–" if math.isnan(value) else f"{value:.3f}" for value in (found.precision, found.recall))
    return (
        result.name, f"{found.threshold:.3f}", f"{found.true_positives:,}", f"{found.false_positives:,}",
        f"{found.true_negatives:,}", f"{found.false_negatives:,}", *shares,
    )  # fmt: skip


def _numbers(report: ProgressiveReport) -> list[tuple[str, str]]:
    counts = [
        (f"{found.objective}, of the judged rows", f"{found.positives:,}")
        for found in report.objectives
        if found.binary
    ]
    return [("rows", f"{report.rows:,}"), ("judged", f"{report.judged:,}"), *counts]


def _facts(report: ProgressiveReport) -> list[tuple[str, str]]:
    return [
        ("Protocol", f"progressive: {report.rule}"),
        ("Judged", f"from {report.judged_from} on"),
        ("In order of time", "yes"),
        ("Models", "; ".join(f"{name}: {what}" for name, what in report.models.items())),
        ("Seed", f"{report.seed}"),
        ("Intervals", f"percentile bootstrap over users, {report.samples:,} resamples, 95 %"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())),
        ("Took", f"{report.seconds:.1f} s"),
    ]
