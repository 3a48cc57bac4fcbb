"""`feedmill evaluate`: compares models on what a home has seen, and leaves a report that says how to repeat it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feedmill.measure.metrics import RANKING_METRICS

MODELS = "popularity,item-neighbours,svd"
QUICK = ("--samples", 200)


@pytest.fixture(scope="module")
def report(feedmill, imported: Path, tmp_path_factory) -> dict[str, Any]:
    page = tmp_path_factory.mktemp("report") / "page.html"
    words = ("evaluate", "--home", imported, "--models", MODELS, "--report", page, *QUICK, "--json")
    found: dict[str, Any] = feedmill(*words).json
    return found


def test_it_says_what_was_learned_from_and_what_was_asked_for(report: dict[str, Any]) -> None:
    found = report["evaluation"]
    assert (found["protocol"], found["respects_time"], found["k"], found["seed"]) == ("temporal", True, 10, 0)
    assert report["events"] == 3_000
    # Whoever clicks on an item again has met it already.
    assert report["interactions"] == found["train"] + found["test"] + sum(found["left_out"].values())
    assert report["taken"] == "click"
    assert found["users"] <= 100
    assert found["items"] == 60


def test_every_model_has_every_metric_with_an_interval(report: dict[str, Any]) -> None:
    models = report["evaluation"]["models"]
    assert sorted(model["name"] for model in models) == sorted(MODELS.split(","))
    for model in models:
        assert {*RANKING_METRICS, "novelty", "diversity", "serendipity"} == set(model["metrics"])
        assert all(value["low"] <= value["estimate"] <= value["high"] for value in model["metrics"].values())
        assert 0 < model["coverage"]["low"] <= model["coverage"]["estimate"] <= model["coverage"]["high"] <= 1
        assert model["gini"]["low"] < model["gini"]["estimate"] < model["gini"]["high"]
        assert len(model["by_activity"]) == len(model["by_popularity"]) == 3
        for group in model["by_popularity"].values():
            assert all(value["low"] <= value["estimate"] <= value["high"] for value in group.values())
    assert len(report["evaluation"]["differences"]) == 3
    assert [model["metrics"]["ndcg"]["estimate"] for model in models] == sorted(
        (model["metrics"]["ndcg"]["estimate"] for model in models), reverse=True
    )


def test_where_users_have_tastes_a_model_of_them_is_ahead_of_popularity_beyond_chance(report: dict[str, Any]) -> None:
    assert report["evaluation"]["models"][-1]["name"] == "popularity"
    best = report["evaluation"]["models"][0]["name"]
    assert report["summary"].startswith(f"{best} leads by NDCG@10")
    assert any("popularity" in sentence and ": not chance" in sentence for sentence in report["verdict"])


def test_the_report_names_what_is_needed_to_repeat_it(report: dict[str, Any]) -> None:
    page = Path(report["report"]).read_text(encoding="utf-8")
    assert shlex.split(report["command"])[:2] == ["feedmill", "evaluate"]
    for text in (
        "percentile bootstrap over users, 200 resamples",
        "Seed",
        "numpy ",
        "the first 80% of the interactions",
    ):
        assert text in page
    for word in shlex.split(report["command"]):
        assert word in page
    assert "src=" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_command_that_the_report_names_repeats_it(feedmill, report: dict[str, Any], tmp_path: Path) -> None:
    again = feedmill(*shlex.split(report["command"])[1:], "--report", tmp_path / "page.html", "--json").json

    def numbers(found: dict[str, Any]) -> Any:
        models = found["evaluation"]["models"]
        return [(model["name"], model["metrics"], model["coverage"]) for model in models], found["verdict"]

    assert numbers(again) == numbers(report)


def test_without_json_there_is_a_table_and_the_sentences(feedmill, home: Path) -> None:
    words = ("evaluate", "--home", home, "--models", "popularity,ease", "--protocol", "leave-last-out", *QUICK)
    answer = feedmill(*words)
    assert answer.code == 0
    assert "NDCG@10" in answer.stdout
    assert "ease leads by NDCG@10" in answer.stdout
    assert "higher than what a deployment would see" in answer.stdout
    assert (home / "reports" / "evaluate-leave-last-out.html").stat().st_size > 10_000


def test_the_engine_is_compared_on_the_same_lists(feedmill, home: Path) -> None:
    words = ("evaluate", "--home", home, "--models", "popularity,feedmill", *QUICK, "--json")
    models = feedmill(*words).json["evaluation"]["models"]
    assert {model["name"] for model in models} == {"popularity", "feedmill"}
    assert all(model["metrics"]["hit_rate"]["estimate"] > 0.1 for model in models)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("--protocol", "user-folds", "--folds", 3, "--known", 0.5), {"folds": 3, "known": 0.5, "seed": 0}),
        (("--protocol", "interaction-folds", "--folds", 2, "--seed", 5), {"folds": 2, "seed": 5}),
        (("--protocol", "temporal", "--share", 0.5), {"share": 0.5, "at": None}),
        (("--protocol", "temporal", "--at", "2023-11-14T22:38:20Z"), {"share": 0.2, "at": 1_700_001_500_000}),
    ],
)
def test_a_protocol_takes_its_settings(feedmill, home: Path, words, settings) -> None:
    found = feedmill("evaluate", "--home", home, "--models", "popularity", *words, *QUICK, "--json").json
    assert found["settings"] == settings


def test_models_take_settings_and_other_actions_can_count(feedmill, home: Path) -> None:
    words = ("--models", "svd:factors=3,popularity:half_life_days=1", "--actions", "click")
    found = feedmill("evaluate", "--home", home, *words, *QUICK, "--json").json
    assert found["model_settings"]["svd:factors=3"] == {"factors": 3, "seed": 0}
    assert found["model_settings"]["popularity:half_life_days=1"] == {"window_days": None, "half_life_days": 1.0}
    assert found["taken"] == "click, whatever its value"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "temporel"), "no protocol is called 'temporel'; did you mean temporal?"),
        (("--folds", 3), "--folds: temporal has no such setting; those that it has: --share, --at"),
        (("--models", "eas"), "no model is called 'eas'; did you mean ease?"),
        (("--models", "ease:lambda=3"), "'lambda=3' is no setting of ease; these are regularization, most_items"),
        (("--models", "als:factors=many"), "als:factors=many: Expected `int`"),
        (("--models", "ease:regularization=inf"), "ease.regularization: inf must be finite"),
        (("--models", ","), "none is named"),
        (("--share", 2), "share: 2.0, expected between 0 and 1"),
        (("--at", "2031-01-01"), "leaves nothing on one side; the interactions go from 2023-11-14"),
        (("--actions", "buy"), "name actions that do with --actions (the log has"),
        (("--protocol", "user-cold-start"), "there is nobody to ask for"),
        (("--protocol", "user-cold-start", "--known", 2.5), "user-cold-start: Expected `int`, got `float`"),
        (("--protocol", "item-cold-start"), "nothing can be asked for"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_that_says_what_can(feedmill, home: Path, words, message) -> None:
    answer = feedmill("evaluate", "--home", home, "--models", "popularity", *words, "--json")
    assert answer.code == 1
    assert message in answer.json["error"]["message"]


def test_a_report_that_cannot_be_written_is_an_error_that_names_the_file(feedmill, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "page.html"
    answer = feedmill("evaluate", "--home", home, "--models", "popularity", "--report", place, *QUICK, "--json")
    assert answer.json["error"]["type"] == "StorageError"
    assert str(place) in answer.json["error"]["message"]


def test_only_the_log_is_read(feedmill, home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}
    feedmill("evaluate", "--home", home, "--models", "popularity", *QUICK)
    assert {path: path.read_bytes() for path in before} == before
    assert msgspec.json.decode((home / "home.json").read_bytes())["format_version"] == 1


@pytest.fixture(scope="module")
def progressive(feedmill, imported: Path, tmp_path_factory) -> dict[str, Any]:
    page = tmp_path_factory.mktemp("report") / "page.html"
    words = ("evaluate", "--home", imported, "--protocol", "progressive", "--at", "2023-11-14T22:38:20Z", *QUICK)
    found: dict[str, Any] = feedmill(*words, "--report", page, "--json").json
    return found


def test_the_progressive_protocol_judges_what_the_replay_predicts(
    feedmill, imported: Path, progressive: dict[str, Any]
) -> None:
    replayed = feedmill("replay", "--home", imported, "--window-from", "2023-11-14T22:38:20Z", "--json").json
    (click,) = progressive["objectives"]
    assert (progressive["rows"], progressive["judged"], click["rows"]) == (3_000, 1_500, 1_500)
    models = {model["name"]: model for model in click["models"]}
    assert set(models) == {"feedmill", "frozen", "popularity", "recent"}
    for name in ("auc", "log_loss", "calibration"):
        found = models["feedmill"]["metrics"][name]["estimate"]
        assert found == pytest.approx(replayed["objectives"]["click"][name], rel=1e-5)
    assert len(click["differences"]) == 6
    assert models["feedmill"]["confusion"]["true_positives"] > 0


def test_the_progressive_report_names_what_is_needed_to_repeat_it(progressive: dict[str, Any]) -> None:
    page = Path(progressive["report"]).read_text(encoding="utf-8")
    for text in ("click: AUC", "click: predicted and observed", "from 2023-11-14T22:38:20Z on", "--at"):
        assert text in page
    assert "--protocol progressive" in progressive["command"]
    assert progressive["verdict"][0].startswith("Predicting click, ")


def test_the_progressive_protocol_prints_a_table(feedmill, home: Path) -> None:
    words = ("--protocol", "progressive", "--models", "feedmill,popularity", *QUICK)
    answer = feedmill("evaluate", "--home", home, *words)
    assert answer.code == 0
    assert "predicting click" in answer.stdout
    assert "1,500 of 3,000 rows" in answer.stdout
    assert (home / "reports" / "evaluate-progressive.html").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--models", "ease"), 1, "no progressive model is called 'ease'"),
        (("--folds", 3), 2, "the progressive protocol has no such setting"),
        (("--k", 3), 2, "the progressive protocol has no such setting"),
        (("--at", "2031-01-01"), 1, "leaves nothing on one side"),
    ],
)
def test_what_the_progressive_protocol_cannot_do_is_an_error(feedmill, home: Path, words, code, message) -> None:
    answer = feedmill("evaluate", "--home", home, "--protocol", "progressive", *words, "--json")
    assert answer.code == code
    assert message in answer.json["error"]["message"]
