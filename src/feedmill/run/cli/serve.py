"""`feedmill serve`: a server and a trainer over one home."""

from __future__ import annotations

from typing import Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption


def serve(
    home: HomeOption = DEFAULT_HOME,
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Where to listen. Other than loopback needs FEEDMILL_API_KEY."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Serve feeds over HTTP, and learn from what users do.

    Makes the home where there is none. Runs until Ctrl-C: a server, which takes events and answers feeds, and a trainer
    beside it; what dies is started again. With FEEDMILL_API_KEY set, requests must carry the key.
    """
    from feedmill.run.local.serving import serve_home
    from feedmill.run.logs import open_log

    raise typer.Exit(serve_home(home, host, port, settings or [], as_json=json, log=open_log()))
