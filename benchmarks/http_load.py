"""What benchmarks of the server share: a home, a running server, light HTTP connections, and percentiles."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

FEEDMILL = Path(sys.executable).with_name("feedmill")


@contextlib.contextmanager
def served(home: Path, *settings: str, cores: Sequence[int] | None = None) -> Iterator[str]:
    """A server and a trainer over a home; gives the address. `cores` pins the processes."""
    pinned = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
    words = [word for setting in settings for word in ("--set", setting)]
    environment = {**os.environ, "FEEDMILL_LOG": "warning"}
    process = subprocess.Popen(
        [*pinned, str(FEEDMILL), "serve", "--home", str(home), "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start: exit code {process.wait()}")
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        process.wait(60)


class Connection:
    """One HTTP connection that is kept alive. Costs the load generator about 50 microseconds a request."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of the answer."""
        # A server closes connections that have been idle for long.
        if self._writer is None or self._reader is None or self._writer.is_closing() or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        return int(lines[0].split()[1]), await self._reader.readexactly(int(headers.get("content-length", "0")))

    async def json(self, method: str, path: str, value: Any = None) -> Any:
        """The decoded answer. Raises RuntimeError where it is none of success."""
        status, body = await self.request(method, path, b"" if value is None else json.dumps(value).encode())
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {body[:500]!r}")
        return json.loads(body) if body else None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


async def paced(per_second: float, until: asyncio.Event, act: Any) -> int:
    """Call `act` so often a second until the event is set, whatever it takes: how many calls there were."""
    begun, count = time.perf_counter(), 0
    running: set[asyncio.Task[None]] = set()
    while not until.is_set():
        task = asyncio.create_task(act(count))
        running.add(task)
        task.add_done_callback(running.discard)
        count += 1
        await asyncio.sleep(max(0.0, begun + count / per_second - time.perf_counter()))
    for task in list(running):
        await task
    return count


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest."""
    values = np.asarray(milliseconds)
    named = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
    return {name: round(float(np.percentile(values, share)), 2) for name, share in named.items()}
