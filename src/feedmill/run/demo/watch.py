"""Watches the server from beside: which parameters it serves with, and how long an event takes to get into them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from feedmill.client import Client, FeedmillConnectionError, FeedmillHTTPError
from feedmill.run.demo.measures import Measures
from feedmill.run.demo.telling import EventAges

_LOOK_SECONDS = 0.025
"""How often it is asked while an event is on its way: as finely its age is known."""
_IDLE_SECONDS = 0.25


class Watch:
    """Asks the server for its status in a thread of its own, and follows one event after another to the parameters."""

    def __init__(
        self,
        client: Client,
        measures: Measures,
        failed: Callable[[BaseException], None],
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`failed` is called with what has ended the thread, where it cannot go on."""
        self._client = client
        self._measures = measures
        self._failed = failed
        self._timer = timer
        self._lock = threading.Lock()
        self._followed: tuple[float, int] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedmill-watch", daemon=True)
        self.parameters_step = 0
        self.trainer_lag = 0
        self.ages = EventAges()
        self.held: tuple[str, ...] = ()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, at: float, position: int) -> None:
        """Events were posted that stand before `position`, `at` seconds of the timer.

        One post is followed at a time, and none before the first parameters have come: a trainer that is starting says
        nothing of how long it takes to learn.
        """
        with self._lock:
            if self._followed is None and self.parameters_step > 0:
                self._followed = at, position

    def _run(self) -> None:
        try:
            self._look_on()
        except BaseException as error:
            self._failed(error)

    def _look_on(self) -> None:
        while not self._stopping.wait(_IDLE_SECONDS if self._followed is None else _LOOK_SECONDS):
            try:
                status = self._client.status()
            except (FeedmillConnectionError, FeedmillHTTPError):
                continue
            freshness = status["freshness"]
            self.parameters_step = freshness["parameters_step"]
            self.trainer_lag = status["trainer_lag"]
            self.ages = msgspec.convert(status["ages"], EventAges)
            self.held = tuple(status["held"]["reasons"]) if status["held"] is not None else ()
            with self._lock:
                followed = self._followed
                if followed is None or freshness["parameters_position"] < followed[1]:
                    continue
                self._followed = None
            self._measures.learned_event(1000 * (self._timer() - followed[0]))
