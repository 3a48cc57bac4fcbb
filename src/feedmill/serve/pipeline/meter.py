"""What the runner counts of every stage."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec

Outcome = Literal["ok", "disabled", "failed", "late", "refused"]


class StageRun(msgspec.Struct, frozen=True):
    """One stage in one request."""

    stage: str
    kind: str
    """Source, filter, scorer ..."""
    outcome: Outcome
    """`late`: past its deadline. `refused`: not called, because its circuit breaker is open."""
    seconds: float
    entered: int
    """Candidates before it; 0 for sources."""
    left: int
    """Candidates after it; for sources, how many it named."""
    error: str = ""


class StageCounts(msgspec.Struct):
    """One stage in all requests so far."""

    runs: int = 0
    """Requests in which it was called."""
    failed: int = 0
    late: int = 0
    refused: int = 0
    disabled: int = 0
    entered: int = 0
    left: int = 0
    seconds: float = 0.0
    last_error: str = ""


class Meter:
    """Adds up runs by stage. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, StageCounts] = {}

    def add(self, runs: list[StageRun]) -> None:
        with self._lock:
            for run in runs:
                counts = self._counts.setdefault(f"{run.kind}/{run.stage}", StageCounts())
                counts.runs += run.outcome not in ("disabled", "refused")
                counts.failed += run.outcome == "failed"
                counts.late += run.outcome == "late"
                counts.refused += run.outcome == "refused"
                counts.disabled += run.outcome == "disabled"
                counts.entered += run.entered
                counts.left += run.left
                counts.seconds += run.seconds
                counts.last_error = run.error or counts.last_error

    def counts(self) -> dict[str, StageCounts]:
        """By "kind/stage", as of now: a copy."""
        with self._lock:
            return {name: msgspec.structs.replace(counts) for name, counts in self._counts.items()}
