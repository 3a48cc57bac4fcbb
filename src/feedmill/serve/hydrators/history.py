"""What the user did lately."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import RequestHydrator, StageConfig


class HistoryHydrator(RequestHydrator):
    """Adds the user's latest positive and negative actions."""

    name: ClassVar[str] = "history"

    def __init__(self, state: StateReader, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._state = state

    @property
    def config(self) -> StageConfig:
        return self._config

    def enabled(self, request: HydratedRequest) -> bool:
        return self.config.enabled and request.user >= 0

    def hydrate(self, request: HydratedRequest) -> HydratedRequest:
        return replace(request, history=self._state.history(request.user))
