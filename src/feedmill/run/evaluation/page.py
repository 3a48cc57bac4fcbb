"""The report of an evaluation as one HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from feedmill.measure.evaluation.comparison import MAIN, POPULARITY, ModelResult
from feedmill.measure.metrics import Interval
from feedmill.run.evaluation.pairs import pairs_table
from feedmill.run.evaluation.report import EvaluationReport
from feedmill.run.report.page import command, facts, notes, page, section, table, tiles
from feedmill.run.report.plots import Mark, intervals, shares

_METRICS = {
    "hit_rate": ("Hit rate", "The share of users whose list holds something that they took to."),
    "recall": ("Recall", "How much of what a user took to stands in the list."),
    "precision": ("Precision", "How much of the list a user took to."),
    "map": ("MAP", "Mean average precision: hits count more the higher they stand."),
    "mrr": ("MRR", "One over the place of the first hit."),
    "novelty": ("Novelty", "In bits: how few users had met what is shown."),
    "diversity": ("Diversity", "How different the items of one list are, by who took to them."),
    "serendipity": ("Serendipity", "Hits that popularity would not have shown."),
}
_FEW = 0.05


def evaluation_page(report: EvaluationReport) -> str:
    """The whole file."""
    found = report.evaluation
    best = found.models[0]
    sections = [
        section("", "", tiles(_numbers(report)), notes(report.notes), wide=True),
        section(
            f"NDCG@{found.k}",
            "The higher what users took to stands in their lists of the full catalogue. Bars are 95 % intervals from"
            " resampling users.",
            intervals(_marks(found.models, MAIN, best)),
            wide=True,
        ),
    ]
    for metric, (title, about) in _METRICS.items():
        small = max(result.metrics[metric].estimate for result in found.models) < _FEW
        sections.append(section(title, about, intervals(_marks(found.models, metric, best), digits=4 if small else 3)))
    sections += [
        section(
            "Pairs",
            "Whether one is ahead of the other, by NDCG. p is of a randomisation test over users, corrected for the"
            " number of pairs (Holm); below .05 it is not chance.",
            pairs_table(found.differences),
            wide=True,
        ),
    ]
    by_creator = bool(best.by_creator)
    if best.by_popularity:
        sections.append(
            section(
                "What is shown",
                "The share of attention that goes to the most popular items which hold half of all interactions (head),"
                " to the last tenth (tail) and to what lies between; beside what users took to.",
                shares(_exposure(found.models), POPULARITY),
                _groups(found.models),
                wide=not by_creator,
            )
        )
    if by_creator:
        sections.append(
            section(
                "Whose work is shown",
                "The same of items by how many took to anything of their creator.",
                shares(_exposure(found.models, creators=True), POPULARITY),
                _groups(found.models, creators=True),
                wide=not best.by_popularity,
            )
        )
    sections += [
        section(
            "For whom",
            "NDCG of users by how much is known of them, in thirds; users of whom as much is known share one.",
            *_activity(found.models),
            wide=True,
        ),
        section(
            "Catalogue and time",
            "Coverage is the share of the catalogue in at least one list; Gini is 0 where all items get as much place."
            " Their intervals are from leaving out one user at a time.",
            table(
                ("model", "coverage", "Gini", "learning", "all lists"),
                [
                    (
                        result.name, _percents(result.coverage), _within(result.gini), f"{result.fit_seconds:.2f} s",
                        f"{result.recommend_seconds:.2f} s",
                    )
                    for result in found.models
                ],
            ),
            wide=True,
        ),
        section("How it was measured", "", facts(_facts(report)), command(report.command), wide=True),
    ]  # fmt: skip
    title = f"{best.name} leads" if len(found.models) > 1 else best.name
    kicker = f"Evaluation of {report.home} · {found.protocol}"
    return page(title, kicker, [report.summary], sections)


def _numbers(report: EvaluationReport) -> list[tuple[str, str]]:
    found = report.evaluation
    return [
        ("users asked for", f"{found.users:,}"),
        ("items to rank", f"{found.items:,}"),
        ("interactions learned from", f"{found.train:,}"),
        ("interactions asked for", f"{found.test:,}"),
        ("models", f"{len(found.models)}"),
    ]


def _marks(models: list[ModelResult], metric: str, best: ModelResult) -> list[Mark]:
    return [_mark(result.name, result.metrics[metric], strong=result is best) for result in models]


def _mark(label: str, value: Interval, *, strong: bool = False) -> Mark:
    return Mark(label, value.estimate, value.low, value.high, strong)


def _exposure(models: list[ModelResult], *, creators: bool = False) -> list[tuple[str, list[float]]]:
    rows: list[tuple[str, list[float]]] = []
    for result in models:
        groups = result.by_creator if creators else result.by_popularity
        if not rows:
            rows.append(("what users took to", [groups[name].demand.estimate for name in POPULARITY]))
        exposure = [groups[name].exposure.estimate for name in POPULARITY]
        rows.append((result.name, [0.0 if math.isnan(value) else value for value in exposure]))
    return rows


def _groups(models: list[ModelResult], *, creators: bool = False) -> str:
    """The same as numbers with intervals, and how much of what users took to was found."""
    found = [(result.name, result.by_creator if creators else result.by_popularity) for result in models]
    demand = ("what users took to", *(_percents(found[0][1][name].demand) for name in POPULARITY), *["–"] * 3)
    rows = [
        (
            model, *(_percents(groups[name].exposure) for name in POPULARITY),
            *(_percents(groups[name].found) for name in POPULARITY),
        )
        for model, groups in found
    ]  # fmt: skip
    head = ("", *(f"shown, {name}" for name in POPULARITY), *(f"found, {name}" for name in POPULARITY))
    about = "With 95 % intervals. Found is how much of what users took to of a group stood in their lists."
    return f'<p class="about">{about}</p>{table(head, [demand, *rows])}'


def _activity(models: list[ModelResult]) -> list[str]:
    groups = list(models[0].by_activity)
    parts = []
    for group in groups:
        marks = [_mark(result.name, result.by_activity[group], strong=result is models[0]) for result in models]
        if not all(math.isnan(mark.estimate) for mark in marks):
            parts.append(f"<h3>{group.capitalize()}</h3>{intervals(marks)}")
    return parts


def _percents(value: Interval) -> str:
    if math.isnan(value.estimate):
        return "–"
    bounds = "" if math.isnan(value.low) else f" ({100 * value.low:.1f} to {100 * value.high:.1f})"
    return f"{value.estimate:.1%}{bounds}"


def _within(value: Interval) -> str:
    if math.isnan(value.estimate):
        return "–"
    bounds = "" if math.isnan(value.low) else f" ({value.low:.3f} to {value.high:.3f})"
    return f"{value.estimate:.3f}{bounds}"


def _facts(report: EvaluationReport) -> list[tuple[str, str]]:
    found = report.evaluation
    left_out = "; ".join(f"{count:,}: {rule}" for rule, count in found.left_out.items()) or "nothing"
    settings = _settings(report.settings)
    models = "; ".join(
        f"{name} ({_settings(values) or 'no settings'})" for name, values in report.model_settings.items()
    )
    return [
        ("Protocol", f"{found.protocol}: {found.rule}" + (f" ({settings})" if settings else "")),
        ("Split", ", ".join(found.splits)),
        ("In order of time", "yes" if found.respects_time else "no"),
        ("What counts", f"{report.taken}: {report.interactions:,} of {report.events:,} events and impressions"),
        ("Catalogue", "every item of the training part that the user has not met; nothing is sampled"),
        ("Left out", left_out),
        ("Models", models or "the engine, as the home configures it"),
        ("Seed", f"{found.seed}"),
        (
            "Intervals",
            f"percentile bootstrap over users, {found.samples:,} resamples, 95 %; of coverage and Gini a jackknife",
        ),
        ("Versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())),
        ("Took", f"{report.seconds:.1f} s"),
    ]


def _settings(values: Mapping[str, Any]) -> str:
    """Those that are set, in words."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, {}))
