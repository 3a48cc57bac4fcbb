"""`feedmill inspect`: what a home's log is like, and what can be shown on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from feedmill.run.evaluation.inspection import InspectionReport


def inspect(
    home: HomeOption = DEFAULT_HOME,
    actions: Annotated[
        str | None,
        typer.Option("--actions", metavar="A,B,...", help="Count these actions, whatever their value. Default: likes."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random halves that drift is set beside.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="The HTML file. Default: reports/inspect.html.")
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Say what the log of a home is like, and which protocols it can bear.

    Rows, density, long tail, repeats, what is missing, users that look like machines, drift. Only reads the log.
    """
    import msgspec

    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.evaluation.inspection import inspect_home
    from feedmill.run.evaluation.inspection_page import inspection_page
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.run.report.page import write_page

    named = tuple(action for action in (actions or "").split(",") if action)
    with open_engine(home, settings) as engine, progress(notes(), open_log().info) as said:
        found = inspect_home(engine, actions=named, seed=seed, progress=said)
        path = report or engine.home.reports / "inspect.html"
        found = msgspec.structs.replace(found, report=str(path))
        write_page(path, inspection_page(found))
    if json:
        print_json(found)
    else:
        _show(found)


def _show(report: InspectionReport) -> None:
    from feedmill.run.cli.terminal import make_table, output, plain

    console, shape = output(), report.interactions or report.events
    console.print(
        f"{report.events.rows:,} events, {shape.rows:,} of them interactions ({report.taken}), from {report.first} to"
        f" {report.last}."
    )
    console.print(
        f"{shape.users:,} users and {shape.items:,} items; {shape.density:.3%} of all pairs; a tenth of the items has"
        f" {shape.head['10%']:.0%}; {shape.repeats / max(shape.rows, 1):.1%} of the rows repeat a pair."
    )
    table = make_table("protocol", "users", "asked for", "", numbers=frozenset(("users", "asked for")))
    for one in report.protocols:
        table.add_row(one.protocol, f"{one.users:,}", f"{one.test:,}", plain(one.why, 200))
    console.print()
    console.print(table)
    console.print()
    for suspect in report.suspects[:5]:
        console.print(
            f"Looks like a machine: {plain(suspect.user_id, 40)} ({suspect.events:,} events; {suspect.sign})."
        )
    for finding in report.findings:
        console.print(plain(finding, 400))
    console.print(f"The report, with plots: {report.report}")
