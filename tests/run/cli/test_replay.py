"""`feedmill replay`: measures on every row, and depends on nothing but the log and the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedmill.measure.metrics.classification import binary_metrics

MIDDLE = "2023-11-14T22:38:20Z"
"""Half of the log happened before."""


def measured(report: dict[str, Any]) -> dict[str, Any]:
    """A report without how fast it was."""
    return {name: value for name, value in report.items() if name not in ("seconds", "rows_per_second")}


@pytest.fixture(scope="module")
def report(feedmill, imported: Path) -> dict[str, Any]:
    found: dict[str, Any] = feedmill("replay", "--home", imported, "--window-from", MIDDLE, "--json").json
    return found


def test_a_replay_measures_the_window(report: dict[str, Any]) -> None:
    assert (report["rows"], report["window_rows"], report["learned"]) == (3000, 1500, 3000)
    assert (report["window_from"], report["frozen_from"]) == (MIDDLE, None)
    click = report["objectives"]["click"]
    assert click["rows"] == 1500
    assert {"auc", "log_loss", "calibration", "positives"} < click.keys()
    assert report["rows_per_second"] > 0


def test_the_scores_are_those_that_were_measured(feedmill, home: Path, report: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    answer = feedmill("replay", "--home", home, "--window-from", MIDDLE, "--scores", path)
    assert answer.code == 0
    scores = pl.read_parquet(path)
    assert scores.columns == ["user_id", "item_id", "timestamp", "click_label", "click_prediction"]
    assert scores.height == 3000
    assert scores["timestamp"].is_sorted()
    assert set(scores["user_id"]) == {f"u{n}" for n in range(100)}
    assert set(scores["item_id"]) == {f"i{n}" for n in range(60)}
    window = scores.filter(pl.col("timestamp") >= pl.lit(MIDDLE).str.to_datetime(time_zone="UTC"))
    found = binary_metrics(window["click_label"].to_numpy(), window["click_prediction"].to_numpy())
    assert found.auc == report["objectives"]["click"]["auc"]
    assert f"{found.auc:.4f}" in answer.stdout


def test_the_same_seed_gives_the_same_result_whatever_the_home_was_used_for(
    feedmill, home: Path, report: dict[str, Any]
) -> None:
    feedmill("train", "--home", home, "--set", "ranker.dimension=4")
    words = ("replay", "--home", home, "--window-from", MIDDLE, "--json")
    assert measured(feedmill(*words).json) == measured(report)
    assert measured(feedmill(*words, "--seed", 1).json) != measured(report)


def test_frozen_parameters_predict_but_do_not_learn(feedmill, home: Path, report: dict[str, Any]) -> None:
    words = ("replay", "--home", home, "--window-from", MIDDLE, "--frozen-from", MIDDLE)
    found = feedmill(*words, "--json").json
    assert (found["rows"], found["learned"], found["frozen_from"]) == (3000, 1500, MIDDLE)
    assert found["objectives"]["click"]["auc"] != report["objectives"]["click"]["auc"]
    assert f"kept as they were at {MIDDLE}" in feedmill(*words).stdout


def test_a_time_that_is_none_is_wrong_usage(feedmill, home: Path) -> None:
    answer = feedmill("replay", "--home", home, "--window-from", "yesterday")
    assert (answer.code, answer.stderr) == (
        2,
        "feedmill: Invalid value for --window-from: must be a time as ISO 8601 writes it, is 'yesterday';"
        " see `feedmill replay --help`\n",
    )


def test_scores_that_cannot_be_written_are_an_error_that_names_the_file(feedmill, home: Path, tmp_path: Path) -> None:
    answer = feedmill("replay", "--home", home, "--scores", tmp_path / "nowhere" / "scores.parquet", "--json")
    assert answer.code == 1
    assert answer.json["error"]["type"] == "StorageError"
    assert "nowhere" in answer.json["error"]["message"]


def test_a_window_without_rows_has_no_metrics_and_is_valid_json(feedmill, home: Path) -> None:
    found = feedmill("replay", "--home", home, "--window-from", "2030-01-01", "--json").json
    assert (found["window_rows"], found["objectives"]["click"]["auc"]) == (0, None)
