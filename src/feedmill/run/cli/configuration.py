"""`feedmill config`: what is in force."""

from __future__ import annotations

from typing import Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption


def config(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[SECTION.KEY=VALUE]...", help="As --set: what to override.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print the whole configuration that is in force.

    That is the defaults, under feedmill.toml in the home, under the environment, under the arguments.
    """
    import os

    from feedmill.run.config import load_config
    from feedmill.run.config_layers import dump_json, dump_toml

    found = load_config(
        home / "feedmill.toml", environment=os.environ, arguments=[*(settings or ()), *(overrides or ())]
    )
    print(dump_json(found) if json else dump_toml(found).rstrip())
