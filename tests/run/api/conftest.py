"""A server on a port of its own, over an engine on a home of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.registry import Collector

from feedmill.domain.clock import Clock, SystemClock
from feedmill.run.api.app import make_app
from feedmill.run.api.config import ApiConfig
from feedmill.run.api.serving import make_server
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local.live import Live

START_SECONDS = 20.0


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    host: str
    port: int
    live: Live

    def connect(self) -> socket.socket:
        """A connection to speak over by hand."""
        return socket.create_connection((self.host, self.port), timeout=10)


Serve = Callable[..., AbstractContextManager[Served]]


def open_live(home: Path, clock: Clock | None = None) -> Live:
    """An engine that has not been started."""
    return Live(Home(home), Config(), clock or SystemClock())


@contextlib.contextmanager
def serving(
    live: Live,
    *,
    api_key: str | None = None,
    config: ApiConfig | None = None,
    collectors: Sequence[Collector] = (),
) -> Iterator[Served]:
    """The engine behind HTTP until the block ends."""
    config = config or ApiConfig()
    server = make_server(make_app(live, api_key=api_key, config=config, collectors=collectors), config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        host, port = listening.getsockname()
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < give_up
            time.sleep(0.005)
        try:
            yield Served(f"http://{host}:{port}", host, port, live)
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@pytest.fixture(scope="session")
def serve() -> Serve:
    """`with serve(live, api_key=..., config=..., collectors=...) as served`."""
    return serving


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An engine that has been started, on an empty home."""
    engine = open_live(tmp_path_factory.mktemp("home") / "home")
    engine.start()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def served(live: Live) -> Iterator[Served]:
    with serving(live, config=ApiConfig(max_body_bytes=200_000, max_events=500)) as server:
        yield server


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=30) as client:
        yield client
