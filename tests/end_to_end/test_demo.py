"""`feedmill demo` as people, pipes and programs meet it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feedmill.run.local.processes import read_processes
from feedmill.testing.command_line import COMMAND, run_here, run_process
from feedmill.testing.serving import wait_for

SMALL = ("demo", "--headless", "--port", "0", "--users", "80", "--seed", "4")
POLICIES = {"feedmill", "popularity", "random", "oracle"}


def children(place: Path) -> list[str]:
    """Command lines of processes that have something to do with a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_text().replace("\0", " ")
            if str(place) in words:
                found.append(words)
    return found


@dataclass
class Demo:
    """A demonstration that is running; its home is in `place`."""

    process: subprocess.Popen[str]
    place: Path
    told: Path
    url: str

    @property
    def home(self) -> Path:
        (marker,) = self.place.rglob("home.json")
        return marker.parent

    def server_url(self) -> str:
        return str(json.loads((self.home / "server.json").read_bytes())["url"])

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.server_url()}/v1/status") as answer:
            return dict(json.loads(answer.read()))

    def process_of(self, name: str) -> tuple[int | None, int]:
        found = next(one for one in read_processes(self.home / "processes.json") if one.name == name)
        return found.pid, found.restarts


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[Demo]:
    place, told = folder / "temporary", folder / "stderr"
    place.mkdir()
    with told.open("w") as stderr:
        process = subprocess.Popen(
            [COMMAND, *SMALL, *words],
            env={**os.environ, "TMPDIR": str(place)}, stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
    try:
        wait_for(lambda: re.search(r"http://[\d.]+:\d+", told.read_text()) or process.poll() is not None, 60)
        found = re.search(r"http://[\d.]+:\d+", told.read_text())
        assert found, told.read_text()
        yield Demo(process, place, told, found.group())
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


def test_the_last_line_of_a_demo_is_the_whole_result_as_json(tmp_path: Path) -> None:
    answer = run_process(*SMALL, "--for", "8", "--json", TMPDIR=str(tmp_path))
    assert answer.code == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 1
    report = answer.json
    assert report["url"] in answer.stderr
    assert report["events"] > report["feeds"] > 0
    assert set(report["engagement"]) == set(report["likes"]) == POLICIES
    assert all(share is None or 0 <= share <= 1 for share in report["engagement"].values())
    for ages in (report["event_to_feed_ms"], report["event_to_model_ms"]):
        assert 0 < ages["p50"] <= ages["p99"]
    assert report["missed"] == 0
    assert report["seed"] == 4
    assert 8 <= report["seconds"] < 20
    # A day a minute; on a busy machine its last steps are counted late.
    assert 0.1 < report["days"] <= report["seconds"] / 60 + 0.05
    assert 50 <= report["users"] <= 80
    # Nothing is left behind.
    assert list(tmp_path.iterdir()) == []
    assert children(tmp_path) == []


def test_the_page_answers_as_soon_as_its_address_is_told(demo: Demo) -> None:
    with urllib.request.urlopen(demo.url) as answer:
        page = answer.read().decode()
    assert answer.status == 200
    assert "Feedmill" in page


def test_a_trainer_that_is_killed_is_started_again_and_feeds_go_on(demo: Demo) -> None:
    wait_for(lambda: (demo.home / "server.json").exists(), 60)
    wait_for(lambda: demo.status()["freshness"]["parameters_step"] > 0, 60)
    pid, restarts = demo.process_of("trainer")
    assert pid is not None
    assert restarts == 0
    before = demo.status()["log_end"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: demo.process_of("trainer")[1] == 1, 30)
    wait_for(lambda: demo.status()["log_end"] > before, 30)
    assert demo.process_of("trainer")[0] not in (None, pid)
    wait_for(lambda: demo.status()["freshness"]["parameters_position"] > before, 60)
    assert {demo.process_of(name)[1] for name in ("server", "console")} == {0}


def test_ctrl_c_ends_it_with_a_summary_and_leaves_nothing_behind(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    shown = demo.process.stdout
    assert shown is not None
    text = shown.read()
    assert demo.process.wait(60) == 0
    for words in (*POLICIES, "likes per 100", "days of the world", "seed 4", "in the parameters after"):
        assert words in text
    assert "\x1b" not in text
    assert list(demo.place.iterdir()) == []
    assert children(demo.place) == []


def test_a_browser_gets_the_environment_of_the_caller_and_a_closed_terminal_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    place, seen, browser = tmp_path / "temporary", tmp_path / "seen", tmp_path / "browser"
    place.mkdir()
    browser.write_text(f'#!/bin/sh\n(echo "$1"; env) > {seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o755)
    asked = {
        "TMPDIR": str(place), "BROWSER": f"{browser} %s", "DISPLAY": ":7", "FEEDMILL_API_KEY": "mine",
        "OMP_NUM_THREADS": "3",
    }  # fmt: skip
    terminal, its_end = os.openpty()
    process = subprocess.Popen(
        [COMMAND, *(word for word in SMALL if word != "--headless")],
        env={**os.environ, **asked}, stdout=subprocess.DEVNULL, stderr=its_end,
    )  # fmt: skip
    os.close(its_end)
    try:
        wait_for(lambda: seen.exists() or process.poll() is not None, 60)
        url, *lines = seen.read_text().splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        assert {name: environment.get(name) for name in asked} == asked
        assert not {"FEEDMILL_SOCKET", "FEEDMILL_LIFELINE"} & environment.keys()
        said = os.read(terminal, 4096).decode()
        assert f"Feedmill's demo is at {url}" in said
        assert "on the phone" in said
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert list(place.iterdir()) == []
    assert children(place) == []


def test_stopped_before_anything_was_to_be_seen_it_ends_as_usual(tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    process = subprocess.Popen(
        [COMMAND, *SMALL, "--json"], env={**os.environ, "TMPDIR": str(place)}, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: list(place.rglob("processes.json")), 60)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    report = json.loads(shown.splitlines()[-1])
    assert (report["seed"], report["feeds"], report["engagement"]) == (4, 0, {})
    assert list(place.iterdir()) == []
    assert children(place) == []


def test_without_a_port_the_next_free_one_is_taken_and_a_port_that_was_asked_for_is_not_replaced() -> None:
    from feedmill.run.demo.launch import listen_for_page

    with listen_for_page("127.0.0.1", None) as first, listen_for_page("127.0.0.1", None) as second:
        assert 8080 <= first.getsockname()[1] != second.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run_here("demo", "--headless", "--port", port, "--json")
    assert answer.code == 1
    assert f"port {port} of 127.0.0.1 is in use" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--users", "0"), 2, "--users"),
        (("--for", "-1"), 2, "--for"),
        (("--day-seconds", "0.1"), 2, "--day-seconds"),
        (("--days", "3"), 2, "--days"),
        (("--host", "no.such.host.invalid"), 1, "no.such.host.invalid"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(words: tuple[str, ...], code: int, said: str) -> None:
    answer = run_here("demo", "--headless", "--json", *words)
    assert answer.code == code
    assert said in answer.json["error"]["message"]


def test_where_there_is_no_room_it_says_so(tmpfs: Callable[[str], contextlib.AbstractContextManager[Path]]) -> None:
    with tmpfs("size=16m") as place:
        answer = run_process("demo", "--headless", "--port", "0", "--json", TMPDIR=str(place))
        assert answer.code == 1
        assert "MB are free" in answer.json["error"]["message"]
        assert "TMPDIR" in answer.json["error"]["message"]
        assert list(place.iterdir()) == []
