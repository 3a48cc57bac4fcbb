"""The command line. Each command is a file; what it needs is imported when it runs, so that `--help` answers at once.

options.py     what several commands take
boundary.py    errors become one line and an exit code
terminal.py    what is printed: tables, JSON, words on standard error
opening.py     a home is opened
stopping.py    Ctrl-C stops between two steps

The commands: demo.py try_.py importing.py train.py examples.py replay.py inspect.py evaluate.py tune.py fit.py
segments.py recommend.py serve.py status.py versions.py configuration.py
"""

from __future__ import annotations

from typing import Annotated

import typer

from feedmill.run.cli import (
    configuration,
    demo,
    evaluate,
    examples,
    fit,
    importing,
    inspect,
    recommend,
    replay,
    segments,
    serve,
    status,
    train,
    try_,
    tune,
    versions,
)
from feedmill.run.cli.boundary import Boundary

app = typer.Typer(
    cls=Boundary,
    name="feedmill",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command("try")(try_.try_)
app.add_typer(importing.app, name="import")
app.command()(train.train)
app.command()(examples.examples)
app.command()(replay.replay)
app.command()(inspect.inspect)
app.command()(evaluate.evaluate)
app.command()(tune.tune)
app.command()(fit.fit)
app.command()(segments.segments)
app.command()(recommend.recommend)
app.command()(serve.serve)
app.command()(status.status)
app.command()(versions.versions)
app.command()(versions.rollback)
app.command()(configuration.config)


def _version(asked: bool) -> None:
    if asked:
        from feedmill import __version__

        typer.echo(f"feedmill {__version__}")
        raise typer.Exit


@app.callback()
def _feedmill(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Feedmill: a recommendation engine that learns while it serves."""


def main() -> None:
    """The `feedmill` command."""
    app()
