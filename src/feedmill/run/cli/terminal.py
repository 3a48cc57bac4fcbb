"""What is printed: results to standard output, words to standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 160


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # Ids and titles are the application's: what looks like markup in them is none.
    return _Console(
        file=stream, width=None if stream.isatty() else _PIPE_WIDTH, markup=False, emoji=False, highlight=False
    )


def output() -> Console:
    """Standard output."""
    return _console(stderr=False)


def notes() -> Console:
    """Standard error."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """One line of JSON on standard output; NaN becomes null."""
    print(msgspec.json.encode(value).decode(), flush=True)


def make_table(*columns: str, numbers: frozenset[str] = frozenset()) -> Table:
    """A table with a head; columns of numbers are set to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def plain(text: str, most: int = 80) -> str:
    """Text of others as one line of so many characters, without control characters, which a terminal would obey.

    >>> plain("red \\x1b[31m alert")
    'red ?[31m alert'
    """
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def number(value: float | None) -> str:
    """Four decimals; a dash where there is no number."""
    return "-" if value is None or value != value else f"{value:.4f}"
