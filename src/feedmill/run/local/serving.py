"""A home, served on this machine: what there is to check first, and which processes there are."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedmill.domain.errors import ConfigError
from feedmill.run.config import load_config
from feedmill.run.home import Home
from feedmill.run.local.supervisor import SOCKET, Child, Supervisor, listen, python_command
from feedmill.stream.files import storage_errors
from feedmill.stream.log.lock import WriterLock

KEY = "FEEDMILL_API_KEY"


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
        url = _url(host, listening.getsockname()[1])
        arguments = ["--home", str(home.path), *(word for one in settings for word in ("--set", one))]
        # One thread each: more would fight over the processors, and sums would depend on the machine.
        alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        server = Child(
            "server",
            python_command("feedmill.run.local.server", *arguments, "--url", url, *(["--json"] if as_json else [])),
            {**alone, SOCKET: str(listening.fileno())},
            needed=True,
            descriptors=(listening.fileno(),),
        )
        trainer = Child("trainer", python_command("feedmill.run.local.trainer", *arguments), alone, needed=False)
        try:
            return Supervisor([server, trainer], log).run()
        finally:
            home.server.unlink(missing_ok=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
