"""What `feedmill serve` cannot serve: one line that says why, and an exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedmill.run.home import Home
from feedmill.testing.command_line import COMMAND, Answer, run_process
from feedmill.testing.serving import Serving, serving


def serve(home: Path, *words: str, **environment: str) -> Answer:
    """What the command says that is expected to end by itself."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("FEEDMILL_")}
    done = subprocess.run(
        [COMMAND, "serve", "--home", str(home), *(words or ("--port", "0"))],
        env={**settings, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def assert_refused(answer: Answer, *says: str) -> None:
    assert answer.code == 1, answer
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    # A trainer that finds the same as the server may have logged it by then.
    (line,) = [line for line in answer.stderr.splitlines() if line.startswith("feedmill: ")]
    for words in says:
        assert words in line, line


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("refused") / "home") as opened:
        yield opened


def test_a_home_is_served_once(served: Serving) -> None:
    assert_refused(serve(served.home), str(served.home), "serving this home")
    # The one that serves it goes on.
    assert served.get("/v1/status")["starting"] == ""


def test_nobody_else_trains_or_writes_to_a_home_that_is_served(served: Serving, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user,item,time\nu,i,1600000000\n")
    for words in (("import", "events", path), ("train",)):
        answer = run_process(*words, "--home", served.home, "--json")
        assert (answer.code, answer.json["error"]["type"]) == (1, "HomeInUse"), words
    assert run_process("status", "--home", served.home, "--json").json["server"]["url"] == served.url


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(serve(tmp_path / "home", "--port", port), f"port {port} of 127.0.0.1 is in use", "--port")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("serving.trace_shar=1", "did you mean trace_share"),
        ("serving.trace_share=2", "must be from 0 to 1"),
        ("holdout.share=lots", "holdout.share"),
        ("holdout.share=0.9", "must lie between 0 and 0.5"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_setting_that_does_not_fit_is_told_by_its_name(tmp_path: Path, setting: str, says: str) -> None:
    assert_refused(serve(tmp_path / "home", "--port", "0", "--set", setting), says)


def test_a_host_that_others_can_reach_needs_a_key(tmp_path: Path) -> None:
    words = ("--host", "0.0.0.0", "--port", "0")
    assert_refused(serve(tmp_path / "home", *words), "--host 0.0.0.0", "FEEDMILL_API_KEY")
    assert_refused(serve(tmp_path / "home", *words, FEEDMILL_API_KEY=""), "FEEDMILL_API_KEY")
    with serving(tmp_path / "home", "--host", "0.0.0.0", FEEDMILL_API_KEY="a secret of some length") as opened:
        opened.url = opened.url.replace("0.0.0.0", "127.0.0.1")
        assert opened.ask("GET", "/v1/status").status == 401
        assert opened.get("/v1/status", Authorization="Bearer a secret of some length")["starting"] == ""


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7"])
def test_a_host_that_is_not_this_machine_is_told(tmp_path: Path, host: str) -> None:
    words = ("--host", host, "--port", "0")
    assert_refused(serve(tmp_path / "home", *words, FEEDMILL_API_KEY="a secret of some length"), host)


def test_a_home_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    marker = json.loads(home.marker.read_text())
    home.marker.write_text(json.dumps({**marker, "format_version": 99, "created_by": "9.9"}))
    before = sorted(path.name for path in home.path.rglob("*"))
    assert_refused(serve(home.path), "made by Feedmill 9.9")
    assert sorted(path.name for path in home.path.rglob("*")) == before


def test_a_directory_that_is_no_home_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert_refused(serve(tmp_path), "not a Feedmill home", "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_log_that_is_damaged_is_told_and_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.log.write_bytes(b"nothing that SQLite knows" * 500)
    assert_refused(serve(home.path), str(home.log))
    assert home.log.read_bytes() == b"nothing that SQLite knows" * 500
