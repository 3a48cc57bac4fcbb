"""`feedmill import`: what goes in, what is said of it, and what it proposes for the configuration."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

T = 1_600_000_000


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def test_events_go_in_once(feedmill, impressions: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = feedmill("import", "events", impressions, "--home", home, "--json")
    assert first.code == 0
    assert {name: first.json[name] for name in ("read", "accepted", "duplicates", "rejected")} == {
        "read": 3000,
        "accepted": 3000,
        "duplicates": 0,
        "rejected": 0,
    }
    assert first.json["home"] == str(home)
    again = feedmill("import", "events", impressions, "--home", home, "--json").json
    assert (again["read"], again["accepted"], again["duplicates"]) == (3000, 0, 3000)
    assert again["configuration"] == {
        "file": str(home / "feedmill.toml"),
        "actions": [],
        "objectives": [],
        "features": [],
        "by_hand": "",
    }


def test_a_new_home_is_configured_for_what_was_imported(feedmill, imported: Path) -> None:
    assert tomllib.loads((imported / "feedmill.toml").read_text()) == {
        "features": {"context": ["surface", "device"]},
        "actions": {"click": {"meaning": "positive"}},
        "objectives": {"click": {"action": "click", "weight": 1.0}},
    }


def test_what_a_person_wrote_stays_and_what_is_missing_is_added(feedmill, write, tmp_path: Path) -> None:
    home = tmp_path / "home"
    feedmill("import", "events", write("a.csv", f"user,item,event,time\nu,i,like,{T}\n"), "--home", home)
    mine = "# mine\n[actions.like]\nmeaning = 'negative'  # on purpose\n[training]\nseed = 5\n"
    (home / "feedmill.toml").write_text(mine)
    more = write("b.csv", f"user,item,event,time\nu,i,like,{T + 1}\nu,i,purchase,{T + 2}\nu,j,hide,{T + 3}\n")
    answer = feedmill("import", "events", more, "--home", home)
    text = (home / "feedmill.toml").read_text()
    assert text.startswith(mine)
    found = tomllib.loads(text)
    assert found["actions"]["like"] == {"meaning": "negative"}
    assert list(found["actions"]) == ["like", "purchase", "hide"]
    assert list(found["objectives"]) == ["purchase"]
    assert "actions: purchase, hide" in answer.stdout
    assert "objectives: purchase" in answer.stdout


def test_the_columns_that_were_guessed_are_told_before_reading(feedmill, write, tmp_path: Path) -> None:
    path = write("e.csv", f"who,item,when\nu,i,{T}\n")
    failed = feedmill("import", "events", path, "--home", tmp_path / "home")
    assert failed.code == 1
    assert failed.stderr == (
        f"feedmill: {path}: no column is known to be user_id; say which one it is (the columns are who, item, when):"
        " --column FIELD=NAME\n"
    )
    assert not (tmp_path / "home").exists()
    words = ("import", "events", path, "--home", tmp_path / "home", "--column", "user_id=who")
    answer = feedmill(*words, "--column", "timestamp=when", "--json")
    assert answer.code == 0
    assert "user_id=who, item_id=item, timestamp (s)=when" in answer.stderr
    assert answer.json["mapping"] == {"who": "user_id", "item": "item_id", "when": "timestamp"}


def test_the_unit_of_times_can_be_told(feedmill, write, tmp_path: Path) -> None:
    path = write("e.csv", f"user,item,time\nu,i,{T}\n")
    answer = feedmill("import", "events", path, "--home", tmp_path / "home", "--time-unit", "ms", "--json")
    assert answer.json["first_timestamp"] == T


def test_rejected_rows_go_to_a_file_in_the_home_or_where_they_are_told_to(feedmill, write, tmp_path: Path) -> None:
    path = write("e.csv", f"user,item,time\nu,i,{T}\n,i,{T}\n")
    home = tmp_path / "home"
    answer = feedmill("import", "events", path, "--home", home)
    rejects = home / "rejects" / "e.csv.jsonl"
    assert str(rejects) in answer.stdout
    assert [(row["line"], row["field"]) for row in map(json.loads, rejects.read_text().splitlines())] == [(3, "user")]
    told = tmp_path / "bad.jsonl"
    assert feedmill("import", "events", path, "--home", home, "--rejects", told, "--json").json["rejects"] == str(told)
    assert told.exists()
    path.write_text(f"user,item,time\nu,i,{T}\n")
    feedmill("import", "events", path, "--home", home)
    assert not rejects.exists()


def test_events_with_neither_id_nor_time_are_told_to_be_unrecognisable(feedmill, write, tmp_path: Path) -> None:
    path = write("e.csv", "user,item\nu,i\nu,j\n")
    answer = feedmill("import", "events", path, "--home", tmp_path / "home")
    assert "2 events have neither an id nor a timestamp" in answer.stdout
    assert feedmill("import", "events", path, "--home", tmp_path / "home", "--json").json["unrecognisable"] == 2


def test_items_that_only_events_name_can_be_shown_unless_a_record_describes_some(
    feedmill, write, tmp_path: Path
) -> None:
    alone, described = tmp_path / "alone", tmp_path / "described"
    events = write("e.csv", f"user,item,time\nu,i,{T}\nu,j,{T}\n")
    answer = feedmill("import", "events", events, "--home", alone)
    assert "known by their ids alone" in answer.stdout
    assert {item["item_id"] for item in feed(feedmill, alone)} == {"i", "j"}
    feedmill("import", "items", write("i.csv", "id,title\ni,First\n"), "--home", described)
    feedmill("import", "events", events, "--home", described)
    assert [(item["item_id"], item["title"]) for item in feed(feedmill, described)] == [("i", "First")]


def feed(feedmill, home: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = feedmill("recommend", "--home", home, "--user", "new", "--json").json["items"]
    return found


def test_attributes_and_context_that_repeat_are_proposed_as_features(feedmill, write, tmp_path: Path) -> None:
    home = tmp_path / "home"
    users = "".join(f"u{n},{'abc'[n % 3]},{n},https://example.org/{n}\n" for n in range(60))
    items = "".join(f"i{n},Title {n},{n % 2},{n * 0.5}\n" for n in range(60))
    events = "".join(f"u{n},i{n},like,{T + n},{'xy'[n % 2]},{n},{n % 3 == 0}\n" for n in range(60))
    feedmill("import", "users", write("u.csv", "user_id,plan,age,homepage\n" + users), "--home", home)
    feedmill("import", "items", write("i.csv", "item_id,title,paid,price\n" + items), "--home", home)
    feedmill(
        "import", "events", write("e.csv", "user,item,event,time,app,watched,logged_in\n" + events), "--home", home
    )
    found = tomllib.loads((home / "feedmill.toml").read_text())
    assert found["features"] == {
        "user_attributes": ["plan", "age"],
        "item_attributes": ["paid", "price"],
        "context": ["surface", "app", "logged_in"],
    }
    assert list(found["objectives"]) == ["like"]
    assert feedmill("train", "--home", home, "--json").code == 0


def test_parquet_and_words_for_people(feedmill, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pl.DataFrame({"user": ["u", "u"], "item": ["i", "i"], "rating": [5.0, 1.0], "ts": [T, T + 1]}).write_parquet(path)
    answer = feedmill("import", "events", path, "--home", tmp_path / "home")
    assert answer.code == 0
    lines = answer.stdout.splitlines()
    assert lines[1].split() == ["rows", "2", "2", "0", "0", "0"]
    assert "from 2020-09-13T12:26:40Z to 2020-09-13T12:26:41Z" in lines
    assert lines[-1] == f"Next: feedmill train --home {tmp_path / 'home'}"


def test_the_home_is_the_one_of_the_environment_unless_another_is_named(feedmill, write, tmp_path: Path) -> None:
    path = write("e.csv", f"user,item,time\nu,i,{T}\n")
    assert feedmill("import", "events", path, FEEDMILL_HOME=str(tmp_path / "theirs")).code == 0
    assert (tmp_path / "theirs" / "home.json").exists()
