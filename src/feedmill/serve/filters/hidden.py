"""What the user asked not to be shown again."""

from __future__ import annotations

from typing import ClassVar

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict


class HiddenFilter(Filter):
    """Removes items to which the user has done something that hides them (hide, dislike, report)."""

    name: ClassVar[str] = "hidden"
    fails_closed: ClassVar[bool] = True

    def __init__(self, state: StateReader, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._state = state

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        if request.user < 0:
            return Verdict.keeping(len(candidates))
        return Verdict.removing(self._state.hidden(request.user, candidates.items), "you have hidden it")
