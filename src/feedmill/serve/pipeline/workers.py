"""A bounded pool of threads for calls that may hang."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """Up to `size` threads, started as they are needed.

    The threads are daemons: a call that never comes back does not keep the process from ending, as it would in a
    ThreadPoolExecutor. A call that is cancelled before a thread took it up is never made.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = queue.SimpleQueue()
        self._threads = 0
        self._pending = 0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Make the call as soon as a thread is free."""
        future: Future[T] = Future()
        with self._lock:
            self._pending += 1
            starts = self._threads < min(self._pending, self._size)
            self._threads += starts
        self._calls.put((future, call))
        if starts:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def close(self) -> None:
        """Let the threads end when they have done what was submitted."""
        with self._lock:
            for _ in range(self._threads):
                self._calls.put(None)

    def _work(self) -> None:
        while (taken := self._calls.get()) is not None:
            future, call = taken
            try:
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(call())
                    # Of every kind: whoever waits for the answer must not wait in vain.
                    except BaseException as error:
                        future.set_exception(error)
            finally:
                with self._lock:
                    self._pending -= 1
                # A thread that waits for work must not keep the last request alive.
                del taken, future, call
