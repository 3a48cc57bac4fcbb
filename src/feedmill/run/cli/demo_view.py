"""What a demonstration leaves on the terminal: how well each policy did, and how old what feeds knew was."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from feedmill.run.cli.terminal import make_table
from feedmill.run.demo.report import Report
from feedmill.run.demo.telling import Ages

STYLES = {"oracle": "yellow", "feedmill": "bold green", "popularity": "cyan", "random": "dim"}
"""From the top."""


def show_report(console: Console, report: Report) -> None:
    """A table of policies, and the rest in words."""
    if not report.feeds:
        console.print("It ended before anybody had seen a feed.")
        return
    columns = ("watched", "likes per 100")
    table = make_table("the last quarter", *columns, numbers=frozenset(columns))
    for name, style in STYLES.items():
        likes = report.likes.get(name)
        table.add_row(
            Text(name, style), _percent(report.engagement.get(name)), "-" if likes is None else f"{100 * likes:.1f}"
        )
    console.print(table)
    console.print()
    console.print(
        f"{report.days:.1f} days of the world in {report.seconds:.0f} s: {report.users:,} users,"
        f" {report.items:,} items, {report.feeds:,} feeds, {report.events:,} events; seed {report.seed}."
    )
    console.print(f"An event is in the feed after {_ages(report.event_to_feed_ms)},")
    console.print(f"and in the parameters after {_ages(report.event_to_model_ms)}.")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _ages(ages: Ages) -> str:
    if ages.p50 is None or ages.p99 is None:
        return "a time that was not measured"
    return f"{ages.p50:,.0f} ms in half of all cases, {ages.p99:,.0f} ms in 99 of 100"
