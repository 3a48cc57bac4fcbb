"""Bad input: each is told by its field, and nothing that was there is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedmill.testing.command_line import run_here, run_process

T = 1_600_000_000
GOOD = [{"user_id": f"u{n % 7}", "item_id": f"i{n % 5}", "action": "like", "timestamp": T + n} for n in range(40)]


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 40 events, which nobody changes."""
    folder = tmp_path_factory.mktemp("bad-input")
    path = folder / "good.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in GOOD))
    assert run_here("import", "events", path, "--home", folder / "home").code == 0
    return folder / "home"


@pytest.fixture
def home(kept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "home")


def events_in(home: Path) -> int:
    """How many events the log holds: each is an example of its own, beside four items drawn at random."""
    rows: int = run_here("replay", "--home", home, "--json").json["rows"]
    assert rows % 5 == 0
    return rows // 5


def bad(**fields: object) -> dict[str, object]:
    return {"user_id": "u1", "item_id": "i1", "action": "like", "timestamp": T + 1_000, **fields}


def test_every_bad_event_is_told_by_its_field_and_the_rest_goes_in(home: Path, tmp_path: Path) -> None:
    rows: list[tuple[str, str, dict[str, object]]] = [
        ("user_id", "1 to 256 bytes", bad(user_id="u" * 300)),
        ("user_id", "1 to 256 bytes", bad(user_id="ü" * 150)),
        ("user_id", "missing", bad(user_id="")),
        ("item_id", "must be a string", bad(item_id=["i1"])),
        ("item_id", "must be a string", bad(item_id=True)),
        ("action", "must be a string", bad(action={"kind": "like"})),
        ("value", "must be a number", bad(value="plenty")),
        ("value", "must be a number", bad(value=[1])),
        ("timestamp", "1970", bad(timestamp="0001-01-01T00:00:00Z")),
        ("timestamp", "1970", bad(timestamp="9999-12-31T23:59:59Z")),
        ("timestamp", "ISO 8601", bad(timestamp="soon")),
        ("note", "100,000 characters", bad(note="x" * 1_000_000)),
    ]
    path, rejects = tmp_path / "bad.jsonl", tmp_path / "rejects.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for _, _, row in rows]
    lines += ['{"user_id": "u1", "item_id": "i1", "value": NaN}', "[1, 2]", json.dumps(bad(action="hide"))]
    path.write_text("\n".join(lines) + "\n")
    answer = run_here("import", "events", path, "--home", home, "--rejects", rejects, "--json")
    assert answer.code == 0
    assert (answer.json["read"], answer.json["accepted"], answer.json["rejected"]) == (15, 1, 14)
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [row["line"] for row in told] == list(range(1, 15))
    for (field, reason, _), row in zip(rows, told, strict=False):
        assert (row["field"], reason in row["reason"]) == (field, True), row["reason"]
    assert [(row["field"], "JSON" in row["reason"]) for row in told[-2:]] == [("", True), ("", True)]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e39"])
def test_a_number_that_is_not_finite_is_refused(home: Path, tmp_path: Path, number: str) -> None:
    path, rejects = tmp_path / "e.csv", tmp_path / "rejects.jsonl"
    path.write_text(f"user,item,action,rating,time\nu1,i1,rate,{number},{T}\nu1,i2,rate,4,{T}\n")
    answer = run_here("import", "events", path, "--home", home, "--rejects", rejects, "--json")
    assert (answer.json["accepted"], answer.json["rejected"]) == (1, 1)
    (row,) = map(json.loads, rejects.read_text().splitlines())
    assert (row["line"], row["field"]) == (2, "rating")


def test_bad_items_and_users_are_told_by_their_field(home: Path, tmp_path: Path) -> None:
    def rejected(subject: str, row: dict[str, Any]) -> dict[str, str]:
        path, rejects = tmp_path / f"{subject}.jsonl", tmp_path / "rejects.jsonl"
        path.write_text(json.dumps(row) + "\n")
        words = ("import", subject, path, "--home", home, "--rejects", rejects, "--json")
        assert run_here(*words).json["rejected"] == 1
        found: dict[str, str] = json.loads(rejects.read_text())
        return found

    assert rejected("items", {"item_id": "i", "text": "x" * 1_000_000})["field"] == "text"
    assert rejected("items", {"item_id": "i", "duration": "long"})["field"] == "duration"
    assert rejected("items", {"item_id": "i", "created_at": "0001-01-01"})["field"] == "created_at"
    assert rejected("users", {"user_id": "u" * 300})["field"] == "user_id"
    assert rejected("users", {"user_id": "u", "created_at": "9999-01-01"})["field"] == "created_at"


def foreign_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files that are not what they say, and a word of what is said of each."""
    contents = {
        "zip.csv": (b"PK\x03\x04" + bytes(64), "a ZIP archive"),
        "text.parquet": (b"user,item\nu,i\n", "text.parquet"),
        "csv.jsonl": (b"user,item\nu,i\n", "csv.jsonl"),
        "plain.csv.gz": (b"user,item\nu,i\n", "not compressed"),
        "cut.csv.gz": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03KL", "damaged or cut short"),
        "binary.csv": (bytes(range(256)) * 8, "binary"),
        "empty.csv": (b"", "empty"),
        "cut.parquet": (b"PAR1" + bytes(40), "cut.parquet"),
        "utf16.csv": ("user,item\nu,i\n".encode("utf-16"), "UTF-16"),
    }
    for name, (content, says) in contents.items():
        path = folder / name
        path.write_bytes(content)
        yield path, says
    yield folder / "missing.csv", "no such file"
    yield folder, "a directory"


def test_a_file_that_is_not_what_it_says_is_refused_and_changes_nothing(home: Path, tmp_path: Path) -> None:
    before = {path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    for path, says in foreign_files(tmp_path):
        answer = run_here("import", "events", path, "--home", home, "--json")
        assert answer.code == 1, path
        assert answer.json["error"]["type"] == "InvalidFile"
        assert str(path) in answer.stderr
        assert says in answer.stderr
    for kind in ("kuairand", "movielens"):
        answer = run_here("import", kind, tmp_path, "--home", home, "--json")
        assert (answer.code, answer.json["error"]["type"]) == (1, "InvalidFile")
    assert {path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


COMMANDS: list[tuple[str, ...]] = [("train",), ("replay",), ("recommend", "--user", "u1")]


@pytest.mark.parametrize("words", [*COMMANDS, ("config",)])
def test_an_unknown_key_of_the_configuration_is_told_with_its_file(home: Path, words: tuple[str, ...]) -> None:
    with (home / "feedmill.toml").open("a") as file:
        file.write("\n[trainng]\nseed = 1\n")
    answer = run_here(*words, "--home", home, "--json")
    assert (answer.code, answer.json["error"]["type"]) == (1, "ConfigError")
    assert f"unknown key trainng in {home / 'feedmill.toml'}; did you mean training?" in answer.stderr


@pytest.mark.parametrize("words", COMMANDS)
def test_a_home_from_a_newer_version_is_left_alone(home: Path, words: tuple[str, ...], tmp_path: Path) -> None:
    marker = json.loads((home / "home.json").read_text())
    (home / "home.json").write_text(json.dumps({**marker, "format_version": 99, "created_by": "9.9"}))
    path = tmp_path / "e.csv"
    path.write_text(f"user,item,time\nu,i,{T}\n")
    for command in (words, ("import", "events", path)):
        answer = run_here(*command, "--home", home, "--json")
        assert (answer.code, answer.json["error"]["type"]) == (1, "HomeVersionError")
        assert "made by Feedmill 9.9" in answer.stderr


@pytest.mark.parametrize("words", COMMANDS)
def test_a_directory_that_is_no_home_is_left_alone(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    answer = run_here(*words, "--home", tmp_path, "--json")
    assert (answer.code, answer.json["error"]["type"]) == (1, "HomeError")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


Mount = Callable[[str], contextlib.AbstractContextManager[Path]]


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_on_a_full_disk_every_command_says_so_and_what_was_there_goes_on(
    kept: Path, tmpfs: Mount, tmp_path: Path
) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text("".join(json.dumps({**row, "timestamp": T + 10_000 + n}) + "\n" for n, row in enumerate(GOOD * 50)))
    with tmpfs("size=16m") as place:
        home = shutil.copytree(kept, place / "home")
        with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        for words in (("import", "events", more), *COMMANDS):
            answer = run_here(*words, "--home", home, "--json")
            assert (answer.code, answer.json["error"]["type"]) == (1, "StorageError"), words
            assert "full" in answer.stderr
        (place / "ballast").unlink()
        found = run_here("import", "events", more, "--home", home, "--json").json
        assert found["accepted"] + found["duplicates"] == 2_000
        assert run_here("import", "events", more, "--home", home, "--json").json["accepted"] == 0
        assert run_here("train", "--home", home, "--json").code == 0
        assert events_in(home) == 2_040


def test_a_disk_that_fills_up_in_the_middle_of_an_import_loses_and_doubles_nothing(
    tmpfs: Mount, tmp_path: Path
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({**row, "timestamp": T + n}) + "\n" for n, row in enumerate(GOOD * 500)))
    with tmpfs("size=2m") as place:
        home = place / "home"
        answer = run_process("import", "events", path, "--home", home, "--json")
        assert (answer.code, answer.json["error"]["type"]) == (1, "StorageError")
        assert "Traceback" not in answer.stderr
        remount(place, "size=64m")
        found = run_here("import", "events", path, "--home", home, "--json").json
        assert (found["accepted"] + found["duplicates"], found["rejected"]) == (20_000, 0)
        assert events_in(home) == 20_000


def test_a_read_only_home_is_refused_by_name_and_its_configuration_can_be_read(
    kept: Path, tmpfs: Mount, tmp_path: Path
) -> None:
    path = tmp_path / "e.csv"
    path.write_text(f"user,item,time\nu,i,{T}\n")
    with tmpfs("size=32m") as place:
        home = shutil.copytree(kept, place / "home")
        remount(place, "ro")
        for words in (("import", "events", path), *COMMANDS):
            answer = run_here(*words, "--home", home, "--json")
            assert (answer.code, answer.json["error"]["type"]) == (1, "StorageError"), words
            assert str(home) in answer.stderr
            assert "read-only" in answer.stderr
        assert run_here("config", "--home", home).code == 0
        remount(place, "rw")
        assert events_in(home) == 40
