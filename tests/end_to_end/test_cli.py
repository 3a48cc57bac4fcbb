"""From published data sets to a feed, by the commands that a user types."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedmill.testing.command_line import Answer, run_here, run_process


@pytest.fixture(scope="module")
def first_import(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    home = tmp_path_factory.mktemp("kuairand") / "home"
    return home, run_process("import", "kuairand", data_dir / "kuairand", "--home", home, "--json")


@pytest.fixture(scope="module")
def kuairand(first_import: tuple[Path, Answer]) -> Path:
    """A home that holds KuaiRand."""
    return first_import[0]


def test_kuairand_goes_in_once(first_import: tuple[Path, Answer], data_dir: Path) -> None:
    home, answer = first_import
    assert answer.code == 0
    names = ("read", "accepted", "duplicates", "rejected")
    assert [answer.json[name] for name in names] == [94_784, 91_805, 2_979, 0]
    assert len(answer.stdout.splitlines()) == 1
    again = run_here("import", "kuairand", data_dir / "kuairand", "--home", home, "--json").json
    assert [again[name] for name in names] == [94_784, 0, 94_784, 0]
    assert (again["users"]["unchanged"], again["items"]["unchanged"]) == (27_285, 7_583)


def test_all_ratings_of_movielens_go_in(data_dir: Path, tmp_path: Path) -> None:
    answer = run_here("import", "movielens", data_dir / "ml-latest-small", "--home", tmp_path / "home", "--json")
    assert answer.code == 0
    assert (answer.json["read"], answer.json["accepted"], answer.json["rejected"]) == (100_004, 100_004, 0)
    assert list(answer.json["objectives"]) == ["like"]


def test_a_replay_of_kuairand_measures_the_window(kuairand: Path, tmp_path: Path) -> None:
    words = ("--window-from", "2022-04-28T16:00:00Z", "--scores", tmp_path / "scores.parquet", "--json")
    answer = run_process("replay", "--home", kuairand, *words)
    assert answer.code == 0
    report = answer.json
    assert (report["rows"], report["window_rows"]) == (91_805, 35_665)
    assert report["learned"] >= 91_805
    assert list(report["objectives"]) == ["click", "long_view", "like"]
    for metrics in report["objectives"].values():
        assert metrics["rows"] == 35_665
        # Far above chance: what is to be reached is measured over five seeds, not here.
        assert metrics["auc"] > 0.7
        assert 0.8 < metrics["calibration"] < 1.25
    scores = pl.read_parquet(tmp_path / "scores.parquet")
    # The data set's own counts of the window: 16,466 clicks, 11,526 long views, 689 likes.
    window = scores.filter(pl.col("timestamp") >= pl.datetime(2022, 4, 28, 16, time_zone="UTC"))
    assert window.select(pl.col("click_label", "long_view_label", "like_label").sum()).row(0) == (16_466, 11_526, 689)


@pytest.fixture(scope="module")
def trained(kuairand: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = shutil.copytree(kuairand, tmp_path_factory.mktemp("trained") / "home")
    answer = run_here("train", "--home", home, "--json")
    assert (answer.code, answer.json["examples"]) == (0, 91_805)
    return home


def impressions_by_user(data_dir: Path) -> Counter[str]:
    log = pl.read_csv(data_dir / "kuairand" / "log_standard_4_22_to_5_08_pure.csv", columns=["user_id"])
    return Counter(log["user_id"].cast(pl.String))


def assert_a_full_page(page: dict[str, Any]) -> None:
    assert len({item["item_id"] for item in page["items"]}) == 20
    assert all(item["sources"] and item["why"] for item in page["items"])
    assert all(set(item["predictions"]) == {"click", "long_view", "like"} for item in page["items"])


@pytest.mark.parametrize(("impressions", "known"), [("many", True), ("one", True), ("none", False)])
def test_known_new_and_nearly_new_users_get_twenty_different_items_with_reasons(
    trained: Path, data_dir: Path, impressions: str, known: bool
) -> None:
    counts = impressions_by_user(data_dir)
    user = {
        "many": counts.most_common(1)[0][0],
        "one": min(user for user, seen in counts.items() if seen == 1),
        "none": "somebody new",
    }[impressions]
    page = run_here("recommend", "--home", trained, "--user", user, "--json").json
    assert (page["user"], page["known"], page["learned"]) == (user, known, 0)
    assert_a_full_page(page)


def test_the_installed_command_recommends_and_explains(trained: Path) -> None:
    words = ("recommend", "--home", trained, "--user", "1", "--explain", "3310")
    answer = run_process(*words, "--json")
    assert answer.code == 0
    assert_a_full_page(json.loads(answer.stdout))
    assert answer.json["explanation"]["sentence"]
