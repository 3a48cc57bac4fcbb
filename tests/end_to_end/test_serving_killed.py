"""Server, trainer and supervisor are killed under load: what was acknowledged is in the log, once."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from feedmill.domain.records import Item, Record
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.serving import Part, serving
from feedmill.testing.serving_load import Load

ITEMS = 300
PARTS: tuple[Part, ...] = ("server", "trainer", "supervisor")


def kill_at_random(home: Path, kills: int, seed: int) -> list[tuple[Part, float]]:
    """Kill each part in turn under load; seconds until the server was ready after each."""
    generator, readiness = random.Random(seed), []
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serving(home))
        port = int(served.url.rpartition(":")[2])
        load = Load(served.url, items=ITEMS)
        stack.callback(load.stop)
        for number in range(kills):
            part = PARTS[number % len(PARTS)]
            time.sleep(generator.uniform(0.3, 1.5))
            before = load.feeds
            assert served.kill(part), f"there was no {part}"
            begun = time.monotonic()
            if part == "supervisor":
                served = stack.enter_context(serving(home, port=port))
            if part == "trainer":
                # Serving goes on.
                assert len(served.ask("GET", "/v1/feed/u1?limit=10", timeout=5).json["items"]) == 10
            served.wait_until_ready()
            readiness.append((part, time.monotonic() - begun))
            deadline = time.monotonic() + 30
            while load.feeds == before and time.monotonic() < deadline:
                time.sleep(0.02)
            assert load.feeds > before
        load.stop()
        # The trainer, too, has come back, and learns to the end.
        served.wait_until_learned()
        freshness = served.get("/v1/status")["freshness"]
        assert freshness["parameters_step"] > 0
    assert load.wrong == []
    with contextlib.closing(SqliteLog(home / "log.sqlite", read_only=True)) as log:
        logged = Counter(record.event_id for record in log.read(0, log.end())[0] if record.kind == "event")
    assert load.acknowledged
    assert set(load.acknowledged) - logged.keys() == set()
    assert max(logged.values()) == 1
    return readiness


def write_log(home: Path, events: int) -> None:
    """A home with a log, as an import leaves it."""
    from feedmill.run.home import Home

    opened, now = Home(home), time.time_ns() // 1_000_000
    generator = random.Random(1)
    with contextlib.closing(SqliteLog(opened.log)) as log:
        log.append([Record("item", now, object=f"i{n}", body=Item(tags=(f"t{n % 7}",))) for n in range(ITEMS)])
        for start in range(0, events, 10_000):
            log.append(
                [
                    Record(
                        "event",
                        now - 86_400_000 + (86_000_000 * n) // events,
                        f"u{generator.randrange(20_000)}",
                        f"i{generator.randrange(ITEMS)}",
                        generator.choice(["like", "click", "skip", "view"]),
                        event_id=f"old-{n}",
                    )
                    for n in range(start, min(start + 10_000, events))
                ]
            )


@pytest.mark.timeout(300)
def test_killed_three_times_under_load_it_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    write_log(tmp_path / "home", 5_000)
    kill_at_random(tmp_path / "home", 3, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_killed_twenty_times_with_a_million_records_it_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    write_log(tmp_path / "home", 1_000_000)
    with serving(tmp_path / "home") as served:
        served.wait_until_learned(600)
    readiness = kill_at_random(tmp_path / "home", 20, seed=2)
    print("seconds to ready:", [(part, round(seconds, 2)) for part, seconds in readiness])
