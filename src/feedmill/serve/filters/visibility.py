"""What this user may not see."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.domain.records import Audience, Scalar
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import StateReader
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict
from feedmill.stream.catalog.columns import Catalog

_DELETED, _INVISIBLE, _NOT_FOR_YOU, _OFTEN_ENOUGH, _UNKNOWN = range(5)
_REASONS = (
    "it has been deleted, or no record describes it",
    "it is not visible",
    "it is for other users",
    "it has been shown to you as often as it may be",
    "whether you may see it could not be found out",
)


class VisibilityFilter(Filter):
    """Removes items that are deleted or invisible, or whose audience the user is not part of.

    An audience that names users and attributes asks for all of them. An attribute that is not known of the user, and
    an audience about which no verdict can be had, removes the item.
    """

    name: ClassVar[str] = "visibility"
    fails_closed: ClassVar[bool] = True

    def __init__(self, catalog: Catalog, state: StateReader, config: StageConfig | None = None) -> None:
        self._config = config or StageConfig()
        self._items = catalog.items
        self._state = state

    @property
    def config(self) -> StageConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        items = candidates.items
        kept = self._items.servable[items].copy()
        codes = np.zeros(len(items), np.uint8)
        for row in np.flatnonzero(~kept):
            codes[row] = _DELETED if self._items.encoded(int(items[row])) is None else _INVISIBLE
        for row in np.flatnonzero(kept & self._items.restricted[items]):
            try:
                verdict = self._restriction(request, int(items[row]))
            # Those without an audience can still be judged; only this one goes.
            except Exception:
                verdict = _UNKNOWN
            if verdict is not None:
                kept[row] = False
                codes[row] = verdict
        return Verdict(kept, codes, _REASONS)

    def _restriction(self, request: HydratedRequest, item: int) -> int | None:
        """Why the user may not see an item that has an audience; None where the user may."""
        audience = self._items.audience(item)
        if audience is None:
            return _UNKNOWN
        if not _includes(audience, request):
            return _NOT_FOR_YOU
        if audience.max_views is not None:
            shown = 0
            if request.user >= 0:
                shown = int(self._state.views(request.user, np.array([item], np.int32))[0])
            if shown >= audience.max_views:
                return _OFTEN_ENOUGH
        return None


def _includes(audience: Audience, request: HydratedRequest) -> bool:
    if audience.users and request.user_id not in audience.users:
        return False
    attributes = request.profile.attributes if request.profile is not None else {}
    return all(_text(attributes.get(name)) in values for name, values in audience.attributes.items())


def _text(value: Scalar) -> str | None:
    """An attribute as an audience writes it: true and false in lower case, as in TOML and JSON."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
