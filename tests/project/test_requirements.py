"""The switches of the test run itself: data that may be missing, and tests that are only run when asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest

def test_with_data(data_dir):
    assert (data_dir / "here").exists()

@pytest.mark.soak
def test_for_hours():
    pass
"""


@pytest.fixture
def suite(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    shutil.copy(root / "tests" / "conftest.py", tmp_path / "tests")
    (tmp_path / "tests" / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak\naddopts = -ra -p no:cacheprovider\n")
    return tmp_path


def outcome(suite: Path, *options: str, **environment: str) -> dict[str, int]:
    """The counts of the summary line."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests", *options],
        cwd=suite,
        env={key: value for key, value in os.environ.items() if not key.startswith("FEEDMILL_")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return {what: int(count) for count, what in re.findall(r"(\d+) ([a-z]+)", done.stdout.splitlines()[-1])}


def test_a_test_without_its_data_is_skipped(suite: Path) -> None:
    assert outcome(suite) == {"skipped": 1, "deselected": 1}


def test_a_skip_for_want_of_data_fails_where_data_is_required(suite: Path) -> None:
    assert outcome(suite, FEEDMILL_REQUIRE="network, data") == {"error": 1, "deselected": 1}


def test_the_data_is_looked_for_relative_to_the_checkout(suite: Path) -> None:
    (suite / "sets").mkdir()
    (suite / "sets" / "here").touch()
    assert outcome(suite, FEEDMILL_REQUIRE="data", FEEDMILL_DATA="sets") == {"passed": 1, "deselected": 1}


def test_soak_tests_run_when_they_are_asked_for(suite: Path) -> None:
    assert outcome(suite, "--soak", "-m", "soak") == {"passed": 1, "deselected": 1}
