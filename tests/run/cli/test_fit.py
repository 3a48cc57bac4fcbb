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
