"""One writer at a time: a lock of the operating system, which is gone with the process that held it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from feedmill.domain.errors import HomeInUse


class WriterLock:
    """Held from construction until `release`.

    Raises HomeInUse when another writer holds it, in this process or another; OSError when the file cannot be opened.
    """

    def __init__(self, path: Path, doing: str = "writing to this log") -> None:
        """`doing` says in the error what the other process does."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            process = f" (process {holder})" if holder else ""
            raise HomeInUse(
                f"{path}: another Feedmill{process} is {doing}; wait for it or stop it, or open the home for reading"
            ) from None
        except OSError:
            os.close(self._descriptor)
            raise
        self._name_holder()

    def release(self) -> None:
        os.close(self._descriptor)

    def _name_holder(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except OSError:
            # The number only serves the message of others; a full disk must not keep the log from being opened.
            return
