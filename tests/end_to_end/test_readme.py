"""The README's "ten minutes with your own application", as it is written: a server and six commands of curl."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECTION = re.compile(r"^## Ten minutes with your own application\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PORT = 8000


@contextmanager
def running(command: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The server of the first block, once it listens."""
    server = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert "Feedmill serves 0 items to 0 users at" in server.stdout.readline()
        yield
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.communicate()


def free_port() -> int:
    """8000, as it is written; another where something listens there already."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            try:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


def test_the_six_commands_of_the_readme_do_what_it_says(
    root: Path, tmp_path: Path, require: Callable[[str, bool, str], None]
) -> None:
    require("curl", shutil.which("curl") is not None, "curl is not installed")
    section = SECTION.search((root / "README.md").read_text(encoding="utf-8"))
    assert section is not None
    serve, *commands = BLOCK.findall(section[1])
    assert len(commands) == 6
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FEEDMILL_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    port = free_port()
    if port != PORT:
        serve = serve.replace("feedmill serve", f"feedmill serve --port {port}")

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command.replace(f"localhost:{PORT}", f"localhost:{port}")],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    with running(serve.strip(), tmp_path, environment):
        items, first, events, second, explained, metrics = (run(command) for command in commands)
        assert count(items) == (8, 0)
        before, after = page(first), page(second)
        assert len(before) == len(set(before)) == 4
        assert count(events) == (3, 0)
        assert set(after[:2]) == {"gravity", "solaris"}
        assert set(after).isdisjoint({"alien", "martian", "casa"})
        assert "space" in json.loads(second)["items"][0]["why"]
        fate = json.loads(explained)["item"]
        assert (fate["outcome"], fate["removal"]["stage"]) == ("removed", "hidden")
        assert 'feedmill_events_total{answer="accepted"} 3.0' in metrics
        assert learned(run)


def count(answer: str) -> tuple[int, int]:
    told: dict[str, Any] = json.loads(answer)
    return told["accepted"], told["rejected"]


def page(answer: str) -> list[str]:
    return [item["item_id"] for item in json.loads(answer)["items"]]


def learned(run: Any) -> bool:
    """Whether the trainer catches up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if json.loads(run(f"curl -s localhost:{PORT}/v1/status"))["trainer_lag"] == 0:
            return True
        time.sleep(0.1)
    return False
