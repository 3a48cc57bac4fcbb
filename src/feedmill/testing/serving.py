"""`feedmill serve` as a process, for tests: started, asked over HTTP, killed part by part."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import quote, urlsplit

from feedmill.run.home import Home
from feedmill.run.local.overview import read_server
from feedmill.testing.command_line import COMMAND

Part = Literal["server", "trainer", "supervisor"]

_UNSET = ("FEEDMILL_HOME", "FEEDMILL_LOG", "FEEDMILL_API_KEY")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Serving:
    """A home that is being served."""

    home: Path
    process: subprocess.Popen[str]
    url: str
    ready_seconds: float
    """From the start of the command to the line that says that it is ready."""
    errors: IO[str]

    def ask(
        self, method: str, path: str, value: Any = None, *, headers: dict[str, str] | None = None, timeout: float = 30.0
    ) -> Reply:
        """One request on a connection of its own. Raises OSError or HTTPException where there is no answer."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            body = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
            told = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body, {**told, **(headers or {})})
            answer = connection.getresponse()
            names = {name.lower(): text for name, text in answer.getheaders()}
            return Reply(answer.status, names, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of an answer of success; fails the test otherwise."""
        return self._succeeded("GET", path, self.ask("GET", path, headers=headers))

    def post(self, path: str, value: Any) -> Any:
        """The JSON of an answer of success; fails the test otherwise."""
        return self._succeeded("POST", path, self.ask("POST", path, value))

    def feed(self, user_id: str, query: str = "") -> Any:
        """A page."""
        return self.get(f"/v1/feed/{quote(user_id, safe='')}{query and '?' + query}")

    def wait_until_ready(self, seconds: float = 60.0) -> float:
        """Seconds until the server says that it is ready."""
        begun = time.monotonic()

        def ready() -> bool:
            try:
                return self.ask("GET", "/health/ready", timeout=seconds).status == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_for(ready, seconds)
        return time.monotonic() - begun

    def wait_until_learned(self, seconds: float = 60.0) -> None:
        """Until the server has parameters that have learned all that the log holds."""
        wait_for(lambda: self.get("/v1/status")["trainer_lag"] == 0, seconds)

    def pid(self, part: Part) -> int | None:
        """The process of a part, while there is one."""
        if part == "supervisor":
            return self.process.pid
        home = Home(self.home, create=False)
        if part == "server":
            info = read_server(home.server)
            return None if info is None else info.pid
        with suppress(OSError, ValueError):
            return int((home.snapshots / "trainer-lock").read_text())
        return None

    def kill(self, part: Part) -> bool:
        """kill -9; whether there was such a process."""
        pid = self.pid(part)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            if part == "supervisor":
                self.process.wait()
            return True
        return False

    def said(self) -> str:
        """What has been written to standard error so far."""
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def _succeeded(self, method: str, path: str, reply: Reply) -> Any:
        assert 200 <= reply.status < 300, f"{method} {path}: {reply.status} {reply.body[:1000]!r}"
        return reply.json if reply.body else None


@contextmanager
def serving(home: Path, *words: str, port: int = 0, **environment: str) -> Iterator[Serving]:
    """`feedmill serve` over a home until the block ends. Raises AssertionError with what it said if it cannot start."""
    settings = {name: value for name, value in os.environ.items() if name not in _UNSET}
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as errors:
        begun = time.monotonic()
        process = subprocess.Popen(
            [COMMAND, "serve", "--home", str(home), "--port", str(port), "--json", *words],
            env={**settings, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"feedmill serve ended with {process.wait()}: {Path(errors.name).read_text()}"
            yield Serving(home, process, json.loads(line)["url"], time.monotonic() - begun, errors)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Until the condition holds; fails the test when that takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        time.sleep(0.02)
