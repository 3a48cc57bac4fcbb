"""`feedmill try` on a real file, and on the kinds of files that people have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from feedmill.testing.command_line import run_here

START = 1_700_000_000
ACTIONS = ("like", "view", "view")
ROWS = [
    {"user_id": f"u{n % 9}", "item_id": f"i{n * 5 % 31}", "action": ACTIONS[n % 3], "timestamp": START + n * 60}
    for n in range(200)
]


def csv(path: Path) -> None:
    lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n")


def zipped(path: Path) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))


def parquet(path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(path)


@pytest.mark.parametrize(("name", "write"), [("e.csv", csv), ("e.jsonl.gz", zipped), ("e.parquet", parquet)])
def test_the_same_events_give_the_same_answer_in_every_format(
    name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    csv(tmp_path / "first.csv")
    write(tmp_path / name)
    expected = run_here("try", tmp_path / "first.csv", "--json").json
    answer = run_here("try", tmp_path / name, "--json")
    assert answer.code == 0
    changing = {"file": "", "seconds": 0}
    assert {**answer.json, **changing} == {**expected, **changing}
    assert (expected["events"], expected["trained"], expected["tested"]) == (200, 160, 40)
    assert [len(feed["items"]) for feed in expected["feeds"]] == [10, 10, 10]


def test_rows_that_cannot_be_read_are_left_out_and_told(tmp_path: Path) -> None:
    csv(tmp_path / "events.csv")
    with (tmp_path / "events.csv").open("a") as file:
        file.write("u1,i1,like,soon\n")
    report = run_here("try", tmp_path / "events.csv", "--json").json
    assert (report["events"], report["rejected"]) == (200, 1)
    assert any("line 202" in note and "timestamp" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "InvalidFile", "empty"),
        (b"user_id,item_id\n", "InvalidFile", "at least 50"),
        (b"a,b\n1,2\n", "InvalidArgument", "--column"),
        (b"PK\x03\x04rest", "InvalidFile", "ZIP"),
    ],
)
def test_what_cannot_be_tried_is_an_error_in_one_line(content: bytes, kind: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    refused = run_here("try", path, "--json")
    assert refused.code == 1
    assert refused.json["error"]["type"] == kind
    assert words in refused.json["error"]["message"]
    assert "Traceback" not in refused.stderr


def test_on_movielens_feedmill_is_ahead_of_popularity_as_it_goes(data_dir: Path) -> None:
    folder = data_dir / "ml-latest-small"
    report = run_here("try", folder / "ratings.csv", "--items", folder / "movies.csv", "--json").json
    assert (report["events"], report["users"], report["items"], report["tested"]) == (100_004, 671, 9_125, 20_000)
    asked = report["as_it_goes"]
    assert asked["asked"] == 1_000
    assert asked["ndcg_difference"]["low"] > 0
    assert asked["feedmill"]["hit_rate"] > asked["popularity"]["hit_rate"]
    # Most users of the last fifth are new at the split: there popularity is nearly all that can be known.
    assert report["at_the_split"]["hit_rate_difference"]["high"] > 0
    assert report["feeds"][0]["items"][0]["title"].endswith(")")
