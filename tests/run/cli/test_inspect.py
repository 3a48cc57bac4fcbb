"""`feedmill inspect`: what a home's log is like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def report(feedmill, imported: Path, tmp_path_factory) -> dict[str, Any]:
    page = tmp_path_factory.mktemp("report") / "page.html"
    found: dict[str, Any] = feedmill("inspect", "--home", imported, "--report", page, "--json").json
    return found


def test_it_counts_what_the_log_holds(report: dict[str, Any], impressions: Path) -> None:
    rows = [line.split(",") for line in impressions.read_text().splitlines()[1:]]
    assert report["events"]["rows"] == 3_000
    assert (report["events"]["users"], report["events"]["items"]) == (100, 60)
    clicks = [(user, item) for user, item, _, click, _ in rows if click == "1"]
    assert report["interactions"]["rows"] == len(clicks)
    assert report["interactions"]["pairs"] == len(set(clicks))
    assert report["actions"] == {"impression": 3_000 - len(clicks), "click": len(clicks)}
    assert (report["first"], report["last"]) == ("2023-11-14T22:13:20Z", "2023-11-14T23:03:19Z")
    assert sum(report["activity"]["events"]) == sum(report["activity"]["by_hour"]) == 3_000


def test_it_says_which_protocols_the_log_can_bear_and_why_not(report: dict[str, Any]) -> None:
    found = {one["protocol"]: one for one in report["protocols"]}
    assert found["leave-last-out"]["bears"]
    assert (found["progressive"]["bears"], found["progressive"]["test"]) == (True, 1_500)
    assert not found["user-cold-start"]["bears"]
    assert "no user who came after" in found["user-cold-start"]["why"]
    assert report["findings"][0].startswith("It can bear temporal, leave-last-out")
    assert "user-cold-start" not in report["findings"][0]


def test_items_that_nothing_is_known_of_are_named(report: dict[str, Any]) -> None:
    assert report["described_items"] == 60
    assert report["missing"]["tags"] == 1.0
    assert any("a new item cannot be told from another" in finding for finding in report["findings"])


def test_the_page_holds_what_was_found_and_needs_nothing_else(report: dict[str, Any]) -> None:
    page = Path(report["report"]).read_text(encoding="utf-8")
    for text in (report["findings"][0], "The long tail", "Hours of a day", report["command"]):
        assert text in page
    assert "src=" not in page


def test_a_machine_among_the_users_is_named(feedmill, home: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    lines = [f"robot,i{n % 60},{1_700_100_000_000 + 5_000 * n},1" for n in range(200)]
    more.write_text("\n".join(["user_id,item_id,timestamp,is_click", *lines]) + "\n")
    assert feedmill("import", "events", more, "--home", home).code == 0
    answer = feedmill("inspect", "--home", home)
    assert answer.code == 0
    assert "Looks like a machine: robot (200 events; acts like a clock: an event each 5 seconds)" in answer.stdout
    assert "One user looks like a machine, with 6.2% of the events." in answer.stdout
    assert (home / "reports" / "inspect.html").exists()


def test_where_nothing_counts_it_says_so(feedmill, home: Path) -> None:
    found = feedmill("inspect", "--home", home, "--actions", "buy", "--json").json
    assert found["interactions"] is None
    assert [one["protocol"] for one in found["protocols"]] == ["progressive"]
    assert found["findings"] == [
        "Nothing in the log counts as taking to an item (buy, whatever its value): name actions that do with --actions."
    ]


def test_a_home_without_events_is_an_error_that_says_how_to_get_some(feedmill, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\na,Anna\n")
    assert feedmill("import", "items", items, "--home", tmp_path / "home").code == 0
    answer = feedmill("inspect", "--home", tmp_path / "home", "--json")
    assert answer.code == 1
    assert answer.json["error"]["type"] == "InvalidFile"
    assert "`feedmill import events` brings some in" in answer.json["error"]["message"]
