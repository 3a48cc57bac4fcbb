"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_HOME = Path("feedmill-home")

HomeOption = Annotated[
    Path, typer.Option("--home", metavar="DIR", envvar="FEEDMILL_HOME", help="The home: where everything is kept.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override the configuration; may be repeated."),
]


def read_moment(option: str, text: str | None) -> int | None:
    """A moment in ISO 8601 (UTC where it names no zone) as UTC milliseconds; a usage error where it is none."""
    if text is None:
        return None
    from feedmill.domain.errors import InvalidRecord
    from feedmill.stream.validation import read_time

    try:
        return read_time(option, text)
    except InvalidRecord as error:
        raise typer.BadParameter(error.problem, param_hint=option) from None


def read_pairs(option: str, texts: list[str] | None) -> list[tuple[str, str]]:
    """Texts of the form `key=value` as pairs; a usage error where one is not."""
    pairs = []
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise typer.BadParameter(f"{text!r} is not of the form KEY=VALUE", param_hint=option)
        pairs.append((key, value))
    return pairs
