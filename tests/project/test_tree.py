"""What holds for every file of the project: its name, its length, and words that it does not contain."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

MOST_LINES = 800
NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|[Ff]or now)\b")
# A path below somebody's home directory works on one machine only.
PERSONAL = re.compile(r"(?<![\w.])/(home|Users|root)/\w+")

FOLDERS = ("src", "native", "tests", "benchmarks", "examples", "docs", ".ci")
SUFFIXES = {".py", ".pyi", ".cpp", ".h", ".md", ".toml", ""}


def files(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path


def test_no_file_of_code_is_longer_than_800_lines(root: Path) -> None:
    long = {
        str(path.relative_to(root)): lines
        for path in files(root, "src", "native", "tests", "benchmarks", "examples")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_file_or_folder_is_named_for_nothing_in_particular(root: Path) -> None:
    assert [
        str(path.relative_to(root))
        for path in files(root, *FOLDERS)
        if NAMES & {part.removesuffix(path.suffix) for part in path.relative_to(root).parts}
    ] == []


def test_nothing_is_left_unfinished_or_bound_to_one_machine(root: Path) -> None:
    found = []
    for path in [*files(root, *FOLDERS), *root.glob("*.md"), root / "Makefile", root / "pyproject.toml"]:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if UNFINISHED.search(line) or PERSONAL.search(line):
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    assert found == []


def test_every_package_that_is_installed_by_default_is_pinned(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = [name for names in project["project"]["optional-dependencies"].values() for name in names]
    wanted = {re.split(r"[=<>\[ ]", name)[0] for name in [*project["project"]["dependencies"], *extras]}
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert wanted - pins.keys() == set()
    assert pins["torch"] == "2.13.0"
