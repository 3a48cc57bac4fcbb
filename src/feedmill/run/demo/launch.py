"""Starts a demonstration: a home that is gone afterwards, and over it a server, a trainer and the console."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from feedmill.domain.clock import ScaledClock
from feedmill.domain.errors import FeedmillError, PortInUse, StorageError
from feedmill.run.config_layers import dump_toml
from feedmill.run.demo.greeting import greeting
from feedmill.run.demo.report import Report, read_report
from feedmill.run.demo.setting import Setting, live_config
from feedmill.run.home import Home
from feedmill.run.local.processes import write_processes
from feedmill.run.local.serving import ALONE, KEY, home_children, url_of
from feedmill.run.local.supervisor import SOCKET, Child, Supervisor, listen, python_command
from feedmill.run.logs import VARIABLE as LOG_LEVEL
from feedmill.run.world_config import world_config
from feedmill.stream.files import storage_errors

PORTS = 20
"""How many ports are tried, one after another, where none was asked for."""
_LEAST_BYTES = 400 * 2**20
"""At least twenty minutes of the usual world, and 100 MB that are left alone."""
_STANDARD_ERROR = 2


def demonstrate(setting: Setting, *, host: str, port: int | None, headless: bool, log: Any) -> Report:
    """Run a demonstration until its time is over or a signal comes.

    `port` is the console's: None takes the first free one from 8080, 0 any. Raises what is wrong before anything has
    started: ConfigError for a host that is none, FeedmillError for a port that is taken, StorageError. Raises
    FeedmillError where one of the processes could not go on, and has said why.
    """
    with contextlib.ExitStack() as resources:
        page = resources.enter_context(listen_for_page(host, port))
        listening = resources.enter_context(listen("127.0.0.1", 0))
        home = resources.enter_context(_temporary_home(setting))
        clock = setting.clock()
        server_url, url = url_of("127.0.0.1", listening), url_of(host, page)
        children = home_children(home, listening, server_url, clock=clock)
        children[0].output = os.open(os.devnull, os.O_WRONLY)
        resources.callback(os.close, children[0].output)
        for child in children:
            # The home goes with them.
            child.ended_by = signal.SIGKILL
        report = home.path / "report.json"
        ready = resources.enter_context(greeting(url, browse=not headless))
        children.append(_console(setting, home, clock, page, url, server_url, report, ready))
        for child in children:
            # What libraries keep in the folder for temporary files goes with the home, too. A key that somebody has set
            # is for another server.
            child.environment = {**_logging(), **child.environment, "TMPDIR": str(home.path.parent), KEY: ""}
        code = Supervisor(children, log, tell=partial(write_processes, home.processes)).run()
        if code:
            raise FeedmillError("the demonstration could not go on; what was wrong stands above")
        # Who ends it at once does not let the console begin.
        return read_report(report) or Report(url=url, seed=setting.seed)


def listen_for_page(host: str, port: int | None) -> socket.socket:
    """A socket that listens for the page's visitors."""
    if port is not None:
        return listen(host, port)
    for candidate in range(8080, 8080 + PORTS):
        try:
            return listen(host, candidate)
        except PortInUse:
            continue
    return listen(host, 0)


def _console(
    setting: Setting,
    home: Home,
    clock: ScaledClock,
    page: socket.socket,
    url: str,
    server_url: str,
    report: Path,
    ready: int,
) -> Child:
    command = python_command(
        "feedmill.run.console.process",
        "--server", server_url,
        "--url", url,
        "--clock", str(clock),
        "--setting", msgspec.json.encode(setting).decode(),
        "--processes", str(home.processes),
        "--report", str(report),
        "--ready", str(ready),
    )  # fmt: skip
    descriptor = page.fileno()
    environment = {**ALONE, SOCKET: str(descriptor)}
    return Child(
        "console", command, environment, needed=True, descriptors=(descriptor, ready), output=_STANDARD_ERROR, last=True
    )


@contextlib.contextmanager
def _temporary_home(setting: Setting) -> Iterator[Home]:
    """A home in the system's directory for temporary files, with the configuration of the demonstration."""
    with contextlib.ExitStack() as resources:
        with storage_errors(Path(tempfile.gettempdir())):
            path = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="feedmill-demo-")))
        free = shutil.disk_usage(path).free
        if free < _LEAST_BYTES:
            raise StorageError(
                f"{path.parent}: {free / 2**20:,.0f} MB are free, a demonstration wants {_LEAST_BYTES / 2**20:,.0f};"
                " free some, or name another directory with the environment variable TMPDIR"
            )
        home = Home(path / "home")
        with storage_errors(home.config):
            home.config.write_text(dump_toml(live_config(world_config(setting.seed))))
        yield home


def _logging() -> dict[str, str]:
    """Only what is wrong is worth a line here, unless somebody has asked for more."""
    return {} if LOG_LEVEL in os.environ else {LOG_LEVEL: "warning"}
