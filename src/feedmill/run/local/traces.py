"""Traces on their way to the disk: written in batches by a thread, so that no request waits for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import structlog

from feedmill.domain.clock import DAY, Clock
from feedmill.domain.errors import HomeError
from feedmill.serve.stored_trace import StoredTrace
from feedmill.serve.trace_store import TraceStore
from feedmill.stream.files import storage_errors

MakeTrace = Callable[[], StoredTrace]

_MOST_WAITING = 2_000
_BATCH = 200
_PAUSE_SECONDS = 0.1
"""Traces of so long are written together."""


def open_store(path: Path) -> TraceStore:
    """The store of a home's traces. One that is damaged is begun anew: nothing but explanations of the past is lost.

    Raises StorageError where the disk refuses, HomeVersionError where a newer Feedmill wrote it.
    """
    try:
        return TraceStore(path)
    except HomeError as error:
        if type(error) is not HomeError:
            raise
        structlog.get_logger().warning("traces are begun anew", reason=str(error))
    with storage_errors(path):
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
    return TraceStore(path)


class Traces:
    """The traces of a home. Safe to call from any thread."""

    def __init__(self, store: TraceStore, clock: Clock, days: float) -> None:
        self._store = store
        self._clock = clock
        self._kept = round(days * DAY)
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, tuple[int, MakeTrace]] = OrderedDict()
        self._closed = False
        self.dropped = 0
        """Traces that were not kept because the disk did not keep up, or refused them."""
        self.last_error = ""
        self._thread = threading.Thread(target=self._work, name="feedmill-traces", daemon=True)
        self._thread.start()

    def keep(self, request_id: str, at: int, make: MakeTrace) -> None:
        """Keep the trace that `make` gives, which a thread of ours calls; `at` is in UTC milliseconds."""
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self.dropped += 1
                return
            self._waiting[request_id] = at, make

    def get(self, request_id: str) -> StoredTrace | None:
        """The trace of a request; None where there is none, or none any more. Raises StorageError, HomeError."""
        with self._changed:
            waiting = self._waiting.get(request_id)
        return waiting[1]() if waiting is not None else self._store.get(request_id)

    def close(self) -> None:
        """Write what waits, and close the store."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._store.close()

    def _work(self) -> None:
        closed = False
        while not closed:
            with self._changed:
                closed = self._closed or self._changed.wait_for(lambda: self._closed, _PAUSE_SECONDS)
            while self._write():
                pass

    def _write(self) -> bool:
        with self._changed:
            batch = [(name, at, make) for name, (at, make) in list(self._waiting.items())[:_BATCH]]
        try:
            if batch:
                self._store.put([(name, at, make()) for name, at, make in batch])
            self._store.expire(self._clock.now() - self._kept)
        # A trace that cannot be kept costs an explanation, and must not cost those of later requests theirs.
        except Exception as error:
            self.dropped += len(batch)
            self.last_error = f"{type(error).__name__}: {error}"
        with self._changed:
            for name, _, _ in batch:
                self._waiting.pop(name, None)
        return len(batch) == _BATCH
