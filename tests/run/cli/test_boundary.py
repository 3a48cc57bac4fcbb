"""Errors are one line and an exit code; with --json they are an object too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from feedmill import __version__
from feedmill.domain.errors import ConfigError, InvalidRecord
from feedmill.run.cli.boundary import Boundary, Interrupted
from feedmill.testing.command_line import COMMAND

app = typer.Typer(cls=Boundary, name="feedmill", pretty_exceptions_enable=False)
JsonOption = Annotated[bool, typer.Option("--json")]
ERRORS = {
    "config": ConfigError("a key\nis wrong"),
    "record": InvalidRecord("user_id", "must be a string"),
    "stopped": Interrupted("stopped; run it again"),
    "keyboard": KeyboardInterrupt(),
}


@app.command()
def fail(kind: str, json: JsonOption = False) -> None:
    raise ERRORS[kind]


@app.command()
def succeed(json: JsonOption = False) -> None:
    print("done")


@pytest.mark.parametrize(
    ("words", "code", "line", "error"),
    [
        ("fail config", 1, "a key is wrong", {"type": "ConfigError"}),
        ("fail record", 1, "user_id: must be a string", {"type": "InvalidRecord", "field": "user_id"}),
        ("fail stopped", 130, "stopped; run it again", {"type": "Interrupted"}),
        (
            "fail keyboard",
            130,
            "interrupted; what was acknowledged is kept, and the same command goes on",
            {"type": "Interrupted"},
        ),
        ("fail", 2, "Missing argument 'kind'; see `feedmill fail --help`", {"type": "UsageError"}),
        ("nothing", 2, "No such command 'nothing'; see `feedmill --help`", {"type": "UsageError"}),
        ("succeed --loud", 2, "No such option: --loud; see `feedmill succeed --help`", {"type": "UsageError"}),
    ],
)
def test_an_expected_error_is_one_line_an_exit_code_and_with_json_an_object(
    words: str, code: int, line: str, error: dict[str, str]
) -> None:
    plain = CliRunner().invoke(app, words.split())
    assert (plain.exit_code, plain.stdout, plain.stderr) == (code, "", f"feedmill: {line}\n")
    told = CliRunner().invoke(app, [*words.split(), "--json"])
    assert (told.exit_code, told.stderr) == (code, f"feedmill: {line}\n")
    assert json.loads(told.stdout) == {"error": {"message": line, **error}}


def test_an_error_that_nobody_expected_is_not_hidden() -> None:
    with pytest.raises(KeyError, match="surprise"):
        CliRunner().invoke(app, ["fail", "surprise"], catch_exceptions=False)


def test_success_is_zero() -> None:
    result = CliRunner().invoke(app, ["succeed"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "done\n", "")


def test_help_and_version_need_no_library_that_takes_long_to_load() -> None:
    program = """
import contextlib, io, sys
from feedmill.run import cli
for word in ("--help", "--version"):
    sys.argv = ["feedmill", word]
    with contextlib.suppress(SystemExit):
        cli.main()
print(sorted({"numpy", "torch", "polars", "sqlalchemy", "structlog", "faiss"} & sys.modules.keys()))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    lines = said.splitlines()
    assert lines[0].startswith("Usage: feedmill")
    assert lines[-2:] == [f"feedmill {__version__}", "[]"]


def test_a_reader_that_goes_away_ends_the_command_without_a_word() -> None:
    with subprocess.Popen([COMMAND, "config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 141


def test_without_a_command_the_help_is_shown() -> None:
    done = subprocess.run([COMMAND], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert all(name in done.stdout for name in ("import", "train", "replay", "recommend", "config"))
