"""What dies is started again; what cannot start says so; nobody outlives the supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedmill.domain.errors import ConfigError, PortInUse
from feedmill.run.local.processes import ProcessInfo, read_processes
from feedmill.run.local.supervisor import listen

SUPERVISOR = """
import sys
import structlog
from functools import partial
from pathlib import Path
from feedmill.run.local.processes import write_processes
from feedmill.run.local.supervisor import Child, Supervisor
folder, mark, *bodies = sys.argv[1:]
before = '''
import os, pathlib, signal, sys, time
from feedmill.run.local.lifeline import hold_on
hold_on()
own = pathlib.Path(sys.argv[1])
with own.open("a") as file:
    print(os.getpid(), file=file)
'''
children = [
    Child(
        f"child-{number}", [sys.executable, "-c", before + body, f"{folder}/{number}"], {},
        needed=mark == "needed", last=mark == "last" and number == 0,
    )
    for number, body in enumerate(bodies)
]
tell = partial(write_processes, Path(folder) / "processes.json")
structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
sys.exit(Supervisor(children, structlog.get_logger(), tell=tell).run())
"""
FOREVER = "time.sleep(600)"


@contextmanager
def supervised(
    folder: Path, *bodies: str, mark: str = "", before: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """`mark`: all are `needed`, or the first is the `last`. `before` are words of the command before its own."""
    words = [*before, sys.executable, "-c", SUPERVISOR, str(folder), mark, *bodies]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def pids(folder: Path, child: int = 0) -> list[int]:
    path = folder / str(child)
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_process_that_is_killed_is_started_again_and_the_other_goes_on(tmp_path: Path) -> None:
    with supervised(tmp_path, FOREVER, FOREVER):
        for deaths in (1, 2):
            wait_for(lambda deaths=deaths: len(pids(tmp_path)) == deaths and pids(tmp_path, 1))  # type: ignore[misc]
            os.kill(pids(tmp_path)[-1], signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path)) == 3)
        assert len(pids(tmp_path, 1)) == 1
        assert lives(pids(tmp_path)[-1])
        assert lives(pids(tmp_path, 1)[0])


def test_sigterm_ends_all_processes_in_order(tmp_path: Path) -> None:
    graceful = f"""
def end(number, frame):
    (own.parent / "ended").open("a").write(own.name)
    sys.exit()
signal.signal(signal.SIGTERM, end)
(own.parent / f"ready-{{own.name}}").touch()
{FOREVER}
"""
    with supervised(tmp_path, graceful, graceful) as supervisor:
        wait_for(lambda: (tmp_path / "ready-0").exists() and (tmp_path / "ready-1").exists())
        supervisor.terminate()
        assert supervisor.wait(20) == 0
    assert sorted((tmp_path / "ended").read_text()) == ["0", "1"]
    assert not any(lives(pid) for child in (0, 1) for pid in pids(tmp_path, child))


def test_a_terminal_that_is_closed_ends_all_processes(tmp_path: Path) -> None:
    with supervised(tmp_path, FOREVER) as supervisor:
        wait_for(lambda: pids(tmp_path))
        supervisor.send_signal(signal.SIGHUP)
        assert supervisor.wait(20) == 0
    assert not lives(pids(tmp_path)[0])


def test_a_terminal_that_is_closed_ends_nothing_that_was_told_not_to_mind(tmp_path: Path) -> None:
    with supervised(tmp_path, FOREVER, before=("nohup",)) as supervisor:
        wait_for(lambda: pids(tmp_path))
        supervisor.send_signal(signal.SIGHUP)
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path)) == 2)
        assert supervisor.poll() is None


@pytest.mark.parametrize("trying", ["", "time.sleep(5.5); "], ids=["at once", "after a while"])
def test_a_needed_process_that_cannot_start_ends_the_supervisor(tmp_path: Path, trying: str) -> None:
    with supervised(tmp_path, f"{trying}sys.exit(78)", FOREVER, mark="needed") as supervisor:
        assert supervisor.wait(20) == 1
    assert len(pids(tmp_path)) == 1
    assert not any(lives(pid) for pid in pids(tmp_path, 1))


def test_a_process_that_keeps_failing_is_started_less_and_less_often(tmp_path: Path) -> None:
    with supervised(tmp_path, "sys.exit(3)"):
        begun = time.monotonic()
        wait_for(lambda: len(pids(tmp_path)) == 5)
        # Pauses of 0.2, 0.4, 0.8 and 1.6 seconds.
        assert time.monotonic() - begun > 2.9


@pytest.mark.parametrize(("ending", "code"), [("", 0), ("sys.exit(3)", 1)])
def test_the_end_of_the_last_is_the_end_of_all(tmp_path: Path, ending: str, code: int) -> None:
    with supervised(tmp_path, f"time.sleep(0.5); {ending}", FOREVER, mark="last") as supervisor:
        assert supervisor.wait(20) == code
    assert len(pids(tmp_path)) == 1
    assert not any(lives(pid) for pid in pids(tmp_path, 1))


def test_what_has_killed_the_last_is_said(tmp_path: Path) -> None:
    with supervised(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", mark="last") as supervisor:
        assert supervisor.wait(20) == 1
        assert supervisor.stderr is not None
        said = supervisor.stderr.read().decode()
    assert "child-0" in said
    assert "SIGKILL" in said


def test_how_the_processes_are_is_told_at_each_start_and_end(tmp_path: Path) -> None:
    told = tmp_path / "processes.json"
    with supervised(tmp_path, FOREVER, FOREVER):
        wait_for(lambda: pids(tmp_path) and pids(tmp_path, 1))
        first, other = pids(tmp_path)[0], pids(tmp_path, 1)[0]
        wait_for(lambda: read_processes(told))
        assert read_processes(told) == (ProcessInfo("child-0", first, 0), ProcessInfo("child-1", other, 0))
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: read_processes(told)[0].pid is None)
        wait_for(lambda: read_processes(told)[0].restarts == 1)
        wait_for(lambda: len(pids(tmp_path)) == 2)
        assert read_processes(told) == (ProcessInfo("child-0", pids(tmp_path)[1], 1), ProcessInfo("child-1", other, 0))


def test_where_nothing_is_told_there_are_no_processes(tmp_path: Path) -> None:
    assert read_processes(tmp_path / "nowhere") == ()
    (tmp_path / "torn").write_text("[{")
    assert read_processes(tmp_path / "torn") == ()


def test_processes_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, FOREVER, FOREVER) as supervisor:
        wait_for(lambda: pids(tmp_path) and pids(tmp_path, 1))
        supervisor.kill()
        wait_for(lambda: not any(lives(pid) for child in (0, 1) for pid in pids(tmp_path, child)))


def test_a_port_that_is_taken_and_a_host_that_is_none_are_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} of 127\.0\.0\.1 is in use.*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match=r"'no\.such\.host\.invalid' is not an address"):
        listen("no.such.host.invalid", 0)
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_requests_wait_in_the_queue_while_nobody_accepts_them() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()) as client:
        client.sendall(b"hello")
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"
