"""The edge of the program: every expected error becomes one line on standard error and an exit code.

    0 done    1 an error    2 wrong usage    130 interrupted    141 nobody reads the output any more

With `--json` the last line of standard output then is `{"error": {"type": ..., "message": ...}}`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from feedmill.domain.errors import FeedmillError, InvalidRecord

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
UNREAD = 141
"""What a program exits with that SIGPIPE has ended."""


class Interrupted(Exception):
    """The user stopped a command; the message says how to go on."""


class Boundary(TyperGroup):
    """The group of all commands."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in words
        try:
            code = super().main(words, prog_name or "feedmill", complete_var, False, windows_expand_args, **extra)
        except FeedmillError as error:
            field = {"field": error.field} if isinstance(error, InvalidRecord) else {}
            _end(FAILED, type(error).__name__, str(error), as_json, field)
        except Interrupted as error:
            _end(INTERRUPTED, "Interrupted", str(error), as_json)
        except TyperException as error:
            _misused(error, as_json and bool(words))
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise Interrupted("interrupted; what was acknowledged is kept, and the same command goes on") from None
        except BrokenPipeError:
            # Or Python would complain at the end that it cannot flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(UNREAD) from None
        return result


def _misused(error: TyperException, as_json: bool) -> NoReturn:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        sys.exit(MISUSED)
    path = context.command_path if context is not None else "feedmill"
    message = error.format_message().rstrip(".")
    _end(MISUSED, "UsageError", f"{message}; see `{path} --help`", as_json)


def _end(code: int, kind: str, message: str, as_json: bool, more: dict[str, str] | None = None) -> NoReturn:
    line = " ".join(message.split())
    try:
        print(f"feedmill: {line}", file=sys.stderr)
        if as_json:
            from feedmill.run.cli.terminal import print_json

            print_json({"error": {"type": kind, "message": line, **(more or {})}})
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
