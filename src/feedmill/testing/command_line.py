"""The command line, run in this process or as one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from feedmill.run import cli

COMMAND = Path(sys.executable).with_name("feedmill")
"""The installed command."""

_UNSET = ("FEEDMILL_HOME", "FEEDMILL_LOG")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.stdout.splitlines()[-1])


def run_here(*words: object, **environment: str) -> Answer:
    """Run a command in this process. Raises what the command raises, where it is none of the expected errors."""
    settings: dict[str, str | None] = {**dict.fromkeys(_UNSET), **environment}
    result = CliRunner().invoke(cli.app, [str(word) for word in words], env=settings)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def run_process(*words: object, **environment: str) -> Answer:
    """Run the installed command."""
    settings = {name: value for name, value in os.environ.items() if name not in _UNSET}
    done = subprocess.run(
        [COMMAND, *map(str, words)], env={**settings, **environment}, capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)
