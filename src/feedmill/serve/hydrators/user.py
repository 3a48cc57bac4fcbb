"""Who asks: the user's ordinal and profile."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import RequestHydrator, StageConfig
from feedmill.stream.catalog.columns import Catalog


class UserHydrator(RequestHydrator):
    """Looks the user up. A user whom no record has named stays unknown, and is served all the same."""

    name: ClassVar[str] = "user"
    fails_closed: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._users = catalog.users

    @property
    def config(self) -> StageConfig:
        return self._config

    def hydrate(self, request: HydratedRequest) -> HydratedRequest:
        user = self._users.ids.find(request.user_id)
        if user < 0:
            return request
        return replace(request, user=user, profile=self._users.body(user))
