"""`feedmill segments`: groups of users of one taste."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from feedmill.run.evaluation.segmenting import SegmentsReport


def segments(
    home: HomeOption = DEFAULT_HOME,
    most: Annotated[int, typer.Option("--most", min=2, max=100, help="Segments at most.")] = 12,
    actions: Annotated[
        str | None,
        typer.Option("--actions", metavar="A,B,...", help="Count these actions, whatever their value. Default: likes."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="The HTML file. Default: reports/segments.html.")
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Find groups of users of one taste, and draw a map of users and items.

    A segment keeps its id when segments are found again. Who is in which is in segments.json of the home.
    """
    import msgspec

    from feedmill.learn.segments import SegmentsConfig
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.evaluation.segmenting import segment_home
    from feedmill.run.evaluation.segments_page import segments_page
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.run.report.page import write_page

    named = [action for action in (actions or "").split(",") if action]
    with open_engine(home, settings) as engine, progress(notes(), open_log().info) as said:
        found = segment_home(engine, SegmentsConfig(most=most, seed=seed), actions=named, progress=said)
        path = report or engine.home.reports / "segments.html"
        found = msgspec.structs.replace(found, report=str(path))
        write_page(path, segments_page(found))
    if json:
        print_json(found)
    else:
        _show(found)


def _show(report: SegmentsReport) -> None:
    from feedmill.run.cli.terminal import make_table, output, plain

    console = output()
    chosen = max(report.silhouettes.values())
    console.print(
        f"{report.users:,} users in {len(report.segments)} segments (silhouette {chosen:.2f}); {report.left_out:,} took"
        " to nothing."
    )
    table = make_table("segment", "users", "labels", "items", numbers=frozenset(("segment", "users")))
    for one in report.segments:
        table.add_row(str(one.id), f"{one.users:,}", plain(", ".join(one.labels), 60), plain(", ".join(one.items), 90))
    console.print()
    console.print(table)
    console.print()
    console.print(f"Who is in which is in {report.written}; the report, with a map: {report.report}")
