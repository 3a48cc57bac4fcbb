"""Waiting for a home that a process which was killed a moment ago still seems to have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from feedmill.domain.errors import HomeInUse

T = TypeVar("T")

_SECONDS = 10.0
_PAUSE = 0.05


def patiently(open_home: Callable[[], T], stopping: threading.Event) -> T:
    """What `open_home` gives. Raises HomeInUse when another process keeps the home, or when it is time to stop."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return open_home()
        except HomeInUse:
            if time.monotonic() > deadline or stopping.wait(_PAUSE):
                raise
