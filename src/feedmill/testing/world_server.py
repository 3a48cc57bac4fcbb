"""A server and a trainer on the clock of a simulated world, each a process, without a supervisor: for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field

from feedmill.client import Client, FeedmillConnectionError, FeedmillHTTPError
from feedmill.domain.clock import ScaledClock
from feedmill.run.home import Home
from feedmill.run.local.processes import ProcessInfo, write_processes
from feedmill.run.local.serving import home_children, url_of
from feedmill.testing.serving import wait_for


@dataclass
class WorldServer:
    """A home that is served on a world's clock."""

    home: Home
    clock: ScaledClock
    listening: socket.socket
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the server listens."""
        return url_of("127.0.0.1", self.listening)

    def start(self, name: str) -> None:
        """Start `server` or `trainer`."""
        child = next(
            one for one in home_children(self.home, self.listening, self.url, clock=self.clock) if one.name == name
        )
        environment = {**os.environ, **child.environment, "FEEDMILL_LOG": "warning"}
        self.processes[name] = subprocess.Popen(
            child.command, env=environment, pass_fds=child.descriptors, stdout=subprocess.DEVNULL
        )
        self._tell()

    def end(self, name: str) -> None:
        """kill -9."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self._tell()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self.processes[name].send_signal(number)

    def wait_until_ready(self) -> None:
        """Until the server answers feeds."""
        with Client(self.url, timeout=1.0) as client:

            def ready() -> bool:
                try:
                    return not client.status()["starting"]
                except (FeedmillConnectionError, FeedmillHTTPError):
                    return False

            wait_for(ready, 60)

    def _tell(self) -> None:
        write_processes(self.home.processes, [ProcessInfo(name, one.pid, 0) for name, one in self.processes.items()])

    def close(self) -> None:
        """End both."""
        for name in list(self.processes):
            self.send(name, signal.SIGCONT)
            self.end(name)
