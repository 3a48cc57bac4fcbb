"""`feedmill versions` and `feedmill rollback`: parameters that were kept, and going back to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

    from feedmill.run.local.versions import Version


def versions(home: HomeOption = DEFAULT_HOME, settings: SetOption = None, json: JsonOption = False) -> None:
    """List the versions of the parameters that can be gone back to, and how well each predicted.

    Only reads, so it may be asked while the home is served.
    """
    import os

    import msgspec

    from feedmill.run.cli.terminal import output, print_json
    from feedmill.run.config import load_config
    from feedmill.run.home import Home
    from feedmill.run.local.versions import list_versions

    opened = Home(home, create=False)
    config = load_config(opened.config, environment=os.environ, arguments=settings or [])
    found = list_versions(opened, config)
    if json:
        print_json({"versions": msgspec.to_builtins(found)})
    elif found:
        output().print(_table(found))
    else:
        output().print("There are no versions yet: the trainer keeps one now and then, and where it is stopped.")


def rollback(
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="One that `feedmill versions` lists.")],
    home: HomeOption = DEFAULT_HOME,
    relearn: Annotated[
        bool, typer.Option("--relearn", help="Learn the log again from there on, instead of leaving it out.")
    ] = False,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Go back to the parameters of an earlier version, in a home that is served or not.

    What was learned since is not learned again, but histories and counters keep it. Later versions are removed.
    """
    import msgspec

    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.terminal import output, print_json
    from feedmill.run.local.rollback import roll_back

    with open_engine(home, settings) as engine:
        done = roll_back(engine, to, relearn=relearn)
    if json:
        print_json(msgspec.to_builtins(done))
        return
    output().print(
        f"Back at the parameters of version {done.to}, as version {done.version};"
        f" the log is learned on from position {done.position:,}."
    )


def _table(found: list[Version]) -> Table:
    from feedmill.domain.clock import format_time
    from feedmill.run.cli.terminal import make_table, number, plain

    names = list(dict.fromkeys(name for version in found for name in version.objectives))
    columns = ["position", *(f"{name} {what}" for name in names for what in ("AUC", "calibration"))]
    table = make_table("version", "received until", *columns, "", numbers=frozenset(["version", *columns]))
    for version in found:
        measured = []
        for name in names:
            quality = version.objectives.get(name)
            values = (None, None) if quality is None else (quality.auc, quality.calibration)
            measured += [number(value) for value in values]
        received = "" if version.received is None else format_time(version.received)
        held = plain("held back" if version.held else "")
        table.add_row(str(version.version), received, f"{version.position:,}", *measured, held)
    return table
