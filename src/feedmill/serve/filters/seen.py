"""What the user has been shown already."""

from __future__ import annotations

from typing import ClassVar

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict, at_least


class SeenConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    views: int = 1
    """An item has been seen when it has been shown this often."""

    def __post_init__(self) -> None:
        at_least("views", self.views, 1)


class SeenFilter(Filter):
    """Removes items that the user has been shown."""

    name: ClassVar[str] = "seen"

    def __init__(self, state: StateReader, config: SeenConfig | None = None) -> None:
        self._config = config or SeenConfig()
        self._state = state

    @property
    def config(self) -> SeenConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        if request.user < 0:
            return Verdict.keeping(len(candidates))
        views = self._state.views(request.user, candidates.items)
        return Verdict.removing(views >= self.config.views, "you have seen it")
