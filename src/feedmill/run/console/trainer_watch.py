"""Says in words how the trainer fares, from what its supervisor and the log tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from feedmill.run.console import wording
from feedmill.run.demo.telling import Told

State = Literal["waking", "learning", "down", "catching-up", "back", "held"]

CAUGHT_UP = 512
"""Records: two batches of the trainer. That many are always on their way, and say nothing of trouble."""

STAYS = 12.0
"""Seconds for which good news is shown."""


@dataclass(frozen=True)
class TrainerState:
    state: State
    sentence: str
    number: str = ""
    """How the sentence goes on with a number that runs; empty where none does."""


class TrainerWatch:
    """Remembers when the trainer went, to say for how long nothing was learned. One for each page.

    A new process is not a trainer that learns yet: it is back when parameters have moved on from where they stood.
    """

    def __init__(self) -> None:
        self._restarts: int | None = None
        self._gone_since: float | None = None
        self._step = 0
        self._away = 0.0
        self._returning = False
        self._back_at: float | None = None

    def see(self, told: Told, seconds: float) -> TrainerState:
        """`seconds` is the time of a clock that never goes back; call it about twice a second."""
        trainer = next((process for process in told.processes if process.name == "trainer"), None)
        if trainer is None or (trainer.pid is None and self._restarts is None and not told.learned):
            return TrainerState("waking", "The trainer is starting")
        if self._restarts is None:
            self._restarts = trainer.restarts
        if trainer.pid is None or trainer.restarts > self._restarts:
            self._restarts = trainer.restarts
            if self._gone_since is None:
                self._gone_since, self._step = seconds, told.parameters_step
        if self._gone_since is not None:
            if trainer.pid is None or told.parameters_step <= self._step:
                return TrainerState("down", "The trainer is down: the feed goes on with what it has learned")
            self._away, self._gone_since, self._returning = seconds - self._gone_since, None, True
        return self._running(told, seconds)

    def _running(self, told: Told, seconds: float) -> TrainerState:
        lag = told.moments[-1].trainer_lag if told.moments else 0
        after = f"The trainer is back after {self._away:.1f} s"
        if self._returning and lag > CAUGHT_UP:
            return TrainerState("catching-up", after, f" and has {wording.count(lag)} records to learn")
        if self._returning:
            self._returning, self._back_at = False, seconds
        if self._back_at is not None and seconds - self._back_at < STAYS:
            return TrainerState("back", f"{after} and has caught up")
        if told.held:
            return TrainerState("held", "The trainer is learning, and what it learns is held back")
        if not told.learned:
            return TrainerState("learning", "The trainer is learning from its first events")
        behind = "" if lag <= CAUGHT_UP else f", {wording.count(lag)} records behind"
        return TrainerState("learning", "The trainer is learning", behind)
