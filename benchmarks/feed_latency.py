"""Feeds a second on one core, and what a feed takes at half of that (figure S1, first form).

100,000 items, 10,000 users with a past, five sources, about 500 candidates ranked by the default model after it has
learned, reranked, 20 on a page; every page is logged with its features, and traced. The server is alone on one core;
the trainer and the load are on another. The limit is the same HTTP server answering `/health/live`; Metarank,
which ranks 100 to 200 candidates, publishes 10 to 30 ms a request.

    python benchmarks/feed_latency.py [--items 100000] [--users 10000] [--seconds 20] [--home DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from feedmill.domain.records import Item, Record
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.run.local.overview import read_server
from http_load import Connection, paced, percentiles, served
from report import Figure, arguments, progress, report

AUTHORS, TAGS = 5_000, 200
EVENTS_PER_USER = 40
CONNECTIONS = 4
SERVER_CORE, OTHER_CORE = 0, 1


def main() -> None:
    parser = arguments(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--home", type=Path, help="keep the home there, and use it again")
    options = parser.parse_args()
    if options.quick:
        options.items, options.users, options.seconds = 10_000, 1_000, 3.0
    with tempfile.TemporaryDirectory() as folder:
        path = options.home or Path(folder) / "home"
        if not path.exists():
            write_home(path, options)
        with served(path) as url:
            pin(path)
            measured = asyncio.run(run(url, options))
    half = percentiles(measured["half_load_ms"])
    report(
        {
            "S1": Figure(measured["per_second"], "feeds/s", limit=measured["shell_per_second"]),
            "S1 latency": Figure(half["p99"], "ms", peers={"Metarank, published": 10.0}, less_is_better=True),
        },
        options=options,
        libraries=("torch", "faiss-cpu", "fastapi", "uvicorn"),
        items=options.items,
        users=options.users,
        candidates=measured["candidates"],
        half_load={"feeds_per_second": round(measured["per_second"] / 2, 1), **half},
        full_load=percentiles(measured["full_load_ms"]),
        stages_ms=measured["stages_ms"],
    )


def write_home(path: Path, options: argparse.Namespace) -> None:
    """A home that has learned from what its users did."""
    generator = np.random.default_rng(options.seed)
    with Engine(Home(path), Config()) as engine:
        now = engine.clock.now()
        with engine.ingest() as ingest:
            records = past(options, generator, now)
            while batch := list(islice(records, 10_000)):
                ingest.ingest(batch)
        progress("learning")
        engine.catch_up()


def past(options: argparse.Namespace, generator: np.random.Generator, now: int) -> Iterator[Record]:
    """Items of the last month, and what users did in the last day: some items are far more popular than others."""
    for number in range(options.items):
        body = Item(
            title=f"Item {number}",
            author_id=f"a{number % AUTHORS}",
            created_at=now - int(generator.integers(30 * 86_400_000)),
            categories=(f"c{number % 20}",),
            tags=tuple(f"t{tag}" for tag in generator.choice(TAGS, 2, replace=False)),
            duration=float(generator.integers(10, 300)),
        )
        yield Record("item", now - 86_400_000, object=f"i{number}", body=body)
    count = options.users * EVENTS_PER_USER
    users = generator.integers(options.users, size=count)
    items = (options.items * generator.random(count) ** 3).astype(int)
    outcomes = generator.random(count)
    for number in range(count):
        liked: dict[str, float] = {}
        if outcomes[number] < 0.4:
            liked["click"] = 1.0
        if outcomes[number] < 0.2:
            liked["long_view"] = 1.0
        if outcomes[number] < 0.1:
            liked["like"] = 1.0
        timestamp = now - 86_000_000 + 86_000_000 * number // count
        yield Record("seen", timestamp, f"u{users[number]}", f"i{items[number]}", event_id=f"e{number}", outcomes=liked)


def pin(home: Path) -> None:
    """The server on a core of its own, everything else on another; nothing where there is only one."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return
    info = read_server(Home(home, create=False).server)
    trainer = int((home / "snapshots" / "trainer-lock").read_text())
    for pid, core in ((os.getpid(), OTHER_CORE), (trainer, OTHER_CORE), (info.pid if info else 0, SERVER_CORE)):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


async def run(url: str, options: argparse.Namespace) -> dict[str, Any]:
    generator = np.random.default_rng(options.seed + 1)
    connections = [Connection(url) for _ in range(CONNECTIONS)]

    def question() -> str:
        return f"/v1/feed/u{generator.integers(options.users)}"

    progress("warming up")
    await saturate(connections, question, 2.0)
    progress("the bare server")
    shell, _ = await saturate(connections, lambda: "/health/live", min(5.0, options.seconds))
    progress("as many feeds as it can")
    before = await stages(connections[0])
    per_second, full_load = await saturate(connections, question, options.seconds)
    after = await stages(connections[0])
    feeds = len(full_load)
    progress(f"{per_second:.0f} feeds/s; at half of that")
    half_load: list[float] = []
    done = asyncio.Event()

    async def ask(count: int) -> None:
        connection = idle.pop() if idle else Connection(url)
        begun = time.perf_counter()
        await connection.json("GET", question())
        half_load.append(1000 * (time.perf_counter() - begun))
        idle.append(connection)

    idle: list[Connection] = list(connections)
    asyncio.get_running_loop().call_later(options.seconds, done.set)
    await paced(per_second / 2, done, ask)
    explained = await connections[0].json("GET", f"/v1/explain/{await named(connections[0])}")
    return {
        "per_second": per_second,
        "shell_per_second": shell,
        "full_load_ms": full_load,
        "half_load_ms": half_load,
        "candidates": explained["trace"]["candidates"],
        "stages_ms": {
            name: round(1000 * (seconds - before.get(name, 0.0)) / feeds, 3)
            for name, seconds in sorted(after.items(), key=lambda one: before.get(one[0], 0.0) - one[1])
        },
    }


async def named(connection: Connection) -> str:
    page = await connection.json("GET", "/v1/feed/u1")
    return str(page["request_id"])


async def saturate(connections: list[Connection], question: Any, seconds: float) -> tuple[float, list[float]]:
    """All connections ask one question after another: answers a second, and what each took in milliseconds."""
    end, taken = time.perf_counter() + seconds, []

    async def ask(connection: Connection) -> None:
        while (begun := time.perf_counter()) < end:
            status, body = await connection.request("GET", question())
            if status != 200:
                raise RuntimeError(f"{status} {body[:500]!r}")
            taken.append(1000 * (time.perf_counter() - begun))

    begun = time.perf_counter()
    await asyncio.gather(*map(ask, connections))
    return len(taken) / (time.perf_counter() - begun), taken


async def stages(connection: Connection) -> dict[str, float]:
    """Seconds spent in each stage so far."""
    _, body = await connection.request("GET", "/metrics")
    found = re.findall(
        r'^feedmill_stage_seconds_total\{feed="feedmill",kind="([^"]*)",stage="([^"]*)"\} (\S+)', body.decode(), re.M
    )
    return {f"{kind}/{stage}": float(seconds) for kind, stage, seconds in found}


if __name__ == "__main__":
    main()
