"""The public data sets that benchmarks learn from, as homes that `feedmill import` makes of them."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from feedmill.domain.records import Record
from feedmill.run.engine import Engine
from report import progress

FOLDERS = {"kuairand": "kuairand", "movielens": "ml-latest-small"}
"""Where a data set lies in the folder of all, by the name that `feedmill import` has for it."""
WINDOW = "2022-04-28T16:00:00Z"
WINDOW_MS = 1_651_161_600_000
"""From then on the KuaiRand excerpt is judged: its last two days."""


def with_data(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with --data."""
    folder = Path(os.environ.get("FEEDMILL_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=folder, help="the folder of the data sets; FEEDMILL_DATA")
    return parser


def imported(source: str, data: Path, home: Path) -> Path:
    """The home, with a data set of the folder `data` in its log."""
    progress(f"importing {source} ...")
    command = [Path(sys.executable).with_name("feedmill"), "import", source, data / FOLDERS[source], "--home", home]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "FEEDMILL_LOG": "error"})
    return home


@contextlib.contextmanager
def opened(source: str, data: Path, *settings: str) -> Iterator[Engine]:
    """A home with a data set, for as long as it is open; `settings` as SECTION.KEY=VALUE."""
    with tempfile.TemporaryDirectory() as folder:
        home = imported(source, data, Path(folder))
        with Engine.open(home, arguments=settings, environment={}) as engine:
            yield engine


def batches_of(engine: Engine) -> Iterator[list[Record]]:
    """The log of a home, in steps of the configured size."""
    position, end = 0, engine.log.end()
    while position < end:
        records, position = engine.log.read(position, engine.config.training.batch)
        yield records
