"""Runs a stage: timed, counted, and stepped over when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from feedmill.serve.pipeline.meter import Outcome, StageRun
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Stage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What came of one stage: no value where it is disabled or failed."""

    value: T | None
    failed: bool


class Attempts:
    """The stages of one request, in the order in which they ran."""

    def __init__(self, timer: Callable[[], float]) -> None:
        """`timer` gives seconds."""
        self._timer = timer
        self.runs: list[StageRun] = []

    def make(
        self,
        stage: Stage,
        kind: str,
        request: HydratedRequest,
        entered: int,
        call: Callable[[], T],
        count: Callable[[T], int],
    ) -> Attempt[T]:
        """Make the call if the stage has a part in the request; `count` says how many candidates it left."""
        started = self._timer()
        value: T | None = None
        outcome: Outcome = "disabled"
        error = ""
        left = entered
        try:
            if stage.enabled(request):
                value = call()
                left = count(value)
                outcome = "ok"
        # A stage is other people's code as well as ours; whatever it raises must not cost the user the page.
        except Exception as problem:
            value, left, outcome = None, 0 if stage.fails_closed else entered, "failed"
            error = f"{type(problem).__name__}: {problem}"
        self.runs.append(StageRun(stage.name, kind, outcome, self._timer() - started, entered, left, error))
        return Attempt(value, outcome == "failed")
