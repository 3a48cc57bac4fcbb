"""Asks all sources at once; one that is late, fails or hangs costs only its own items."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from functools import partial

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
    """Threads of each source, which one that hangs cannot take from another, and of those that share theirs."""
    failures: int = 5
    """Failures and missed deadlines in a row after which a source is left alone ..."""
    pause_seconds: float = 10.0
    """... for this long."""

    def __post_init__(self) -> None:
        at_least("workers", self.workers, 1)
        at_least("failures", self.failures, 1)
        above("pause_seconds", self.pause_seconds, 0)


class FanOut:
    """The sources of a feed, behind a bounded pool, a deadline and a circuit breaker each.

    Sources that work in memory share one call, one after another. One that does not come back from it is late; those
    behind it are called again, each in its own pool, and it is called there too until it has answered in time.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        items: Sized,
        config: FanOutConfig,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`items` is the catalog's items, whose length says which ordinals exist; `timer` gives seconds."""
        self._items = items
        self._config = config
        self._timer = timer
        self._places = [_Place(source, config, timer) for source in sources]
        self._shared = Workers[None]("feedmill-sources", config.workers)

    def fetch(self, request: HydratedRequest, runs: list[StageRun]) -> list[Retrieved | None]:
        """What each source names, in the order of the sources, and None for one that had nothing to say."""
        started = self._timer()
        calls = [self._call(place, request) for place in self._places]
        self._make([call for call in calls if call.future is not None])
        fetched: list[Retrieved | None] = []
        held_up = False
        for call in calls:
            outcome, retrieved, error = self._settle(call, started, held_up)
            held_up = held_up or (outcome == "late" and call.shared)
            if outcome == "ok":
                call.place.breaker.succeeded()
            elif outcome in ("failed", "late"):
                call.place.breaker.failed()
            seconds = (call.seconds or self._timer() - started) if call.future is not None else 0.0
            named = 0 if retrieved is None else len(retrieved)
            runs.append(StageRun(call.place.source.name, "source", outcome, seconds, 0, named, error))
            fetched.append(retrieved)
        return fetched

    def close(self) -> None:
        """Let the threads end."""
        self._shared.close()
        for place in self._places:
            place.workers.close()

    def _call(self, place: _Place, request: HydratedRequest) -> _Call:
        call = _Call(place, request, self._timer)
        try:
            if not place.source.enabled(request):
                call.outcome = "disabled"
                return call
        except Exception as error:
            call.outcome, call.error = "failed", _say(error)
            return call
        if not place.breaker.allows():
            call.outcome = "refused"
        else:
            call.future = Future()
        return call

    def _make(self, calls: list[_Call]) -> None:
        if not self._config.parallel:
            _in_turn([(call.future, call.make) for call in calls if call.future is not None])
            return
        shared: list[_Call] = []
        for call in calls:
            call.shared = call.place.shares
            if call.shared:
                shared.append(call)
            else:
                call.future = call.place.workers.submit(call.make)
        if shared:
            turns = [(call.future, call.make) for call in shared if call.future is not None]
            done = self._shared.submit(partial(_in_turn, turns))
            # Waits for all of them at once: waking up for each would take the processor from the next.
            with suppress(TimeoutError):
                done.result(timeout=min(call.deadline for call in shared))

    def _settle(self, call: _Call, started: float, held_up: bool) -> tuple[Outcome, Retrieved | None, str]:
        """What came of a call; `held_up` says that another one has not come back from the thread that they share."""
        if call.future is None:
            return call.outcome, None, call.error
        place = call.place
        left = max(started + call.deadline - self._timer(), 0.0)
        try:
            late = call.shared and not _done(call.future, 0.0 if held_up else left)
            if late and call.future.cancel():
                # It has not been called at all, which is not its fault.
                call.future = place.workers.submit(call.make)
                left = call.deadline
            retrieved = call.future.result(timeout=left)
            check_retrieved(place.source.name, retrieved, len(self._items))
        except (TimeoutError, CancelledError) as error:
            if not call.future.done():
                call.future.cancel()
                place.shares = False
                return "late", None, f"not done after {place.source.config.deadline_ms:g} ms"
            return "failed", None, _say(error)
        except Exception as error:
            return "failed", None, _say(error)
        place.shares = place.source.in_memory
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


class _Place:
    """What is kept for a source between requests."""

    def __init__(self, source: Source, config: FanOutConfig, timer: Callable[[], float]) -> None:
        self.source = source
        self.breaker = CircuitBreaker(config.failures, config.pause_seconds, timer)
        self.workers = Workers[Retrieved](f"feedmill-{source.name}", config.workers)
        self.shares = source.in_memory
        """Whether it is called in the thread that sources share."""


class _Call:
    """One source asked for one request."""

    def __init__(self, place: _Place, request: HydratedRequest, timer: Callable[[], float]) -> None:
        self.place = place
        self._request = request
        self._timer = timer
        self.deadline = place.source.config.deadline_ms / 1000
        """Seconds."""
        self.future: Future[Retrieved] | None = None
        """None where it is not made."""
        self.shared = False
        """Whether it is made in the thread that sources share."""
        self.outcome: Outcome = "ok"
        self.error = ""
        self.seconds = 0.0

    def make(self) -> Retrieved:
        started = self._timer()
        try:
            return self.place.source.fetch(self._request)
        finally:
            self.seconds = self._timer() - started


def _in_turn(calls: Sequence[tuple[Future[Retrieved], Callable[[], Retrieved]]]) -> None:
    for future, make in calls:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(make())
            except Exception as error:
                future.set_exception(error)


def _done(future: Future[Retrieved], seconds: float) -> bool:
    return future.done() or future in wait([future], seconds).done


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
