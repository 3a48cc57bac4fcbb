"""A home, served on this machine: what there is to check first, and which processes there are."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from feedmill.domain.clock import ScaledClock
from feedmill.domain.errors import ConfigError
from feedmill.run.config import load_config
from feedmill.run.home import Home
from feedmill.run.local.processes import write_processes
from feedmill.run.local.supervisor import SOCKET, Child, Supervisor, listen, python_command
from feedmill.stream.files import storage_errors
from feedmill.stream.log.lock import WriterLock

KEY = "FEEDMILL_API_KEY"
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""For each process: more threads would fight over the processors, and sums would depend on the machine."""


def serve_home(path: Path, host: str, port: int, settings: Sequence[str], *, as_json: bool, log: Any) -> int:
    """Serve the home at `path`, made where there is none, until a signal comes; the exit code.

    Raises what is wrong before anything has started: ConfigError, HomeError, FeedmillError for a port that is taken.
    """
    if not is_loopback(host) and not os.environ.get(KEY):
        raise ConfigError(
            f"--host {host}: others could reach the server there; set {KEY} to a secret that requests must carry,"
            " or listen on 127.0.0.1"
        )
    home = Home(path)
    load_config(home.config, environment=os.environ, arguments=settings)
    with contextlib.ExitStack() as resources:
        with storage_errors(home.path):
            lock = WriterLock(home.path / "serve-lock", "serving this home")
        resources.callback(lock.release)
        listening = resources.enter_context(listen(host, port))
        url = url_of(host, listening)
        children = home_children(home, listening, url, settings, as_json=as_json)
        try:
            return Supervisor(children, log, tell=partial(write_processes, home.processes)).run()
        finally:
            home.server.unlink(missing_ok=True)
            home.processes.unlink(missing_ok=True)


def home_children(
    home: Home,
    listening: socket.socket,
    url: str,
    settings: Sequence[str] = (),
    *,
    clock: ScaledClock | None = None,
    as_json: bool = False,
) -> list[Child]:
    """The processes that serve a home: the server first, which takes requests from `listening`.

    They go by the machine's clock where no other is given.
    """
    arguments = ["--home", str(home.path), *(word for one in settings for word in ("--set", one))]
    if clock is not None:
        arguments += ["--clock", str(clock)]
    server = Child(
        "server",
        python_command("feedmill.run.local.server", *arguments, "--url", url, *(["--json"] if as_json else [])),
        {**ALONE, SOCKET: str(listening.fileno())},
        needed=True,
        descriptors=(listening.fileno(),),
    )
    return [server, Child("trainer", python_command("feedmill.run.local.trainer", *arguments), ALONE, needed=False)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_of(host: str, listening: socket.socket) -> str:
    """The address that a socket listens at, which was asked to on `host`."""
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
