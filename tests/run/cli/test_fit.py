"""`feedmill fit`: a model that the feed asks, where the configuration names it."""

from __future__ import annotations

from pathlib import Path

import pytest

NAMED = ("--set", "feed.model.name=item-neighbours")


def sources(feedmill, home: Path, *words: object) -> set[str]:
    found = feedmill("recommend", "--home", home, "--user", "u3", "--json", *words).json
    assert found["items"]
    return {source for item in found["items"] for source in item["sources"]}


def test_the_feed_asks_the_model_that_the_configuration_names_and_no_other(feedmill, home: Path) -> None:
    report = feedmill("fit", "item-neighbours", "--home", home, "--json").json
    assert report["use"] == 'feed.model.name = "item-neighbours"'
    assert Path(report["written"]).is_file()
    assert "model" in sources(feedmill, home, *NAMED)
    assert "model" not in sources(feedmill, home)


def test_without_a_file_of_the_model_the_feed_goes_on_without_it(feedmill, home: Path) -> None:
    assert "model" not in sources(feedmill, home, *NAMED)


def test_with_a_damaged_file_the_feed_goes_on_without_it(feedmill, home: Path) -> None:
    report = feedmill("fit", "item-neighbours", "--home", home, "--json").json
    Path(report["written"]).write_bytes(b"no model")
    assert "model" not in sources(feedmill, home, *NAMED)


def test_settings_stand_behind_the_name_and_the_model_is_kept_under_the_name(feedmill, home: Path) -> None:
    report = feedmill("fit", "ease:regularization=50", "--home", home, "--json").json
    assert (report["model"], Path(report["written"]).name) == ("ease", "ease.model")
    assert "model" in sources(feedmill, home, "--set", "feed.model.name=ease")


@pytest.mark.parametrize("name", ["weighted:models=item-neighbours+popularity", "content"])
def test_hybrids_and_content_can_be_fitted_for_the_feed(feedmill, home: Path, name: str) -> None:
    report = feedmill("fit", name, "--home", home, "--json").json
    assert Path(report["written"]).is_file()
    sources(feedmill, home, "--set", f"feed.model.name={report['model']}")


def test_a_model_that_there_is_not_is_refused_with_those_that_there_are(feedmill, home: Path) -> None:
    answer = feedmill("fit", "eese", "--home", home)
    assert answer.code != 0
    assert "did you mean" in answer.stderr or "ease" in answer.stderr


@pytest.mark.parametrize("name", ["logistic-regression", "boosted-trees:trees=20"])
def test_a_model_of_click_through_predicts_in_place_of_the_ranker(feedmill, home: Path, name: str) -> None:
    report = feedmill("fit", name, "--home", home, "--json").json
    bare = name.partition(":")[0]
    assert report["use"] == f'feed.ranker.model = "{bare}"'
    assert report["rows"] == 3_000
    words = ("recommend", "--home", home, "--user", "u3", "--limit", 60, "--json")
    own, named = (feedmill(*words, *more).json for more in ((), ("--set", f"feed.ranker.model={bare}")))
    predictions = [{item["item_id"]: item["predictions"]["click"] for item in one["items"]} for one in (own, named)]
    assert predictions[0] != predictions[1]
    # Of all that is shown 35 % is clicked.
    assert sum(predictions[1].values()) / len(predictions[1]) == pytest.approx(0.35, abs=0.1)
    assert len(set(predictions[1].values())) > 5


def test_while_no_model_of_that_name_is_fitted_the_ranker_predicts(feedmill, home: Path) -> None:
    words = ("recommend", "--home", home, "--user", "u3", "--at", "2023-11-15", "--json")
    own, named = (feedmill(*words, *more).json["items"] for more in ((), ("--set", "feed.ranker.model=random-forest")))
    assert own == named


def test_actions_have_no_meaning_for_a_model_of_objectives(feedmill, home: Path) -> None:
    answer = feedmill("fit", "random-forest", "--home", home, "--actions", "click")
    assert answer.code != 0
    assert "--actions has no meaning" in answer.stderr


@pytest.mark.parametrize("setting", ["feed.model.name=boosted-trees", "feed.ranker.model=ease"])
def test_a_model_named_where_it_has_no_use_is_refused_with_those_that_have(feedmill, home: Path, setting: str) -> None:
    answer = feedmill("recommend", "--home", home, "--user", "u3", "--set", setting)
    assert answer.code != 0
    assert setting.partition("=")[0] in answer.stderr
