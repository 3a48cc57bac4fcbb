"""Environments that peers run in: each library with what it needs, apart from Feedmill's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


class Unavailable(Exception):
    """A peer that cannot be had here; the message says why."""


def python_of(library: str, environments: Path) -> Path:
    """The interpreter of a library's environment, which is made where it is not there yet or its list has changed.

    Raises Unavailable.
    """
    wanted = HERE / f"{library}.txt"
    place = environments / library
    python, made_of = place / "bin" / "python", place / wanted.name
    if made_of.exists() and made_of.read_text() == wanted.read_text():
        return python
    run([sys.executable, "-m", "venv", "--clear", str(place)])
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)])
    made_of.write_text(wanted.read_text())
    return python


def ask(library: str, python: Path, question: Path, answer: Path) -> None:
    """Let a library answer a question in its environment. Raises Unavailable where it fails."""
    run([str(python), str(HERE / f"{library}_peer.py"), str(question), str(answer)])


def run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Unavailable(said[-1].strip() if said else f"ended with {done.returncode}")
