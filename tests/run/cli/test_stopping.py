"""A job that is stopped, asked to or killed, and started again ends where it would have ended without."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedmill.run.cli.boundary import Interrupted
from feedmill.run.cli.stopping import StopFlag
from feedmill.run.engine import Engine
from feedmill.run.evaluation.progressive import ProgressiveReport, run_progressive
from feedmill.run.evaluation.protocols import make_protocol
from feedmill.run.evaluation.report import run_evaluation
from feedmill.testing.command_line import COMMAND

SMALL_STEPS = ("--set", "training.batch=16", "--set", "training.snapshot_steps=40")
"""192 steps, and a snapshot after every fortieth."""


def interrupt(words: list[str | Path], number: signal.Signals, ready: Callable[[], bool]) -> tuple[int, str, str]:
    """Run a command until it is `ready` to be interrupted, send it the signal, and see what it says."""
    with subprocess.Popen([COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while child.poll() is None and not ready():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.005)
        child.send_signal(number)
        stdout, stderr = child.communicate()
        return child.returncode, stdout, stderr


def steps_journalled(home: Path) -> int:
    return sum(path.stat().st_size // 32 for path in home.glob("snapshots/*.journal"))


def feed(feedmill, home: Path) -> Any:
    """What the parameters say: equal to the last bit where they are."""
    words = ("recommend", "--home", home, "--user", "u1", *SMALL_STEPS, "--json")
    answer = feedmill(*words).json
    return answer["learned"], answer["items"]


@pytest.fixture(scope="module")
def uninterrupted(feedmill, imported: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = shutil.copytree(imported, tmp_path_factory.mktemp("uninterrupted") / "home")
    feedmill("train", "--home", home, *SMALL_STEPS)
    return feed(feedmill, home)


def test_training_that_is_asked_to_stop_takes_a_snapshot_and_goes_on_from_it(
    feedmill, home: Path, uninterrupted: Any
) -> None:
    words: list[str | Path] = ["train", "--home", home, *SMALL_STEPS, "--json"]
    code, stdout, stderr = interrupt(words, signal.SIGINT, lambda: steps_journalled(home) >= 5)
    assert code == 130
    assert "stopping after the step in hand" in stderr
    error = json.loads(stdout.splitlines()[-1])["error"]
    assert error["type"] == "Interrupted"
    assert f"`feedmill train --home {home}` goes on from there" in error["message"]
    assert "Traceback" not in stderr
    rest = feedmill(*words).json
    assert 0 < rest["steps"] < 192
    assert feed(feedmill, home) == uninterrupted


def kill_training(home: Path, rng: np.random.Generator) -> None:
    after = int(rng.integers(1, 40))
    interrupt(["train", "--home", home, *SMALL_STEPS], signal.SIGKILL, lambda: steps_journalled(home) >= after)


def test_training_that_is_killed_goes_on_where_it_was(feedmill, home: Path, uninterrupted: Any) -> None:
    kill_training(home, np.random.default_rng(5))
    assert feedmill("train", "--home", home, *SMALL_STEPS, "--json").json["position"] == 3060
    assert feed(feedmill, home) == uninterrupted


@pytest.mark.soak
def test_training_that_is_killed_twenty_times_gives_the_same_parameters(
    feedmill, imported: Path, tmp_path: Path, uninterrupted: Any
) -> None:
    rng = np.random.default_rng(6)
    for kill in range(20):
        home = shutil.copytree(imported, tmp_path / f"home{kill}")
        kill_training(home, rng)
        feedmill("train", "--home", home, *SMALL_STEPS)
        assert feed(feedmill, home) == uninterrupted


def test_an_import_that_is_interrupted_is_finished_by_the_next(feedmill, impressions: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    words: list[str | Path] = ["import", "events", impressions, "--home", home, "--json"]
    code, stdout, stderr = interrupt(words, signal.SIGINT, (home / "log.sqlite-lock").exists)
    assert code == 130
    assert "interrupted" in json.loads(stdout.splitlines()[-1])["error"]["message"]
    assert "Traceback" not in stderr
    report = feedmill(*words).json
    assert report["accepted"] + report["duplicates"] == 3000
    assert feedmill("replay", "--home", home, "--json").json["rows"] == 3000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_stopped_goes_on_and_reports_the_same(
    feedmill, home: Path, imported: Path, number: signal.Signals
) -> None:
    words: list[str | Path] = ["replay", *SMALL_STEPS, "--json", "--home"]
    code, stdout, _ = interrupt([*words, home], number, lambda: any(home.glob("replay/*/[0-9]*/manifest.json")))
    if number == signal.SIGINT:
        assert code == 130
        assert json.loads(stdout.splitlines()[-1])["error"]["type"] == "Interrupted"
    assert any(home.glob("replay/*"))
    resumed, whole = feedmill(*words, home).json, feedmill(*words, imported).json
    for report in (resumed, whole):
        del report["seconds"], report["rows_per_second"]
    assert resumed == whole
    assert not any(home.glob("replay/*"))


def test_a_progressive_evaluation_that_is_asked_to_stop_takes_a_snapshot_and_goes_on_from_it(
    feedmill, home: Path, imported: Path, tmp_path: Path
) -> None:
    words: list[str | Path] = ["evaluate", "--protocol", "progressive", "--samples", "100", *SMALL_STEPS, "--json"]
    words += ["--report", tmp_path / "page.html", "--home"]
    snapshots = "replay/*/[0-9]*/manifest.json"
    code, stdout, stderr = interrupt([*words, home], signal.SIGINT, lambda: any(home.glob(snapshots)))
    assert code == 130
    assert "the same command goes on from there" in json.loads(stdout.splitlines()[-1])["error"]["message"]
    assert "Traceback" not in stderr
    assert any(home.glob(snapshots))
    resumed, whole = feedmill(*words, home).json, feedmill(*words, imported).json
    assert (resumed["objectives"], resumed["verdict"]) == (whole["objectives"], whole["verdict"])
    assert not any(home.glob("replay/*"))


def test_a_comparison_that_is_stopped_goes_on_and_learns_no_model_twice(
    feedmill, home: Path, imported: Path, tmp_path: Path
) -> None:
    words: list[str | Path] = [
        "evaluate",
        "--protocol",
        "user-folds",
        "--folds",
        "3",
        "--models",
        "popularity,feedmill",
    ]
    words += ["--samples", "100", "--json", "--report", tmp_path / "page.html", "--home"]
    kept = "evaluate/*.npz"
    code, stdout, stderr = interrupt([*words, home], signal.SIGINT, lambda: len([*home.glob(kept)]) >= 3)
    assert code == 130
    assert "the same command goes on from there" in json.loads(stdout.splitlines()[-1])["error"]["message"]
    assert "Traceback" not in stderr
    ended = {path: path.stat().st_mtime_ns for path in home.glob(kept)}
    assert 3 <= len(ended) < 6
    resumed, whole = feedmill(*words, home).json, feedmill(*words, imported).json
    for report in (resumed, whole):
        for model in report["evaluation"]["models"]:
            del model["fit_seconds"], model["recommend_seconds"]
    assert resumed["evaluation"] == whole["evaluation"]
    assert not (home / "evaluate").exists()


def test_a_comparison_asks_again_what_was_damaged_or_depends_on_other_settings(home: Path) -> None:
    models = ("popularity", "item-neighbours", "svd")
    asked: list[str] = []

    def attempt(k: int, stop_at: str = "") -> bool:
        def told(phase: str, done: int, total: int) -> None:
            model = phase.split(",")[0]
            if model in models:
                asked.append(model)
            if model == stop_at:
                raise Interrupted

        asked.clear()
        with Engine.open(home, environment={}) as engine, contextlib.suppress(Interrupted):
            run_evaluation(engine, make_protocol("temporal", {}), models, k=k, samples=100, progress=told)
            return True
        return False

    assert not attempt(10, stop_at="svd")
    assert asked == [*models]
    assert not attempt(10, stop_at="svd")
    assert asked == ["svd"]
    assert not attempt(5, stop_at="item-neighbours")
    assert asked == ["popularity", "item-neighbours"]
    for number, path in enumerate(sorted(home.glob("evaluate/*.npz"))):
        path.write_bytes(path.read_bytes()[: 100 * (number % 2)])
    assert attempt(10)
    assert asked == [*models]
    assert attempt(10)
    assert asked == [*models]


def test_a_progressive_evaluation_does_no_replay_twice(home: Path) -> None:
    """Stopped in its second replay it goes on there, and stopped behind both it has both."""
    phases: list[tuple[str, bool]] = []

    def told(phase: str, done: int, total: int) -> None:
        phases.append((phase, done >= total))

    def attempt(goes_on: Callable[[], bool]) -> ProgressiveReport | None:
        phases.clear()
        with Engine.open(home, environment={}) as engine:
            return run_progressive(engine, samples=100, progress=told, goes_on=goes_on)

    first, second = "replaying", "replaying, frozen"
    assert attempt(lambda: phases[-1][0] != second) is None
    assert (first, True) in phases
    assert (second, True) not in phases
    assert attempt(lambda: phases[-1] != (second, True)) is None
    assert first not in dict(phases)
    assert (second, True) in phases
    assert attempt(lambda: True) is not None
    assert not {first, second} & set(dict(phases))
    assert not any(home.glob("replay/*"))


def test_the_flag_is_set_by_the_first_signal_and_gives_way_to_the_second(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopFlag() as stopped:
        assert not stopped
        signal.raise_signal(signal.SIGINT)
        assert stopped
        assert signal.getsignal(signal.SIGINT) is before
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "stopping after the step in hand" in capfd.readouterr().err


def test_a_request_of_the_system_to_end_sets_the_flag_too() -> None:
    with StopFlag() as stopped:
        signal.raise_signal(signal.SIGTERM)
        assert stopped


def test_the_flag_leaves_no_handler_behind() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopFlag():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
