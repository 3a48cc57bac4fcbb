"""The supervisor: starts the processes of a home, restarts what dies, and ends them together.

It holds the listening socket. While a server is being restarted, requests wait in its queue instead of being refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from feedmill.domain.errors import ConfigError, FeedmillError, PortInUse, StorageError
from feedmill.run.local.lifeline import VARIABLE as LIFELINE
from feedmill.run.local.processes import ProcessInfo

STARTED = "FEEDMILL_STARTED"
"""When the process was started, in the environment of a child: seconds of the system's monotonic clock."""
SOCKET = "FEEDMILL_SOCKET"
"""The descriptor of the listening socket, in the environment of the server."""
FAILED_AT_START = 78
"""What a process exits with that cannot begin its work, and has said why: as sysexits(3) has it for configurations."""

_BACKLOG = 2_048
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_STEADY_SECONDS = 5.0
"""A process that has lived this long is restarted without a pause: starting it again and again is no busy loop."""
_END_SECONDS = 30.0
"""How long processes have to end when they are asked to."""


@dataclass(slots=True)
class Child:
    """One process that is kept running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    needed: bool
    """Whether the others end too when it cannot start the first time."""
    descriptors: tuple[int, ...] = ()
    output: int | None = None
    """The descriptor that its standard output goes to; None: where ours does."""
    last: bool = False
    """Whether its end, whatever it is, is that of the others too."""
    ended_by: signal.Signals = signal.SIGTERM
    """How it is asked to end; SIGKILL where nothing that it would still write is wanted."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    """Seconds of the timer."""
    due_at: float = 0.0
    pause: float = _FIRST_PAUSE
    restarts: int = 0
    proven: bool = False
    """It has lived for a while, or has been ended by a signal: it could start."""


@dataclass(slots=True)
class Supervisor:
    """Runs children until it is told to stop, one that is needed cannot start, or one that is the last ends."""

    children: list[Child]
    log: Any
    timer: Callable[[], float] = time.monotonic
    tell: Callable[[list[ProcessInfo]], None] = lambda processes: None
    """Called at each start and end of a child with how all of them are."""
    _stopping: bool = field(default=False, init=False)

    def run(self) -> int:
        """Start the children and keep them; the exit code when all have ended."""
        lifeline, held = os.pipe()
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        with contextlib.ExitStack() as resources:
            for descriptor in (lifeline, held, woken, wake):
                resources.callback(os.close, descriptor)
            resources.enter_context(_signals(wake, self._stop))
            selector = resources.enter_context(selectors.DefaultSelector())
            selector.register(woken, selectors.EVENT_READ)
            code = 0
            while not self._stopping:
                over = self._look(lifeline)
                if over is not None:
                    code = over
                    break
                if selector.select(self._pause()):
                    os.read(woken, 4096)
            self._end()
        return code

    def _stop(self) -> None:
        self._stopping = True

    def _look(self, lifeline: int) -> int | None:
        """Start what is due and see what has ended; an exit code where that is the end of all."""
        now = self.timer()
        told = self._processes()
        over = self._keep(lifeline, now)
        if (processes := self._processes()) != told:
            self._tell(processes)
        return over

    def _keep(self, lifeline: int, now: float) -> int | None:
        for child in self.children:
            if child.process is not None:
                code = child.process.poll()
                if code is None:
                    continue
                child.process = None
                if child.last:
                    if code < 0:
                        self.log.error("a process was killed", process=child.name, signal=_signal_name(-code))
                    return int(code != 0)
                steady = now - child.started_at >= _STEADY_SECONDS
                # However long it took: what has failed at its start was never there.
                child.proven = child.proven or code < 0 or (steady and code != FAILED_AT_START)
                if code == FAILED_AT_START and child.needed and not child.proven:
                    return 1
                child.pause = _FIRST_PAUSE if steady else min(2 * child.pause, _LONGEST_PAUSE)
                child.due_at = now if steady else now + child.pause
                self.log.warning("a process has ended and is started again", process=child.name, code=code)
            if child.due_at <= now:
                self._start(child, lifeline)
        return None

    def _start(self, child: Child, lifeline: int) -> None:
        environment = {**os.environ, **child.environment, LIFELINE: str(lifeline), STARTED: str(time.monotonic())}
        child.process = subprocess.Popen(
            child.command,
            env=environment,
            pass_fds=(lifeline, *child.descriptors),
            stdin=subprocess.DEVNULL,
            stdout=child.output,
            # Ctrl-C in the terminal is for the supervisor, which then ends the others in order.
            start_new_session=True,
        )
        child.restarts += child.started_at > 0
        child.started_at = self.timer()

    def _processes(self) -> list[ProcessInfo]:
        return [
            ProcessInfo(child.name, child.process.pid if child.process is not None else None, child.restarts)
            for child in self.children
        ]

    def _tell(self, processes: list[ProcessInfo]) -> None:
        try:
            self.tell(processes)
        except StorageError as error:
            self.log.warning("it cannot be told how the processes are", reason=str(error))

    def _pause(self) -> float | None:
        """Seconds until something is due; None where only a signal can bring news."""
        due = [child.due_at for child in self.children if child.process is None]
        return max(0.0, min(due) - self.timer()) if due else None

    def _end(self) -> None:
        """Ask the children to end, the first one last, and end those that do not."""
        for child in reversed(self.children):
            if child.process is None:
                continue
            child.process.send_signal(child.ended_by)
        deadline = self.timer() + _END_SECONDS
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.0, deadline - self.timer()))
            except subprocess.TimeoutExpired:
                self.log.warning("a process does not end and is killed", process=child.name)
                child.process.kill()
                child.process.wait()


@contextlib.contextmanager
def _signals(wake: int, stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP stop; these and SIGCHLD write to `wake`.

    SIGHUP is what the end of a terminal is told with. Where it is ignored, as under nohup, it stays so.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            stop()

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    woken_before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError for a host that is none, PortInUse, and FeedmillError for a port that only
    root may have."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError, UnicodeError):
        raise ConfigError(f"--host: {host!r} is not an address of this machine") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} of {host} is in use; stop what listens there, or choose another with --port"
            ) from None
        if error.errno == errno.EACCES:
            raise FeedmillError(f"port {port}: only root may listen there; choose one above 1023 with --port") from None
        raise ConfigError(f"--host: cannot listen on {host} ({error.strerror})") from None
    return listening


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours in a process of its own."""
    return [sys.executable, "-m", module, *arguments]
