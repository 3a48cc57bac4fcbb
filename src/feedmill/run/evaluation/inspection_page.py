"""The report of an inspection as one HTML file."""

from __future__ import annotations

import math

from feedmill.domain.clock import format_time
from feedmill.measure.inspection.shape import Shape, Spread
from feedmill.run.evaluation.inspection import InspectionReport
from feedmill.run.report.page import command, facts, notes, page, section, table, tiles
from feedmill.run.report.plots import Mark, columns, curve, intervals


def inspection_page(report: InspectionReport) -> str:
    """The whole file."""
    shape = report.interactions or report.events
    sections = [
        section("", "", tiles(_numbers(report, shape)), notes(report.findings[1:]), wide=True),
        section("Over time", f"Events from {report.first} to {report.last}.", _over_time(report), wide=True),
        section(
            "The long tail",
            "The share of interactions that the most popular items have; the dashed line is where all have as many."
            f" Gini {shape.gini:.2f}.",
            curve(
                shape.concentration, x_label="of the items, most popular first", y_label="share of interactions",
                spoken=f"the most popular tenth of the items has {shape.head['10%']:.0%} of the interactions",
            ),
        ),
        section(
            "Hours of a day", "Events by the hour, UTC.",
            columns(
                report.activity.by_hour, [f"{hour:02}:00" for hour in range(24)], spoken="events by the hour of the day"
            ),
        ),
        section(
            "How much of each",
            "Interactions of a user, and of an item.",
            table(
                ("", "median", "mean", "9 of 10 have at most", "most", "have one only"),
                [_spread("users", shape.by_user), _spread("items", shape.by_item)],
            ),
            wide=True,
        ),
        section(
            "What it can show",
            "Each protocol tried on the log itself, with its default settings.",
            table(
                ("protocol", "", "users asked for", "interactions asked for"),
                [(one.protocol, one.why, f"{one.users:,}", f"{one.test:,}") for one in report.protocols],
                first=2,
            ),
            wide=True,
        ),
        section("What happens", "How often each action occurs.", _actions(report)),
        section("What is missing", "The share of described items that lack it.", _missing(report)),
    ]  # fmt: skip
    if report.drift is not None:
        sections.append(
            section(
                "Drift", "The second half, by time, beside the first.", facts(_drift(report)), wide=not report.suspects
            )
        )
    if report.suspects:
        sections.append(
            section(
                "Who looks like a machine",
                f"{report.machines:,} in all, with {report.machine_events:.1%} of the events; the busiest of them."
                " Signs, no proof.",
                table(
                    ("user", "sign", "events"),
                    [(one.user_id[:40], one.sign, f"{one.events:,}") for one in report.suspects],
                    first=2,
                ),
            )
        )
    sections.append(section("How it was looked at", "", facts(_facts(report)), command(report.command), wide=True))
    title = f"{report.events.rows:,} events of {report.events.users:,} users"
    return page(title, f"Inspection of {report.home}", report.findings[:1], sections)


def _numbers(report: InspectionReport, shape: Shape) -> list[tuple[str, str]]:
    return [
        ("events", f"{report.events.rows:,}"),
        ("interactions", f"{shape.rows:,}"),
        ("users", f"{shape.users:,}"),
        ("items", f"{shape.items:,}"),
        ("of all pairs occur", f"{shape.density:.3%}"),
        ("days", f"{report.days:,.1f}"),
        ("repeat a pair", f"{shape.repeats / max(shape.rows, 1):.1%}"),
        ("look like machines", f"{report.machines:,}"),
    ]


def _over_time(report: InspectionReport) -> str:
    days = [format_time(start)[: 10 if report.days > 3 else 16].replace("T", " ") for start in report.activity.starts]
    middle = -1 if report.drift is None else report.drift.middle
    later = frozenset(
        i for i, start in enumerate(report.activity.starts) if report.drift is not None and start >= middle
    )
    return columns(report.activity.events, days, spoken="events over time", marked=later) + (
        '<p class="about">The second half of the interactions is in colour.</p>' if later else ""
    )


def _spread(name: str, spread: Spread) -> tuple[str, ...]:
    return (
        name, f"{spread.median:,.0f}", f"{spread.mean:,.1f}", f"{spread.p90:,.0f}", f"{spread.most:,}",
        f"{spread.one:.0%}",
    )  # fmt: skip


def _actions(report: InspectionReport) -> str:
    rows = list(report.actions.items())[:12]
    return intervals([Mark(name, float(count), 0.0, float(count)) for name, count in rows], digits=0)


def _missing(report: InspectionReport) -> str:
    if not report.missing:
        return '<p class="about">No item is described.</p>'
    rows = list(report.missing.items())[:16]
    return intervals([Mark(name, 100 * share, 0.0, 100 * share) for name, share in rows], digits=0, label="%")


def _drift(report: InspectionReport) -> list[tuple[str, str]]:
    assert report.drift is not None
    drift = report.drift
    pace = "at once" if math.isinf(drift.faster) else f"{drift.faster:.2f} times as many rows a day"
    return [
        ("Distance", f"{drift.distance:.3f}, of 1 at most; {drift.by_chance:.3f} between random halves"),
        ("On new items", f"{drift.new_items:.1%} of the second half"),
        ("By new users", f"{drift.new_users:.1%} of the second half"),
        ("Pace", pace),
        ("The second half begins", format_time(drift.middle)),
    ]


def _facts(report: InspectionReport) -> list[tuple[str, str]]:
    return [
        ("What counts", report.taken),
        ("Described items", f"{report.described_items:,}; {report.unmet_items:,} of them in no event"),
        ("Events without a value", f"{report.without_value:.1%}"),
        ("Rows that stand there twice", f"{report.events.doubled:,}"),
    ]
