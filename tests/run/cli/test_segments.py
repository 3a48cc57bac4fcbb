"""`feedmill segments`: who belongs together, kept in the home."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def test_it_finds_the_kinds_of_users_and_keeps_who_is_in_which(feedmill, home: Path) -> None:
    found = feedmill("segments", "--home", home, "--json").json
    # Users click on items of one of three kinds.
    assert len(found["segments"]) == 3
    kept = json.loads((home / "segments.json").read_text())
    assert len(kept["users"]) == found["users"] == sum(one["users"] for one in found["segments"])
    counts = np.zeros((3, 3))
    for name, one in kept["users"].items():
        counts[one, int(name[1:]) % 3] += 1
    assert counts.max(axis=1).sum() > 0.9 * counts.sum()
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert "<circle" in page
    assert "<rect" in page


def test_a_second_time_users_are_where_they_were_also_by_another_seed(feedmill, home: Path) -> None:
    feedmill("segments", "--home", home)
    first = json.loads((home / "segments.json").read_text())
    found = feedmill("segments", "--home", home, "--seed", 4, "--json").json
    second = json.loads((home / "segments.json").read_text())
    stayed = [second["users"][name] == one for name, one in first["users"].items()]
    assert np.mean(stayed) > 0.9
    assert all(one["kept"] > 0.9 for one in found["segments"])
    assert second["unused"] == first["unused"] == 3


def test_it_prints_a_table(feedmill, home: Path) -> None:
    answer = feedmill("segments", "--home", home, "--most", 4)
    assert answer.code == 0
    assert "3 segments" in answer.stdout


def test_a_file_that_is_damaged_is_refused_by_name(feedmill, home: Path) -> None:
    (home / "segments.json").write_text("{")
    answer = feedmill("segments", "--home", home)
    assert answer.code != 0
    assert "segments.json" in answer.stderr
