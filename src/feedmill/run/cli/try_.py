"""`feedmill try`: one's own file, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.importing import ColumnOption, FileArgument, UnitOption
from feedmill.run.cli.options import JsonOption, SetOption, read_pairs

if TYPE_CHECKING:
    from rich.table import Table

    from feedmill.run.trial_report import TrialReport, UserFeed


def try_(
    file: FileArgument,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="What is known of the items: titles, authors, tags."),
    ] = None,
    column: ColumnOption = None,
    time_unit: UnitOption = None,
    home: Annotated[
        Path | None, typer.Option("--home", metavar="DIR", help="Keep the home there. Default: nothing is kept.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the parameters, and of what is drawn.")] = 0,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Learn from a file of events, and see how good the feed is.

    Feedmill learns the first four fifths, by time, and is judged on the last, beside popularity and three models that
    learn in batch; then it makes a feed for three of the users.
    """
    import tempfile
    from contextlib import nullcontext

    told = {name: field for field, name in read_pairs("--column", column)}

    with nullcontext(str(home)) if home else tempfile.TemporaryDirectory(prefix="feedmill-try-") as place:
        report = _try(file, items, told, time_unit, Path(place), seed, settings or [])
    if json:
        from feedmill.run.cli.terminal import print_json

        print_json(report)
    else:
        _show(report, home)


def _try(
    file: Path,
    items: Path | None,
    told: dict[str, str],
    time_unit: str | None,
    place: Path,
    seed: int,
    settings: list[str],
) -> TrialReport:
    from feedmill.domain.clock import SystemClock
    from feedmill.domain.errors import InvalidArgument
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes
    from feedmill.run.home import Home
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.run.trial import Stopped, TrialFile, prepare, run_trial
    from feedmill.stream.importing.tabular import TabularSource

    log, clock = open_log(), SystemClock()
    try:
        events = TabularSource(file, "events", clock, told, time_unit)
    except InvalidArgument as error:
        raise InvalidArgument(f"{file}: {error} (on the command line: --column FIELD=NAME)") from None
    try:
        described = None if items is None else TabularSource(items, "items", clock)
    except InvalidArgument as error:
        raise InvalidArgument(f"{items}: {error}; rename the column") from None
    log.info("columns", fields=", ".join(f"{field}={column}" for column, field in events.mapping.items()))
    trial = TrialFile(file.name, events, described)
    with progress(notes(), log.info) as report:
        imported = prepare(Home(place, clock=clock), trial, clock, report)
        with open_engine(place, [f"training.seed={seed}", *settings]) as engine, StopFlag() as stopped:
            try:
                return run_trial(engine, trial, imported, report, lambda: bool(stopped), seed)
            except Stopped:
                raise Interrupted("stopped before anything could be said") from None


def _show(report: TrialReport, home: Path | None) -> None:
    from feedmill.run.cli.terminal import make_table, number, output

    console = output()
    since = f", from {report.split} on" if report.split else ""
    console.print(
        f"{report.events:,} events of {report.users:,} users and {report.items:,} items: {report.trained:,} to learn"
        f" from, {report.tested:,} to be judged on{since}."
    )
    for note in report.notes:
        console.print(note)
    if report.as_it_goes is not None or report.at_the_split is not None:
        console.print()
        console.print(_ranking_table(report))
    if report.objectives:
        columns = ("rows", "followed by it", "AUC", "log loss")
        table = make_table("predicting", "", *columns, numbers=frozenset(columns))
        for name, compared in report.objectives.items():
            for who, metrics in (
                ("feedmill", compared.feedmill),
                (f"popularity, {compared.popularity_kind}", compared.popularity),
            ):
                table.add_row(
                    name,
                    who,
                    f"{metrics.rows:,}",
                    f"{metrics.positives:,}",
                    number(metrics.auc),
                    number(metrics.log_loss),
                )
                name = ""
        console.print()
        console.print(table)
    console.print()
    for sentence in report.verdict:
        console.print(sentence)
    for feed in report.feeds:
        console.print()
        _show_feed(feed)
    console.print()
    console.print(f"In {report.seconds:.0f} seconds.")
    if home is not None:
        console.print(f"The home is kept. Next: feedmill train --home {home}")


def _ranking_table(report: TrialReport) -> Table:
    from feedmill.run.cli.terminal import make_table, number

    columns = ("lists", "users", "hit rate@10", "NDCG@10")
    table = make_table("lists of ten", "", *columns, numbers=frozenset(columns))
    for name, compared in (("as it goes", report.as_it_goes), ("at the split", report.at_the_split)):
        if compared is None:
            continue
        lists = f"{compared.asked:,}" if compared.asked == compared.of else f"{compared.asked:,} of {compared.of:,}"
        for who, score in (
            ("feedmill", compared.feedmill),
            (f"popularity, {compared.popularity_kind}", compared.popularity),
            *compared.others.items(),
        ):
            table.add_row(name, who, lists, f"{compared.users:,}", number(score.hit_rate), number(score.ndcg))
            name = lists = ""
    return table


def _show_feed(feed: UserFeed) -> None:
    from feedmill.run.cli.terminal import make_table, output, plain

    console = output()
    console.print(f"A feed for {plain(feed.user_id)}, {feed.who} ({feed.events:,} events)")
    if feed.liked:
        console.print(f"  liked last: {'; '.join(map(plain, feed.liked))}")
    table = make_table("", "title", "why", numbers=frozenset([""]))
    for position, item in enumerate(feed.items, 1):
        table.add_row(str(position), plain(item.title), plain(item.why))
    console.print(table)
