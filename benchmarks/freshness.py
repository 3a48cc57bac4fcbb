"""How soon a feed knows what it was told (figure L3): separate processes, under a steady load, over HTTP.

Two kinds of probes run under 20 feeds/s and 2,000 events/s:

- state: a user hides the item at the top of their feed; from the post to the end of the answer of the next feed, which
  must not have the item. A feed that still has it counts as a miss, and the probe asks again.
- parameters: a user likes an item that nobody has been shown, which is a positive example at once; from the post to the
  end of the first answer whose prediction for another user and the same item was made by parameters that have learned
  the event. The prediction is asked for every 20 ms. How far it moves at that moment is reported beside how far it
  moves between two answers before it, where only time has passed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.records import Item, Record
from feedmill.run.home import Home
from feedmill.stream.log.sqlite import SqliteLog
from http_load import FEEDMILL, Connection, paced, percentiles, served
from report import Figure, arguments, progress, report

ITEMS, USERS, AUTHORS, TAGS = 10_000, 5_000, 500, 40
PAST_USERS = 200_000
FEEDS_PER_SECOND, EVENTS_PER_SECOND, POST = 20, 2_000, 100
PROBES = 1_000
POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 30.0


@dataclass
class Measured:
    """What the probes have seen, in milliseconds."""

    posted: list[float] = field(default_factory=list)
    state: list[float] = field(default_factory=list)
    misses: int = 0
    parameters: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    drifted: list[float] = field(default_factory=list)
    lost: int = 0
    feeds: list[float] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)


def main() -> None:
    parser = arguments("How soon a feed knows what it was told.")
    parser.add_argument("--past", type=int, default=0, metavar="N", help="so many events are in the log before")
    parser.add_argument(
        "--home", type=Path, help="a home to use again, with the past that it has; made where it is not"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        if options.past and not home.exists():
            write_past(home, options.past, options.seed)
        begun = time.perf_counter()
        with served(home) as url:
            ready = time.perf_counter() - begun
            progress(f"ready after {ready:.1f} s")
            measured, seconds, status = asyncio.run(run(url, options))
    state, parameters = percentiles(measured.state), percentiles(measured.parameters)
    report(
        {
            "L3": Figure(parameters["p99"], "ms", less_is_better=True),
            "L3 state": Figure(state["p99"], "ms", less_is_better=True),
        },
        options=options,
        libraries=("torch", "fastapi", "uvicorn"),
        past={"events": options.past, "users": PAST_USERS if options.past else 0, "seconds_to_ready": round(ready, 2)},
        load={"feeds_per_second": FEEDS_PER_SECOND, "events_per_second": EVENTS_PER_SECOND, "seconds": round(seconds)},
        event_to_state_ms={**state, "probes": len(measured.state), "misses": measured.misses},
        event_to_model_ms={**parameters, "probes": len(measured.parameters), "lost": measured.lost},
        event_posted_ms=percentiles(measured.posted),
        prediction={
            "moved_by_learning": statistics.median(measured.moved),
            "moved_by_time": statistics.median(measured.drifted) if measured.drifted else 0.0,
        },
        feed_ms=percentiles(measured.feeds),
        post_of_100_ms=percentiles(measured.posts),
        published={"Monolith, paper": "about a minute", "Monolith, code": "10 s", "Ekko, across sites": "2.4 s"},
        status=status,
    )


def write_past(home: Path, events: int, seed: int) -> None:
    """A log of so many events of the last month, learned: most of them views."""
    rng = np.random.default_rng(seed)
    now = time.time_ns() // 1_000_000
    actions = np.array(["view", "click", "like", "hide"])
    with contextlib.closing(SqliteLog(Home(home).log)) as log:
        log.append([Record("item", now - 31 * DAY, object=f"i{n}", body=Item(**body(n, rng))) for n in range(ITEMS)])
        for start in range(0, events, 100_000):
            n = min(100_000, events - start)
            times = (now - 30 * DAY + 30 * DAY * (start + np.arange(n)) // events).tolist()
            users, items = rng.integers(PAST_USERS, size=n).tolist(), (ITEMS * rng.random(n) ** 3).astype(int).tolist()
            did, seconds = rng.choice(actions, n, p=[0.94, 0.02, 0.02, 0.02]).tolist(), rng.integers(1, 60, n).tolist()
            log.append(
                [
                    Record(
                        "event", times[k], f"u{users[k]}", f"i{items[k]}", did[k],
                        value=float(seconds[k]) if did[k] == "view" else None, event_id=f"past-{start + k}",
                    )
                    for k in range(n)
                ]
            )  # fmt: skip
            if start % 1_000_000 == 0:
                progress(f"writing the past: {start + n:,} of {events:,} events")
    subprocess.run([FEEDMILL, "train", "--home", home], check=True, stdout=subprocess.DEVNULL)


async def run(url: str, options: argparse.Namespace) -> tuple[Measured, float, Any]:
    generator = np.random.default_rng(options.seed)
    connection = Connection(url)
    await fill(connection, generator)
    measured, done = Measured(), asyncio.Event()
    probes = PROBES // 10 if options.quick else PROBES
    load = [
        asyncio.create_task(paced(FEEDS_PER_SECOND, done, feeds(url, generator, measured))),
        asyncio.create_task(paced(EVENTS_PER_SECOND / POST, done, posts(url, generator, measured))),
    ]
    await asyncio.sleep(1.0 if options.quick else 10.0)
    progress("probing")
    begun = time.perf_counter()
    await asyncio.gather(
        probe_state(url, generator, measured, probes), probe_parameters(url, generator, measured, probes)
    )
    done.set()
    for task in load:
        await task
    return measured, time.perf_counter() - begun, await connection.json("GET", "/v1/status")


async def fill(connection: Connection, generator: np.random.Generator) -> None:
    """Items, and a past for the users."""
    for start in range(0, ITEMS, 1_000):
        items = [item(number, generator) for number in range(start, start + 1_000)]
        await connection.json("POST", "/v1/items", items)
    for start in range(0, 40_000, 2_000):
        await connection.json("POST", "/v1/events", [event(generator) for _ in range(2_000)])
        progress(f"filling: {start + 2_000:,} events")
    for _ in range(600):
        status = await connection.json("GET", "/v1/status")
        if status["trainer_lag"] == 0:
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"the trainer does not follow: {json.dumps(status)}")


def item(number: int, generator: np.random.Generator) -> dict[str, Any]:
    return {"item_id": f"i{number}", "title": f"Item {number}", **body(number, generator)}


def body(number: int, generator: np.random.Generator) -> dict[str, Any]:
    return {
        "author_id": f"a{number % AUTHORS}",
        "tags": tuple(f"t{tag}" for tag in generator.choice(TAGS, 2, replace=False)),
        "duration": float(generator.integers(10, 300)),
    }


def event(generator: np.random.Generator) -> dict[str, Any]:
    # Some items are far more popular than others.
    chosen = int(ITEMS * generator.random() ** 3)
    action = generator.choice(["view", "click", "long_view", "like", "skip"], p=[0.4, 0.3, 0.15, 0.1, 0.05])
    one = {"user_id": f"u{generator.integers(USERS)}", "item_id": f"i{chosen}", "action": str(action)}
    return {**one, "value": float(generator.integers(1, 60))} if action == "view" else one


def feeds(url: str, generator: np.random.Generator, measured: Measured) -> Any:
    idle: list[Connection] = []

    async def act(count: int) -> None:
        connection = idle.pop() if idle else Connection(url)
        begun = time.perf_counter()
        await connection.json("GET", f"/v1/feed/u{generator.integers(USERS)}")
        measured.feeds.append(1000 * (time.perf_counter() - begun))
        idle.append(connection)

    return act


def posts(url: str, generator: np.random.Generator, measured: Measured) -> Any:
    idle: list[Connection] = []

    async def act(count: int) -> None:
        connection = idle.pop() if idle else Connection(url)
        batch = [event(generator) for _ in range(POST)]
        begun = time.perf_counter()
        answer = await connection.json("POST", "/v1/events", batch)
        measured.posts.append(1000 * (time.perf_counter() - begun))
        if answer["accepted"] != POST:
            raise RuntimeError(f"events were not accepted: {answer}")
        idle.append(connection)

    return act


async def probe_state(url: str, generator: np.random.Generator, measured: Measured, probes: int) -> None:
    connection = Connection(url)
    # A home that is used again knows the requests of before.
    run = time.time_ns()
    for probe in range(probes):
        user = f"u{generator.integers(USERS)}"
        page = await connection.json("GET", f"/v1/feed/{user}?request_id=before-{run}-{probe}")
        top = page["items"][0]["item_id"]
        begun = time.perf_counter()
        await connection.json("POST", "/v1/events", {"user_id": user, "item_id": top, "action": "hide"})
        measured.posted.append(1000 * (time.perf_counter() - begun))
        while True:
            page = await connection.json("GET", f"/v1/feed/{user}")
            if all(one["item_id"] != top for one in page["items"]):
                break
            measured.misses += 1
        measured.state.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(float(generator.random() * 0.1))
        if probe % 100 == 99:
            progress(f"state: {probe + 1} probes, {percentiles(measured.state)}")


async def probe_parameters(url: str, generator: np.random.Generator, measured: Measured, probes: int) -> None:
    connection = Connection(url)
    for probe in range(probes):
        item_id = f"i{ITEMS - 1 - int(generator.integers(ITEMS // 2))}"
        question = {"user_id": f"probe-{probe}", "item_ids": [item_id]}
        begun = time.perf_counter()
        posted = await connection.json(
            "POST", "/v1/events", {"user_id": f"liker-{probe}", "item_id": item_id, "action": "like"}
        )
        before: float | None = None
        while True:
            answer = await connection.json("POST", "/v1/rank", question)
            elapsed = time.perf_counter() - begun
            prediction = answer["items"][0]["predictions"]["like"]
            if answer["freshness"]["parameters_position"] >= posted["position"]:
                measured.parameters.append(1000 * elapsed)
                if before is not None:
                    measured.moved.append(abs(prediction - before))
                break
            if before is not None:
                measured.drifted.append(abs(prediction - before))
            if elapsed > GIVE_UP_SECONDS:
                measured.lost += 1
                break
            before = prediction
            await asyncio.sleep(POLL_SECONDS)
        if probe % 100 == 99:
            progress(f"parameters: {probe + 1} probes, {percentiles(measured.parameters)}")


if __name__ == "__main__":
    main()
