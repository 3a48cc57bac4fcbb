"""The way into the log of a home. Apart from the engine, so that an import does not load the models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from feedmill.domain.clock import Clock
from feedmill.run.home import Home
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.ingest import Ingest
from feedmill.stream.log.sqlite import SqliteLog


@dataclass(frozen=True, slots=True)
class Entrance:
    """What records go in by, the log that they go to, and the catalog that follows it."""

    log: SqliteLog
    ingest: Ingest
    catalog: CatalogStore


@contextlib.contextmanager
def open_entrance(home: Home, clock: Clock) -> Iterator[Entrance]:
    """The home, open for records. Raises HomeError while another process writes to it."""
    with contextlib.ExitStack() as resources:
        log = resources.enter_context(contextlib.closing(SqliteLog(home.log)))
        catalog = resources.enter_context(contextlib.closing(CatalogStore(home.catalog)))
        yield Entrance(log, Ingest(log, catalog, clock), catalog)
