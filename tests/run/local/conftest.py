"""Live engines in this process, on homes of their own and a clock that stands still."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from feedmill.domain.clock import DAY, HOUR, ManualClock
from feedmill.domain.records import Item, Record
from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local.live import Live
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.stream.ingest import Ingested

NOW = 1_700_000_000_000

OpenLive = Callable[..., Live]
Tell = Callable[[Live, Sequence[Record]], Ingested]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def settled() -> FeedConfig:
    """A feed that does not depend on how fast the machine is: no source can be late."""
    return FeedConfig(fan_out=FanOutConfig(parallel=False))


@pytest.fixture
def open_live(tmp_path: Path, clock: ManualClock, settled: FeedConfig) -> Iterator[OpenLive]:
    """`open_live(config)` starts an engine on one home; by default without a holdout or a source that can be late."""
    with contextlib.ExitStack() as opened:

        def start(config: Config | None = None, *, home: Path = tmp_path / "home") -> Live:
            live = Live(
                Home(home, clock=clock), config or Config(feed=settled, holdout=HoldoutConfig(share=0.0)), clock
            )
            live.start()
            opened.callback(live.close)
            return live

        yield start


@pytest.fixture
def tell() -> Tell:
    """`tell(live, records)`: what becomes of them, when they are durable and folded."""
    return lambda live, records: live.submit(records).result(30)


@pytest.fixture
def items() -> Callable[[int], list[Record]]:
    """`items(n)`: i0, i1, ... of ten authors, four categories, and a title each, an hour apart."""

    def make(count: int) -> list[Record]:
        return [
            Record(
                "item",
                NOW - DAY,
                object=f"i{number}",
                body=Item(
                    title=f"Title {number}",
                    author_id=f"a{number % 10}",
                    categories=(f"c{number % 4}",),
                    tags=(f"t{number % 7}", f"t{number % 3}"),
                    duration=float(number),
                    created_at=NOW - number * HOUR,
                ),
            )
            for number in range(count)
        ]

    return make
