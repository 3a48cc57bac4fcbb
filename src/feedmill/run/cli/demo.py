"""`feedmill demo`: a small world whose people live with Feedmill, and a page that shows it learn."""

from __future__ import annotations

from typing import Annotated

import typer

from feedmill.run.cli.options import JsonOption


def demo(
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=1.0, metavar="SECONDS", help="End so long after the world has begun."),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the world and of the initial parameters.")] = 0,
    users: Annotated[int, typer.Option("--users", min=1, max=5_000, help="How many people live in the world.")] = 600,
    day_seconds: Annotated[
        float,
        typer.Option("--day-seconds", min=10.0, max=86_400.0, help="How long a day of the world takes."),
    ] = 60.0,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where the page is to be had; others may use it.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Of the page; 0 takes a free one. [default: from 8080 on]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a world of short videos in which the feed gets better, on a page in the browser.

    Some hundred people whose tastes are hidden, and drift, live with Feedmill, a day in a minute; beside them the same
    people live with popularity, with chance, and with an oracle that knows what is hidden. On the page you are one more
    of them. Needs no home and leaves nothing behind. Runs until Ctrl-C.
    """
    import msgspec

    from feedmill.run.cli.demo_view import show_report
    from feedmill.run.cli.terminal import output, print_json
    from feedmill.run.demo.launch import demonstrate
    from feedmill.run.demo.setting import Setting
    from feedmill.run.logs import open_log

    setting = Setting(seed=seed, users=users, day_seconds=day_seconds, seconds=seconds)
    report = demonstrate(setting, host=host, port=port, headless=headless, log=open_log())
    if json:
        print_json(msgspec.to_builtins(report))
    else:
        show_report(output(), report)
