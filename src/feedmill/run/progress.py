"""How far a long job is: a bar on a terminal, and in a pipe a line of the log every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

LOG_EVERY = 10.0
"""Seconds."""
NOTE_EVERY = 1.0
"""Seconds: how often a note, which may take some work, is asked for."""


class Report(Protocol):
    """Says how far a phase is."""

    def __call__(self, phase: str, done: int, total: int, note: Callable[[], str] | None = None) -> None:
        """`done` of `total`, in whatever unit; `note` is asked, now and then, for some words beside."""
        ...


@contextmanager
def progress(
    console: Console, log: Callable[[str], None], timer: Callable[[], float] = time.monotonic
) -> Iterator[Report]:
    """Shows progress on the console where that is a terminal, and with `log` elsewhere. `timer` gives seconds."""
    if not console.is_terminal:
        yield _Lines(log, timer)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
    ) as bars:
        yield _Bars(bars, timer)


class _Bars:
    def __init__(self, bars: Progress, timer: Callable[[], float]) -> None:
        self._bars = bars
        self._timer = timer
        self._tasks: dict[str, TaskID] = {}
        self._noted = -NOTE_EVERY

    def __call__(self, phase: str, done: int, total: int, note: Callable[[], str] | None = None) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, note="")
        if note is not None and self._timer() - self._noted >= NOTE_EVERY:
            self._noted = self._timer()
            self._bars.update(self._tasks[phase], note=note())
        self._bars.update(self._tasks[phase], completed=done, total=total)


class _Lines:
    def __init__(self, log: Callable[[str], None], timer: Callable[[], float]) -> None:
        self._log = log
        self._timer = timer
        self._last = timer()

    def __call__(self, phase: str, done: int, total: int, note: Callable[[], str] | None = None) -> None:
        if self._timer() - self._last < LOG_EVERY:
            return
        self._last = self._timer()
        words = f"{phase}: {done / total:.0%}" if total else phase
        self._log(f"{words}  {note()}" if note is not None else words)
