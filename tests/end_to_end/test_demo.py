"""`feedmill demo` as people, pipes and programs meet it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from feedmill.testing.command_line import COMMAND, Answer, run_here

SMALL = ("demo", "--users", "50", "--days", "3", "--seed", "4")
POLICIES = {"feedmill", "popularity", "random", "oracle"}


@pytest.fixture(scope="module")
def answer() -> Answer:
    return run_here(*SMALL, "--json")


def test_the_last_line_of_a_demo_is_the_whole_result_as_json(answer: Answer) -> None:
    assert answer.code == 0
    assert len(answer.stdout.splitlines()) == 1
    report = answer.json
    assert (report["days"], report["users"], report["seed"]) == (3, 50, 4)
    assert report["events"] > report["feeds"] > 0
    assert report["seconds"] > 0
    for shares, length in ((report["by_day"], 3), (report["by_quarter"], 4)):
        assert set(shares) == POLICIES
        assert all(len(of_policy) == length for of_policy in shares.values())
    assert report["engagement"] == {name: shares[-1] for name, shares in report["by_quarter"].items()}
    assert all(0 <= share <= 1 for share in report["engagement"].values())


def test_even_a_short_demo_shows_feedmill_ahead_of_popularity_and_chance(answer: Answer) -> None:
    engagement = answer.json["engagement"]
    assert engagement["oracle"] > engagement["feedmill"] > max(engagement["popularity"], engagement["random"])


def test_the_same_seed_gives_the_same_demo(answer: Answer) -> None:
    again = run_here(*SMALL, "--json").json
    assert {**again, "seconds": 0} == {**answer.json, "seconds": 0}


def test_in_a_pipe_there_is_a_line_a_day_on_standard_error_and_nothing_that_only_terminals_understand() -> None:
    shown = run_here(*SMALL)
    assert shown.code == 0
    assert [line.partition(":")[0] for line in shown.stderr.splitlines()[1:]] == [f"day {n} of 3" for n in (1, 2, 3)]
    assert "\x1b" not in shown.stdout + shown.stderr
    for words in ("Mean watched share", "The first feed", "The last feed", "of the oracle's", "Seed 4."):
        assert words in shown.stdout


def test_a_terminal_of_80_columns_and_24_lines_holds_the_live_picture() -> None:
    console, terminal = pty.openpty()
    settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [COMMAND, *SMALL, "--json"], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=settings
    )
    os.close(terminal)
    assert process.stdout is not None
    drawn = b""
    while process.poll() is None or select.select([console], [], [], 0)[0]:
        if select.select([console], [], [], 0.05)[0]:
            try:
                drawn += os.read(console, 65_536)
            except OSError:  # The other side has closed.
                break
    assert process.wait() == 0
    assert set(json.loads(process.stdout.read())["engagement"]) == POLICIES
    process.stdout.close()
    os.close(console)
    text = drawn.decode()
    assert "Feedmill demo" in text
    assert "…" not in text
    # Each picture goes back up over the one before it, line by line.
    assert max(picture.count("\x1b[1A") for picture in text.split("Feedmill demo")) < 24


def test_ctrl_c_shows_how_far_it_came_and_ends_with_130(tmp_path: Path) -> None:
    told = tmp_path / "stderr"
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            [COMMAND, "demo", "--users", "40", "--days", "300"], stdout=subprocess.PIPE, stderr=stderr
        )
        deadline = time.monotonic() + 120
        while "day 1 of 300" not in told.read_text() and time.monotonic() < deadline and process.poll() is None:
            select.select([], [], [], 0.05)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Mean watched share" in shown.decode()
    assert "stopped after" in told.read_text().splitlines()[-1]


def test_a_world_that_cannot_be_is_refused() -> None:
    assert run_here("demo", "--users", "0").code == 2
    assert run_here("demo", "--days", "-1").code == 2


def test_a_world_of_one_user_and_one_day_has_a_demo_too() -> None:
    shown = run_here("demo", "--users", "1", "--days", "1", "--json")
    assert shown.code == 0
    assert shown.json["feeds"] >= 0
    assert run_here("demo", "--users", "1", "--days", "1").code == 0
