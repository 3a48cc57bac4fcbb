"""`feedmill import`: data sets and files into the log of a home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption, read_pairs

if TYPE_CHECKING:
    from feedmill.domain.clock import Clock
    from feedmill.run.config_file import Added
    from feedmill.stream.importing.columns import Subject
    from feedmill.stream.importing.result import ImportResult
    from feedmill.stream.importing.source import Source

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Bring a data set or a file into the log. Run again, or after an interruption, it doubles nothing.",
)

RejectsOption = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Where rows go that cannot be read. Default: rejects/ in the home."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=NAME", help="Which column holds a field, where the guess is wrong."),
]
UnitOption = Annotated[
    Literal["s", "ms", "us", "ns", "date", "iso"] | None,
    typer.Option("--time-unit", help="How times are written, where the guess is wrong."),
]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the published files.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON Lines or Parquet; gzip too.")]


@app.command()
def kuairand(
    folder: FolderArgument,
    home: HomeOption = DEFAULT_HOME,
    rejects: RejectsOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """KuaiRand: impressions of a short-video app, as published."""
    from feedmill.stream.importing.kuairand import KuaiRandSource

    _import(lambda clock: KuaiRandSource(folder, clock), "kuairand", home, rejects, settings, json)


@app.command()
def movielens(
    folder: FolderArgument,
    home: HomeOption = DEFAULT_HOME,
    rejects: RejectsOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """MovieLens: ratings and tags of films, in the layouts of latest-small, 1M, 10M, 20M, 25M and 32M."""
    from feedmill.stream.importing.movielens import MovieLensSource

    _import(lambda clock: MovieLensSource(folder, clock), "movielens", home, rejects, settings, json)


@app.command()
def events(
    file: FileArgument,
    home: HomeOption = DEFAULT_HOME,
    column: ColumnOption = None,
    time_unit: UnitOption = None,
    rejects: RejectsOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What users did: at least a user and an item a row; better an action, a value and a time too."""
    _import_table(file, "events", home, column, time_unit, rejects, settings, json)


@app.command()
def items(
    file: FileArgument,
    home: HomeOption = DEFAULT_HOME,
    column: ColumnOption = None,
    time_unit: UnitOption = None,
    rejects: RejectsOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What is known of items: titles, authors, tags, anything else as attributes."""
    _import_table(file, "items", home, column, time_unit, rejects, settings, json)


@app.command()
def users(
    file: FileArgument,
    home: HomeOption = DEFAULT_HOME,
    column: ColumnOption = None,
    time_unit: UnitOption = None,
    rejects: RejectsOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What is known of users: interests, anything else as attributes."""
    _import_table(file, "users", home, column, time_unit, rejects, settings, json)


def _import_table(
    file: Path,
    subject: Subject,
    home: Path,
    column: list[str] | None,
    time_unit: str | None,
    rejects: Path | None,
    settings: list[str] | None,
    as_json: bool,
) -> None:
    from feedmill.domain.errors import InvalidArgument
    from feedmill.stream.importing.tabular import TabularSource

    told = {name: field for field, name in read_pairs("--column", column)}

    def open_source(clock: Clock) -> Source:
        try:
            return TabularSource(file, subject, clock, told, time_unit)
        except InvalidArgument as error:
            raise InvalidArgument(f"{file}: {error}: --column FIELD=NAME") from None

    _import(open_source, file.name, home, rejects, settings, as_json, events_alone=subject == "events")


def _import(
    open_source: Callable[[Clock], Source],
    name: str,
    home: Path,
    rejects: Path | None,
    settings: list[str] | None,
    as_json: bool,
    *,
    events_alone: bool = False,
) -> None:
    import os

    import msgspec

    from feedmill.domain.clock import SystemClock
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.config import load_config
    from feedmill.run.config_file import add_proposal, named_actions
    from feedmill.run.home import Home
    from feedmill.run.ingesting import open_entrance
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.stream.files import storage_errors
    from feedmill.stream.importing.bare_items import WithBareItems, describes_nothing
    from feedmill.stream.importing.proposals import Proposal
    from feedmill.stream.importing.runner import run_import

    log, console, clock = open_log(), notes(), SystemClock()
    # Before the home is made: a file that cannot be read leaves nothing behind.
    source = open_source(clock)
    place = Home(home, clock=clock)
    config = load_config(place.config, environment=os.environ, arguments=settings or ())
    if rejects is None:
        rejects = place.path / "rejects" / f"{name}.jsonl"
        with storage_errors(rejects):
            rejects.unlink(missing_ok=True)
    _show_columns(console, log, source)
    with open_entrance(place, clock) as entrance, progress(console, log.info) as report:
        bare = events_alone and describes_nothing(entrance.catalog)
        result = run_import(
            WithBareItems(source) if bare else source,
            entrance.ingest,
            clock,
            known=named_actions(place.config, config),
            rejects=rejects,
            progress=report,
            work_dir=place.path,
        )
        added = add_proposal(place.config, Proposal(result.actions, result.objectives, result.features), name)
    log.info("imported", file=name, accepted=result.accepted, rejected=result.rejected, seconds=result.seconds)
    if as_json:
        print_json({**msgspec.to_builtins(result), "home": str(home), "configuration": msgspec.to_builtins(added)})
    else:
        _show(result, added, home, bare)


def _show_columns(console: Any, log: Any, source: Source) -> None:
    """Which column was taken for which field."""
    from feedmill.run.cli.terminal import make_table, plain

    if not source.mapping:
        return
    unit = f" ({source.timestamp_unit})" if source.timestamp_unit else ""
    pairs = [
        (plain(column), f"{field}{unit}" if field == "timestamp" else field) for column, field in source.mapping.items()
    ]
    if not console.is_terminal:
        log.info("columns", fields=", ".join(f"{field}={column}" for column, field in pairs))
        return
    table = make_table("column", "is read as")
    for column, field in pairs:
        table.add_row(column, field)
    console.print(table, "")


def _show(result: ImportResult, added: Added, home: Path, bare: bool) -> None:
    """The result in words."""
    from feedmill.domain.clock import format_time
    from feedmill.run.cli.terminal import make_table, output

    console = output()
    outcomes = ("read", "accepted", "duplicates", "unchanged", "rejected")
    table = make_table("", *outcomes, numbers=frozenset(outcomes))
    for name, counts in (("rows", result), ("users", result.users), ("items", result.items), ("tags", result.tags)):
        if counts.read:
            table.add_row(name, *(f"{getattr(counts, outcome):,}" for outcome in outcomes))
    console.print(table)
    if result.first_timestamp is not None and result.last_timestamp is not None:
        console.print(f"from {format_time(result.first_timestamp)} to {format_time(result.last_timestamp)}")
    if result.unrecognisable:
        console.print(
            f"{result.unrecognisable:,} events have neither an id nor a timestamp: they cannot be recognised again,"
            " and this file, imported once more, adds them once more."
        )
    if bare and result.items.accepted:
        console.print("The items are known by their ids alone; `feedmill import items FILE` says more of them.")
    if result.rejects:
        console.print(f"The rejected rows, each with its line and the reason, are in {result.rejects}")
    if added:
        console.print(f"Added to {added.file}:")
        for section in ("actions", "objectives", "features"):
            if names := getattr(added, section):
                console.print(f"  {section}: {', '.join(names)}")
    if added.by_hand:
        console.print(f"Not added to {added.file}, which is written in another way; add by hand:\n{added.by_hand}")
    console.print(f"Next: feedmill train --home {home}")
