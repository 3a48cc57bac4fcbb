"""Stopping where it is safe: a signal sets a flag, and the work looks at it between two steps."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = b"\nstopping after the step in hand; press Ctrl-C again to stop at once\n"


class StopFlag:
    """True once SIGINT or SIGTERM has come. The second signal does what it does without us."""

    def __init__(self) -> None:
        self._stopped = False
        self._before: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        return self._stopped

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True
        self._restore()
        # A handler may run in the middle of a write to the stream's buffer: the bytes go past it.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _WORDS)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
