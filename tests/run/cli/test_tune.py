"""`feedmill tune`: chooses settings on a validation part, and judges them on a test part that no trial has seen."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedmill.measure.evaluation.temporal import Temporal
from feedmill.run.engine import Engine
from feedmill.run.evaluation.tuning import tune

WORDS = ("--trials", 4, "--k", 5)


@pytest.fixture(scope="module")
def tuned(feedmill, imported: Path, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    home = shutil.copytree(imported, tmp_path_factory.mktemp("tuned") / "home")
    answer = feedmill("tune", "svd", "--home", home, *WORDS, "--json")
    assert answer.code == 0
    return home, answer.json


def test_the_settings_that_won_are_written_and_are_no_worse_than_the_default_where_they_were_chosen(tuned) -> None:
    home, report = tuned
    assert (report["model"], report["trials"], report["failed"]) == ("svd", 4, 0)
    assert report["validation"] >= report["validation_default"]
    written = tomllib.loads((home / "tune" / "svd.toml").read_text())
    assert written["svd"] == report["config"]
    assert report["use"] == f"svd:factors={report['config']['factors']}"


def test_they_are_judged_beside_the_default_on_the_test_part(feedmill, tuned) -> None:
    home, report = tuned
    models = {model["name"]: model["metrics"]["ndcg"] for model in report["evaluation"]["models"]}
    assert set(models) == {"default", "tuned"}
    words = ("--models", report["use"], "--k", 5, "--samples", 100, "--json")
    found = feedmill("evaluate", "--home", home, *words).json["evaluation"]["models"][0]
    assert found["metrics"]["ndcg"]["estimate"] == models["tuned"]["estimate"]


def test_the_same_command_goes_on_from_what_was_tried(feedmill, tuned, tmp_path: Path) -> None:
    report = tuned[1]
    home = shutil.copytree(tuned[0], tmp_path / "home")
    again = feedmill("tune", "svd", "--home", home, *WORDS, "--json").json
    assert (again["trials"], again["config"]) == (4, report["config"])
    more = feedmill("tune", "svd", "--home", home, "--trials", 6, "--k", 5, "--json").json
    assert more["trials"] == 6
    assert more["validation"] >= report["validation"]


class Stopped(Exception):
    """What a test stops a run with."""


def test_a_run_that_is_stopped_keeps_what_was_tried(home: Path) -> None:
    with Engine.open(home, environment={}) as engine:

        def stop(phase: str, done: int, total: int) -> None:
            if phase.startswith("tuning") and done == 2:
                raise Stopped

        with pytest.raises(Stopped):
            tune(engine, "svd", Temporal(), trials=5, k=5, progress=stop)
        seen: list[int] = []
        report = tune(
            engine, "svd", Temporal(), trials=3, k=5,
            progress=lambda phase, done, total: seen.append(done) if phase.startswith("tuning") else None,
        )  # fmt: skip
    assert seen == [2]
    assert report.trials == 3


def test_no_trial_sees_the_test_part(feedmill, impressions: Path, tmp_path: Path) -> None:
    """With another future behind the cut, the same settings are tried, and come to the same on the validation part."""
    head, *rows = impressions.read_text().splitlines()
    columns = [row.split(",") for row in rows]
    later = [f"i{n}" for n in np.random.default_rng(0).integers(60, size=1_000)]
    moved = [[user, item, *rest] for (user, _, *rest), item in zip(columns[2_000:], later, strict=True)]
    reports = []
    for name, future in (("one", columns[2_000:]), ("other", moved)):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([head, *(",".join(row) for row in [*columns[:2_000], *future])]) + "\n")
        assert feedmill("import", "events", path, "--home", tmp_path / name).code == 0
        with Engine.open(tmp_path / name, environment={}) as engine:
            reports.append(tune(engine, "svd", Temporal(at=1_700_002_000_000), trials=3, k=5))
    one, other = reports
    assert (one.config, one.validation) == (other.config, other.validation)
    assert one.validation_default == other.validation_default
    # The futures do differ.
    assert one.evaluation.models[0].metrics["ndcg"] != other.evaluation.models[0].metrics["ndcg"]


def test_people_are_told_what_won_and_how_to_use_it(feedmill, tuned) -> None:
    home, report = tuned
    shown = feedmill("tune", "svd", "--home", home, *WORDS).stdout
    assert "4 settings tried" in shown
    assert "On the test part, which no trial has seen:" in shown
    assert f"--models svd,{report['use']}" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("eas",), "no model is called 'eas'; did you mean ease?"),
        (("svd:factors=3",), "name the model alone, as svd"),
        (("svd", "--protocol", "user-folds"), "user-folds has 5 splits; tune by one that has one, as temporal"),
        (("svd", "--protocol", "user-cold-start"), "there is nobody to ask for"),
        (("svd", "--actions", "buy"), "name actions that do with --actions"),
    ],
)
def test_what_cannot_be_tuned_is_an_error_that_says_what_can(feedmill, home: Path, words, message) -> None:
    answer = feedmill("tune", *words, "--home", home, "--json")
    assert answer.code == 1
    assert message in answer.json["error"]["message"]
