"""`feedmill status`: how a home is, and what Feedmill is worth there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from feedmill.run.local.overview import Overview


def status(home: HomeOption = DEFAULT_HOME, settings: SetOption = None, json: JsonOption = False) -> None:
    """Say how far a home has come, whether it is served, and what Feedmill is worth against the holdout.

    Only reads, so it may be asked while the home is served.
    """
    import os

    import msgspec

    from feedmill.domain.clock import SystemClock
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.config import load_config
    from feedmill.run.home import Home
    from feedmill.run.local.overview import look_at
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress

    opened = Home(home, create=False)
    config = load_config(opened.config, environment=os.environ, arguments=settings or [])
    with progress(notes(), open_log().info) as report:
        overview = look_at(
            opened, config, SystemClock(), lambda position, end: report("counting what users did", position, end)
        )
    if json:
        print_json(msgspec.to_builtins(overview))
        return
    _show(overview)


def _show(overview: Overview) -> None:
    from feedmill.run.cli.terminal import output

    console = output()
    console.print(
        f"{overview.records:,} records; {overview.items:,} items and {overview.users:,} users with a description"
    )
    if overview.server is None:
        console.print("Not served at the moment: `feedmill serve` does.")
    else:
        console.print(f"Served at {overview.server.url} (process {overview.server.pid}).")
    if overview.parameters is None:
        console.print("No trainer has learned from it yet.")
    else:
        behind = overview.records - overview.parameters.position
        age = "" if overview.parameters.age_seconds is None else f", {overview.parameters.age_seconds:,.0f} s ago"
        console.print(
            f"Learned: {overview.parameters.step:,} steps{age}, "
            + (f"{behind:,} records behind the log." if behind > 0 else "all that the log holds.")
        )
        if overview.parameters.held is not None:
            console.print(f"{overview.parameters.held.sentence}. `feedmill rollback` goes back to an earlier version.")
    if overview.set_aside:
        steps = "step was" if overview.set_aside == 1 else "steps were"
        console.print(f"{overview.set_aside:,} {steps} set aside, not learned: set-aside.jsonl in the home says why.")
    console.print(overview.worth.sentence)
