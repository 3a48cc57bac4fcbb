"""Asks all sources at once; one that is late, fails or hangs costs only its own items."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import CancelledError, Future

import msgspec
import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.serve.pipeline.breaker import CircuitBreaker
from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.meter import Outcome, StageRun
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, above, at_least
from feedmill.serve.pipeline.workers import Workers


class FanOutConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sources are called."""

    parallel: bool = True
    """False calls them one after another in the caller's thread, without deadlines: for simulations and replays, whose
    results must not depend on how fast the machine is."""
    workers: int = 4
    """Threads of each source; a source that hangs cannot take those of another."""
    failures: int = 5
    """Failures and missed deadlines in a row after which a source is left alone ..."""
    pause_seconds: float = 10.0
    """... for this long."""

    def __post_init__(self) -> None:
        at_least("workers", self.workers, 1)
        at_least("failures", self.failures, 1)
        above("pause_seconds", self.pause_seconds, 0)


class FanOut:
    """The sources of a feed, behind a bounded pool, a deadline and a circuit breaker each."""

    def __init__(
        self,
        sources: Sequence[Source],
        items: Sized,
        config: FanOutConfig,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`items` is the catalog's items, whose length says which ordinals exist; `timer` gives seconds."""
        self._sources = tuple(sources)
        self._items = items
        self._config = config
        self._timer = timer
        self._breakers = [CircuitBreaker(config.failures, config.pause_seconds, timer) for _ in self._sources]
        self._workers = [Workers[Retrieved](f"feedmill-{source.name}", config.workers) for source in self._sources]

    def fetch(self, request: HydratedRequest, runs: list[StageRun]) -> list[Retrieved | None]:
        """What each source names, in the order of the sources, and None for one that had nothing to say."""
        started = self._timer()
        calls: list[_Call] = []
        for source, breaker, workers in zip(self._sources, self._breakers, self._workers, strict=True):
            calls.append(self._call(source, breaker, workers, request))
        fetched: list[Retrieved | None] = []
        for source, breaker, call in zip(self._sources, self._breakers, calls, strict=True):
            outcome, retrieved, error = self._settle(source, call, started)
            if outcome == "ok":
                breaker.succeeded()
            elif outcome in ("failed", "late"):
                breaker.failed()
            seconds = (call.seconds or self._timer() - started) if call.future is not None else 0.0
            named = 0 if retrieved is None else len(retrieved)
            runs.append(StageRun(source.name, "source", outcome, seconds, 0, named, error))
            fetched.append(retrieved)
        return fetched

    def close(self) -> None:
        """Let the threads end."""
        for workers in self._workers:
            workers.close()

    def _call(
        self, source: Source, breaker: CircuitBreaker, workers: Workers[Retrieved], request: HydratedRequest
    ) -> _Call:
        call = _Call(source, request, self._timer)
        try:
            if not source.enabled(request):
                call.outcome = "disabled"
                return call
        except Exception as error:
            call.outcome, call.error = "failed", _say(error)
            return call
        if not breaker.allows():
            call.outcome = "refused"
        elif self._config.parallel:
            call.future = workers.submit(call.make)
        else:
            call.future = Future()
            try:
                call.future.set_result(call.make())
            except Exception as error:
                call.future.set_exception(error)
        return call

    def _settle(self, source: Source, call: _Call, started: float) -> tuple[Outcome, Retrieved | None, str]:
        if call.future is None:
            return call.outcome, None, call.error
        left = started + source.config.deadline_ms / 1000 - self._timer()
        try:
            retrieved = call.future.result(timeout=max(left, 0.0))
            check_retrieved(source.name, retrieved, len(self._items))
        except (TimeoutError, CancelledError) as error:
            if not call.future.done():
                call.future.cancel()
                return "late", None, f"not done after {source.config.deadline_ms:g} ms"
            return "failed", None, _say(error)
        except Exception as error:
            return "failed", None, _say(error)
        return "ok", retrieved, ""


def check_retrieved(source: str, retrieved: Retrieved, items: int) -> None:
    """Raises InvalidArgument for columns that do not fit each other or name items beyond the `items` that exist."""
    n = len(retrieved.items)
    if len(retrieved.scores) != n or len(retrieved.evidence) != n:
        raise InvalidArgument(f"source {source}: {n} items, but columns of another length")
    if n and not (retrieved.items.min() >= 0 and retrieved.items.max() < items):
        raise InvalidArgument(f"source {source}: names ordinals that the catalog does not have")
    if not np.isfinite(retrieved.scores).all():
        raise InvalidArgument(f"source {source}: gives scores that are not finite numbers")


class _Call:
    """One source asked for one request."""

    def __init__(self, source: Source, request: HydratedRequest, timer: Callable[[], float]) -> None:
        self._source = source
        self._request = request
        self._timer = timer
        self.future: Future[Retrieved] | None = None
        self.outcome: Outcome = "ok"
        self.error = ""
        self.seconds = 0.0

    def make(self) -> Retrieved:
        started = self._timer()
        try:
            return self._source.fetch(self._request)
        finally:
            self.seconds = self._timer() - started


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
