"""The documents are true: their Python runs, and the commands and options that they show exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from feedmill.run import cli

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")
SHELLS = {"sh", "bash", "shell", "console"}


@dataclass(frozen=True)
class Block:
    where: str
    language: str
    text: str


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(*languages: str) -> Iterator[Block]:
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 2
                yield Block(f"{path.relative_to(ROOT).as_posix()}:{line}", match[1], match[2])


def feedmill_commands(text: str) -> Iterator[list[str]]:
    """The `feedmill ...` command lines of a shell block, or of a piece of inline code, as words."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\||&&|;|>", line.strip().removeprefix("$ ")):
            # Other commands may have words in quotes that go over several lines.
            if "feedmill" not in part:
                continue
            words = shlex.split(part, comments=True)
            while words and "=" in words[0]:
                words = words[1:]
            if words and Path(words[0]).name == "feedmill":
                yield words[1:]


def problem(words: list[str], app: typer.Typer) -> str | None:
    """What is wrong with a command line, if anything: an unknown command, or an option that it does not have."""
    command = typer.main.get_command(app)
    for word in words:
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in {*_options(command), "--help"}:
                return f"`{command.name}` has no option {word}"
        elif _subcommands(command):
            if word not in _subcommands(command):
                return f"`{command.name}` has no command {word}"
            command = _subcommands(command)[word]
    return None


def _subcommands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (name for name in [*parameter.opts, *parameter.secondary_opts] if name.startswith("-"))


def leaves(command: Any, name: str) -> Iterator[str]:
    if not _subcommands(command):
        yield name
    for word, inner in _subcommands(command).items():
        if not inner.hidden:
            yield from leaves(inner, f"{name} {word}")


@pytest.mark.parametrize("block", [pytest.param(block, id=block.where) for block in blocks("python", "pycon")])
def test_python_in_the_documents_runs(block: Block, tmp_path: Path) -> None:
    if ">>>" in block.text:
        (tmp_path / "block.txt").write_text(block.text, encoding="utf-8")
        program = "import doctest, sys; sys.exit(doctest.testfile('block.txt', module_relative=False).failed)"
    else:
        program = block.text
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", [pytest.param(block, id=block.where) for block in blocks(*SHELLS)])
def test_commands_in_the_documents_exist_with_their_options(block: Block) -> None:
    assert [found for words in feedmill_commands(block.text) if (found := problem(words, cli.app))] == []


def test_every_command_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert [name for name in leaves(typer.main.get_command(cli.app), "feedmill") if name not in reference] == []


def test_every_link_between_the_documents_leads_somewhere() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents()
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$ feedmill demo --json | tail -1", [["demo", "--json"]]),
        ("X=1 .venv/bin/feedmill config  # all of it", [["config"]]),
        (
            "make demo && feedmill import kuairand \\\n  DIR --home H > out",
            [["import", "kuairand", "DIR", "--home", "H"]],
        ),
        ("make demo\nls feedmill", []),
    ],
)
def test_the_checker_reads_command_lines(text: str, expected: list[list[str]]) -> None:
    assert list(feedmill_commands(text)) == expected


@pytest.fixture
def small_app() -> typer.Typer:
    app = typer.Typer()
    imports = typer.Typer()
    app.add_typer(imports, name="import")

    @imports.command()
    def movielens(directory: str, home: str = "home") -> None: ...

    @app.command()
    def config(json: bool = False) -> None: ...

    @app.command(hidden=True)
    def child() -> None: ...

    return app


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import movielens DIR --home H", None),
        ("import movielens --home=H DIR", None),
        ("config --no-json --help", None),
        ("--help", None),
        ("confg", "has no command confg"),
        ("import kuairand DIR", "has no command kuairand"),
        ("import movielens DIR --json", "has no option --json"),
        ("config --home=H", "has no option --home=H"),
    ],
)
def test_the_checker_knows_which_commands_and_options_there_are(
    small_app: typer.Typer, line: str, expected: str | None
) -> None:
    found = problem(line.split(), small_app)
    assert found == expected or (expected is not None and found is not None and found.endswith(expected))


def test_the_checker_lists_the_commands_that_are_shown(small_app: typer.Typer) -> None:
    listed = list(leaves(typer.main.get_command(small_app), "feedmill"))
    assert sorted(listed) == ["feedmill config", "feedmill import movielens"]
