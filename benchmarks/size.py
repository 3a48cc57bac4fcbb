"""How much memory and disk users, items and events take, in a home that has learned from them.

Generates users with four attributes, items with a title, an author, a category and two tags, and impressions with
their outcomes; imports them, learns, takes a snapshot, and answers a feed.

    python benchmarks/size.py [--users 1000000] [--items 1000000] [--events 1000000] [--json] [--quick]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from feedmill.domain.clock import ManualClock
from feedmill.domain.records import Item, Record, User
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from report import Figure, arguments, progress, report

START = 1_700_000_000_000


def main() -> None:
    parser = arguments(__doc__.splitlines()[0] if __doc__ else "")
    for name in ("users", "items", "events"):
        parser.add_argument(f"--{name}", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.quick:
        options.users = options.items = options.events = 20_000
    torch.set_num_threads(1)
    generator = np.random.default_rng(options.seed)
    clock = ManualClock(START + 10**9)
    empty = resident()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        with Engine(home, Config(), clock) as engine:
            sizes: dict[str, int] = {}
            for name, records in (
                ("users", users(options.users)),
                ("items", items(options.items, generator)),
                ("events", events(options, generator)),
            ):
                before = on_disk(home.path)
                with engine.ingest() as ingest:
                    while batch := list(islice(records, 10_000)):
                        ingest.ingest(batch)
                sizes[name] = on_disk(home.path) - before
                progress(f"{name}: {sizes[name] / 1e6:,.0f} MB in the log and the catalog")
            before = on_disk(home.path)
            started = time.perf_counter()
            engine.catch_up()
            seconds = time.perf_counter() - started
            snapshot = on_disk(home.path) - before
            page = engine.recommend("u1")
            rows = len(engine.trainer.learner.parameters.table)
            memory = resident() - empty
            progress(
                f"learned in {seconds:,.0f} s; {rows:,} rows; {memory / 1e9:.2f} GB of memory; {len(page.items)} items"
            )
    counts = {name: getattr(options, name) for name in sizes}
    figures = {f"disk.{name}": Figure(size / counts[name], "bytes") for name, size in sizes.items()}
    figures |= {"disk.snapshot": Figure(snapshot / 1e9, "GB"), "memory": Figure(memory / 1e9, "GB")}
    report(figures, options=options, table_rows=rows, learning_seconds=seconds, **counts)


def users(count: int) -> Iterator[Record]:
    for n in range(count):
        attributes = {"country": n % 50, "age": 18 + n % 60, "device": "phone" if n % 3 else "tablet", "plan": n % 4}
        yield Record("user", START, subject=f"u{n}", body=User(attributes=attributes))


def items(count: int, generator: np.random.Generator) -> Iterator[Record]:
    authors, categories, tags = (generator.integers(0, most, (count, 2)) for most in (max(1, count // 20), 40, 5_000))
    for n in range(count):
        body = Item(
            title=f"The title of item number {n}",
            author_id=f"author-{authors[n, 0]}",
            created_at=START - n % 1_000 * 3_600_000,
            categories=(f"category {categories[n, 0]}",),
            tags=tuple(f"tag {tag}" for tag in tags[n]),
            duration=float(10 + n % 600),
        )
        yield Record("item", START, object=f"i{n}", body=body)


def events(options: object, generator: np.random.Generator) -> Iterator[Record]:
    count, n_users, n_items = (getattr(options, name) for name in ("events", "users", "items"))
    who, what = generator.integers(0, n_users, count), (generator.pareto(1.0, count) * n_items / 50).astype(np.int64)
    clicked = generator.random(count) < 0.3
    for n in range(count):
        outcomes = {"view": 12.5, "click": 1.0} if clicked[n] else {"view": 2.0}
        yield Record(
            "seen", START + n * 100, f"u{who[n]}", f"i{what[n] % n_items}", event_id=f"event-{n}", outcomes=outcomes,
            context={"surface": "feed"},
        )  # fmt: skip


def on_disk(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def resident() -> int:
    """The most memory that the process has held, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
