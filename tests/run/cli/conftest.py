"""A small log whose users have tastes, a home that holds it, and the command line to run on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedmill.testing.command_line import Answer, run_here

ROWS, USERS, ITEMS = 3_000, 100, 60
START = 1_700_000_000_000  # 2023-11-14T22:13:20Z


Feedmill = Callable[..., Answer]


@pytest.fixture(scope="session")
def feedmill() -> Feedmill:
    """Runs a command in this process."""
    return run_here


@pytest.fixture(scope="session")
def impressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of impressions, one a second; a user clicks on three of four items of one kind, and on few others."""
    rng = np.random.default_rng(1)
    users, items = rng.integers(0, USERS, ROWS), rng.integers(0, ITEMS, ROWS)
    clicks = rng.random(ROWS) < np.where(users % 3 == items % 3, 0.75, 0.15)
    lines = ["user_id,item_id,timestamp,is_click,device"]
    for n, (user, item, click) in enumerate(zip(users, items, clicks, strict=True)):
        lines.append(f"u{user},i{item},{START + 1000 * n},{int(click)},{('tv', 'phone')[n % 2]}")
    path = tmp_path_factory.mktemp("data") / "impressions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def imported(feedmill: Feedmill, impressions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds the log, and that nobody changes."""
    home = tmp_path_factory.mktemp("imported") / "home"
    assert feedmill("import", "events", impressions, "--home", home).code == 0
    return home


@pytest.fixture
def home(imported: Path, tmp_path: Path) -> Path:
    """A copy of the home."""
    return shutil.copytree(imported, tmp_path / "home")
