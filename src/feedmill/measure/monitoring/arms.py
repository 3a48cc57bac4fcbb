"""The holdout: a small share of users whose feed is ordered by popularity, to measure everybody else's against."""

from __future__ import annotations

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.domain.ids import hash_id

HOLDOUT = "holdout"
"""The name under which `Served.arms` says in which arm a page was made."""
FEEDMILL = "feedmill"
POPULARITY = "popularity"


class HoldoutConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets the popularity feed."""

    share: float = 0.02
    """Of the users, 0 to 0.5. A larger share keeps those who were in the smaller one."""
    salt: str = ""
    """Another salt draws other users."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 0.5:
            raise ConfigError(f"holdout.share: {self.share} must lie between 0 and 0.5")

    def arm_of(self, user_id: str) -> str:
        """`popularity` or `feedmill`: the same for a user always, whatever else is known of them."""
        # The leading word keeps this draw apart from every other that hashes a salt and the same id.
        drawn = hash_id(f"{HOLDOUT}\0{self.salt}\0{user_id}")
        return POPULARITY if drawn < self.share * 2.0**64 else FEEDMILL
