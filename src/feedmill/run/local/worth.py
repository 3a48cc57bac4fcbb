"""What Feedmill is worth, kept up to date beside the server: a consumer of the log with a position of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from feedmill.domain.errors import FeedmillError, SnapshotError
from feedmill.measure.monitoring.engagement import Engagement
from feedmill.measure.monitoring.worth import Worth
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.stream.files import atomic_write, storage_errors
from feedmill.stream.log.protocol import Log
from feedmill.stream.state.feedback import FeedbackReader

_CHUNK = 1_000
_PAUSE_SECONDS = 1.0
_SAVE_SECONDS = 60.0

Report = Callable[[int, int], None]


class WorthMonitor:
    """The engagement of both arms of the holdout as the log has it. `worth` may be called from any thread."""

    def __init__(self, home: Home, config: Config) -> None:
        """Goes on from what was saved, if that is of this configuration."""
        self._path = home.worth
        self._config = config
        self._engagement = self._empty()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._log: Any = structlog.get_logger()
        self._saved = -1
        try:
            self._engagement.load(self._path.read_bytes())
            self._saved = self._engagement.position
        except FileNotFoundError:
            pass
        except (SnapshotError, OSError) as error:
            self._log.warning("what the holdout has shown is counted anew from the log", reason=str(error))

    def worth(self) -> Worth:
        """Engagement as of the records that have been counted."""
        with self._lock:
            return self._engagement.worth()

    @property
    def position(self) -> int:
        """The log position up to which records are counted."""
        return self._engagement.position

    def catch_up(self, log: Log, report: Report = lambda position, end: None) -> None:
        """Count what the log holds. Cost: about 5 microseconds a record."""
        end = log.end()
        if self._engagement.position > end:
            with self._lock:
                # It has followed another log.
                self._engagement = self._empty()
        while self._engagement.position < end and not self._stopping.is_set():
            records, position = log.read(self._engagement.position, _CHUNK)
            if not records:
                return
            with self._lock:
                self._engagement.fold(records, position)
            report(position, end)

    def save(self) -> None:
        """Let the next start go on from here. Raises StorageError."""
        if self._engagement.position != self._saved:
            with self._lock:
                position, dumped = self._engagement.position, self._engagement.dump()
            with storage_errors(self._path):
                atomic_write(self._path, dumped)
            self._saved = position

    def start(self, log: Log) -> None:
        """Follow the log until `close`."""
        self._thread = threading.Thread(target=self._follow, args=(log,), name="feedmill-worth", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following, and save."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._try(self.save)

    def _empty(self) -> Engagement:
        return Engagement(FeedbackReader(self._config.actions, self._config.objectives), self._config.engagement)

    def _follow(self, log: Log) -> None:
        rounds = 0
        while True:
            self._try(lambda: self.catch_up(log))
            rounds += 1
            if rounds % round(_SAVE_SECONDS / _PAUSE_SECONDS) == 0:
                self._try(self.save)
            if self._stopping.wait(_PAUSE_SECONDS):
                return

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except FeedmillError as error:
            self._log.warning("the holdout is not counted for the moment", reason=str(error))
