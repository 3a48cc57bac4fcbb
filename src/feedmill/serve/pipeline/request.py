"""What is asked of a feed, and what is known of who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Scalar, User
from feedmill.serve.pipeline.readers import NO_HISTORY, History

MAX_LIMIT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One page for one user. Raises InvalidArgument for a limit outside 1 to 1,000."""

    user_id: str
    now: int
    """UTC milliseconds: expiry, freshness and trends are as of this moment."""
    limit: int = 20
    surface: str = "feed"
    context: Mapping[str, Scalar] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    """Ids of items that must not be on the page."""
    shown: frozenset[str] = frozenset()
    """Ids of items that stand on earlier pages of the session."""
    request_id: str = ""
    seed: int | None = None
    """What exploration draws from; None derives it from the request id, the user and the time."""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidArgument(f"limit: must be from 1 to {MAX_LIMIT}, not {self.limit}")

    def generator(self, stage: str) -> np.random.Generator:
        """The randomness of one stage for this request: the same for the same request, whatever other stages draw."""
        seed = self.seed
        if seed is None:
            seed = hash_id(f"{self.request_id}\0{self.user_id}\0{self.now}")
        return np.random.default_rng([abs(seed), hash_id(stage)])


@dataclass(frozen=True, slots=True, kw_only=True)
class HydratedRequest(Request):
    """A request with what the stages share of the user: read once, before the sources."""

    user: int = -1
    """The user's ordinal in the catalog; -1 where no record has named the user."""
    profile: User | None = None
    history: History = NO_HISTORY
    """Newest first."""
