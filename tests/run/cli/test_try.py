"""`feedmill try` on files whose tastes are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedmill.testing.command_line import Answer

Feedmill = Callable[..., Answer]

KINDS, USERS, ITEMS = 6, 120, 240
COLUMNS = ("--column", "timestamp=when", "--column", "user_id=who", "--column", "item_id=what")


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of purchases: a user buys things of one kind only, each once, and all kinds are equally popular."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(USERS):
        own = rng.permutation(np.arange(user % KINDS, ITEMS, KINDS))[:24]
        rows += [(float(rng.random()), f"u{user}", f"i{item}") for item in own]
    rows.sort()
    lines = ["when,who,what"] + [f"{1_700_000_000 + 50 * n},{user},{item}" for n, (_, user, item) in enumerate(rows)]
    path = tmp_path_factory.mktemp("try") / "purchases.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What kind each of the things is."""
    lines = ["item_id,title,category"] + [f"i{item},Thing {item},kind {item % KINDS}" for item in range(ITEMS)]
    path = tmp_path_factory.mktemp("try") / "things.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def answer(feedmill: Feedmill, purchases: Path, things: Path) -> Answer:
    return feedmill("try", purchases, "--items", things, *COLUMNS, "--json")


@pytest.mark.parametrize("asked", ["as_it_goes", "at_the_split"])
def test_where_tastes_differ_feedmill_is_ahead_of_popularity(answer: Answer, asked: str) -> None:
    report = answer.json
    assert (report["events"], report["trained"], report["tested"]) == (2_880, 2_304, 576)
    found = report[asked]
    assert found["feedmill"]["ndcg"] > 2 * found["popularity"]["ndcg"]
    assert found["ndcg_difference"]["low"] > 0


def test_five_models_are_compared_at_the_split_and_it_says_which_leads(answer: Answer) -> None:
    found = answer.json["at_the_split"]
    assert set(found["others"]) == {"item-neighbours", "user-neighbours", "svd"}
    assert len(found["differences"]) == 10
    # Everybody buys of one kind, so whatever knows what goes together finds it, and popularity cannot.
    assert all(score["ndcg"] > 2 * found["popularity"]["ndcg"] for score in found["others"].values())
    behind = [pair for pair in found["differences"] if pair["second"] == "popularity"]
    assert len(behind) == 4
    assert all(pair["corrected"] < 0.05 for pair in behind)
    (sentence,) = [said for said in answer.json["verdict"] if said.startswith("Of all 5, ")]
    assert " leads by NDCG@10; that it is ahead of " in sentence
    assert "as_it_goes" in answer.json
    assert answer.json["as_it_goes"]["others"] == {}


def test_three_users_are_shown_different_items_of_the_kind_that_they_buy(answer: Answer) -> None:
    feeds = answer.json["feeds"]
    assert len({feed["user_id"] for feed in feeds}) == 3
    for feed in feeds:
        items = [item["item_id"] for item in feed["items"]]
        assert len(set(items)) == 10
        assert all(item["why"] for item in feed["items"])
        if feed["events"]:
            own = int(feed["user_id"][1:]) % KINDS
            assert sum(int(item[1:]) % KINDS == own for item in items) >= 7


def test_people_get_tables_and_the_answer_in_words(feedmill: Feedmill, purchases: Path, things: Path) -> None:
    shown = feedmill("try", purchases, "--items", things, *COLUMNS)
    assert shown.code == 0
    assert "2,304 to learn from, 576 to be judged on" in shown.stdout
    assert "Feedmill is ahead of popularity" in shown.stdout
    assert "A feed for" in shown.stdout


def test_nothing_is_left_behind_unless_a_home_is_named(feedmill: Feedmill, purchases: Path, tmp_path: Path) -> None:
    before = sorted(purchases.parent.iterdir())
    home = tmp_path / "home"
    assert feedmill("try", purchases, *COLUMNS, "--home", home).code == 0
    assert (home / "log.sqlite").exists()
    assert sorted(purchases.parent.iterdir()) == before


def test_a_file_without_times_is_taken_in_its_order_and_told_so(
    feedmill: Feedmill, purchases: Path, tmp_path: Path
) -> None:
    timeless = tmp_path / "timeless.csv"
    timeless.write_text("\n".join(line.partition(",")[2] for line in purchases.read_text().splitlines()) + "\n")
    report = feedmill("try", timeless, *COLUMNS[2:], "--json").json
    assert report["split"] == ""
    assert any("order" in note for note in report["notes"])


def test_too_few_events_are_refused_with_how_many_are_needed(feedmill: Feedmill, tmp_path: Path) -> None:
    small = tmp_path / "small.csv"
    small.write_text("user_id,item_id,timestamp\nu1,i1,1700000000\nu2,i1,1700000001\n")
    refused = feedmill("try", small)
    assert refused.code == 1
    assert "2 events" in refused.stderr
    assert "at least" in refused.stderr
