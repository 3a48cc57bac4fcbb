"""An application's own candidates, put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from feedmill.serve.page import Page
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Explained

ASKED: Final = "asked"
"""What stands as the source of candidates that the application named itself."""


class LeftOut(msgspec.Struct, frozen=True):
    """A candidate that was not ranked."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answer to a request to rank candidates."""

    page: Page
    """All that may be shown, best first."""
    left_out: tuple[LeftOut, ...]
    """The others, in the order in which they were asked about."""


class Asked(Explained):
    """The reason for candidates that no source of the feed has named."""

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "one of those asked about"
