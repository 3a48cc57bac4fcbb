"""`feedmill recommend`: a feed for everybody, with reasons."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def trained(feedmill, imported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = shutil.copytree(imported, tmp_path_factory.mktemp("trained") / "home")
    assert feedmill("train", "--home", home).code == 0
    return home


@pytest.mark.parametrize(("user", "known"), [("u1", True), ("nobody", False)])
def test_known_and_new_users_get_as_many_different_items_as_they_asked_for(
    feedmill, trained: Path, user: str, known: bool
) -> None:
    answer = feedmill("recommend", "--home", trained, "--user", user, "--json")
    assert answer.code == 0
    page = answer.json
    assert (page["user"], page["known"], page["learned"]) == (user, known, 0)
    assert [item["position"] for item in page["items"]] == list(range(1, 21))
    assert len({item["item_id"] for item in page["items"]}) == 20
    assert all(item["sources"] and item["why"] for item in page["items"])
    assert all(0 < item["predictions"]["click"] < 1 for item in page["items"])
    assert page["milliseconds"] > 0


def test_what_is_new_in_the_log_is_learned_first(feedmill, home: Path) -> None:
    answer = feedmill("recommend", "--home", home, "--user", "u1", "--limit", 3, "--json")
    assert (answer.json["learned"], len(answer.json["items"])) == (3000, 3)
    assert feedmill("recommend", "--home", home, "--user", "u1", "--limit", 3, "--json").json["learned"] == 0


def test_an_old_log_is_asked_as_of_its_end_unless_a_time_is_named(feedmill, trained: Path) -> None:
    words = ("recommend", "--home", trained, "--user", "u1", "--limit", 1, "--json")
    assert feedmill(*words).json["at"] == "2023-11-14T23:03:19Z"
    assert feedmill(*words, "--at", "2024-01-01").json["at"] == "2024-01-01T00:00:00Z"


def test_the_surface_and_the_context_change_what_is_predicted(feedmill, trained: Path) -> None:
    words = ("recommend", "--home", trained, "--user", "u1", "--limit", 20, "--json")
    plain, tv = feedmill(*words).json, feedmill(*words, "--context", "device=tv").json
    assert plain["items"] != tv["items"]


def test_people_get_a_table_with_reasons(feedmill, trained: Path) -> None:
    answer = feedmill("recommend", "--home", trained, "--user", "nobody", "--limit", 2)
    lines = answer.stdout.splitlines()
    assert lines[0] == "nobody is new: nothing is known of them yet. A feed all the same:"
    assert lines[1].split() == ["title", "click", "score", "sources", "why"]
    assert lines[2].split()[0] == "1"
    assert lines[-1].startswith("As of 2023-11-14T23:03:19Z, in ")


@pytest.mark.parametrize(
    ("item", "outcomes"),
    [("i1", {"shown", "ranked_below", "removed", "not_a_candidate"}), ("no-such-item", {"no_such_item"})],
)
def test_an_item_is_explained_whether_it_is_there_or_not(
    feedmill, trained: Path, item: str, outcomes: set[str]
) -> None:
    words = ("recommend", "--home", trained, "--user", "u1", "--limit", 1, "--explain", item)
    explanation = feedmill(*words, "--json").json["explanation"]
    assert explanation["item_id"] == item
    assert explanation["outcome"] in outcomes
    assert f"{item}: {explanation['sentence']}" in feedmill(*words).stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--user", ""], 1, "--user: must be 1 to 256 bytes"),
        (["--user", "u" * 257], 1, "--user: must be 1 to 256 bytes of UTF-8, is 257"),
        ([], 2, "Missing option '--user'"),
        (["--user", "u", "--limit", "0"], 2, "--limit"),
        (["--user", "u", "--limit", "many"], 2, "--limit"),
        (["--user", "u", "--context", "device"], 2, "'device' is not of the form KEY=VALUE"),
        (["--user", "u", "--at", "noon"], 2, "Invalid value for --at"),
        (["--user", "u", "--set", "feed.speling.window=3"], 1, "unknown key feed.speling"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    feedmill, imported: Path, words: list[str], code: int, says: str
) -> None:
    answer = feedmill("recommend", "--home", imported, *words, "--json")
    assert answer.code == code
    assert says in answer.stderr
    assert says in answer.json["error"]["message"]


def test_control_characters_of_titles_do_not_reach_the_terminal(feedmill, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\ni,\x1b[31mred [bold]title[/bold]\n")
    events = tmp_path / "events.csv"
    events.write_text("user,item,time\nu,i,1700000000\nu,i,1700000001\n")
    home = tmp_path / "home"
    feedmill("import", "items", items, "--home", home)
    feedmill("import", "events", events, "--home", home)
    shown = feedmill("recommend", "--home", home, "--user", "v").stdout
    assert "?[31mred [bold]title[/bold]" in shown
    assert "\x1b" not in shown
