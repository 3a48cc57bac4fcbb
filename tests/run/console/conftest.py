"""Pages of the console, served by processes of their own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedmill.testing.serving import wait_for

START_SECONDS = 60.0


@pytest.fixture(scope="session")
def serve_page() -> Callable[[str], contextlib.AbstractContextManager[str]]:
    """`with serve_page("phone_page.py") as url`: runs a file beside this one with a port as its argument."""

    @contextlib.contextmanager
    def serve(name: str) -> Iterator[str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(Path(__file__).with_name(name)), str(port)]
        # NiceGUI serves nothing where it believes that it is itself under test.
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        with subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL) as process:
            try:
                wait_for(lambda: process.poll() is not None or _listens(port), START_SECONDS)
                assert process.poll() is None, f"{name} did not start"
                yield f"http://127.0.0.1:{port}"
            finally:
                process.kill()

    return serve


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
