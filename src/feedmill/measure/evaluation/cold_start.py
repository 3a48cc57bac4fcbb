"""Those of whom nothing was learned: users and items that come after the moment of the cut."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from feedmill.domain.clock import format_time
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.protocol import (
    NO_TEST,
    REPEATS,
    Split,
    before,
    check_share,
    cut_time,
    first_meetings,
    judged,
    places_by_user,
)

KNOWN_ALREADY = "user or item was known before the moment of the cut"


class UserColdStart(msgspec.Struct, frozen=True):
    """Users who come after the moment of the cut: their first interactions are given, the next ones are asked for."""

    share: float = 0.2
    """Of the interactions, behind the moment."""
    at: int | None = None
    """The moment itself, UTC milliseconds, instead of a share."""
    known: int = 3
    """How many interactions of a newcomer are given; 0: nothing is known of them."""
    name = "user-cold-start"
    respects_time = True

    def __post_init__(self) -> None:
        check_share("share", self.share)
        if self.known < 0:
            raise InvalidArgument(f"known: {self.known}, expected at least 0")

    @property
    def rule(self) -> str:
        return (
            f"learned from: {before(self.share, self.at)}; given: the first {self.known} interactions of each user who"
            " comes after that; asked for: their others"
        )

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        cut = cut_time(met, self.share, self.at)
        early = met.times < cut
        newcomer = np.ones(met.n_users, dtype=bool)
        newcomer[met.users[early]] = False
        new = ~early & newcomer[met.users]
        places, counts = places_by_user(met)
        enough = new & (counts > self.known)
        asked = enough & (places >= self.known)
        if not asked.any():
            raise InvalidArgument(
                f"no user who came after {format_time(cut)} has more than {self.known} interactions: there is nobody to"
                " ask for"
            )
        yield judged(
            f"at {format_time(cut)}",
            met.take(early),
            met.take(asked),
            history=met.take(enough & ~asked),
            left_out={
                REPEATS: repeats, KNOWN_ALREADY: int((~early & ~new).sum()), NO_TEST: int((new & ~enough).sum()),
            },
        )  # fmt: skip


class ItemColdStart(msgspec.Struct, frozen=True):
    """Items that come after the moment of the cut: only they may be recommended, to users who were there before.

    A model that knows items by their ids alone has nothing to say here; one that reads what they are about has.
    """

    share: float = 0.2
    """Of the interactions, behind the moment."""
    at: int | None = None
    """The moment itself, UTC milliseconds, instead of a share."""
    name = "item-cold-start"
    respects_time = True

    def __post_init__(self) -> None:
        check_share("share", self.share)

    @property
    def rule(self) -> str:
        return (
            f"learned from: {before(self.share, self.at)}; asked for: which items that came after that a user took to"
        )

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        cut = cut_time(met, self.share, self.at)
        early = met.times < cut
        known_items = np.bincount(met.items[early], minlength=met.n_items) > 0
        known_users = np.bincount(met.users[early], minlength=met.n_users) > 0
        fresh = np.bincount(met.items, minlength=met.n_items) > 0
        fresh &= ~known_items
        asked = ~early & fresh[met.items] & known_users[met.users]
        if not asked.any():
            raise InvalidArgument(
                f"no user known before {format_time(cut)} took to an item that came after: nothing can be asked for"
            )
        yield judged(
            f"at {format_time(cut)}",
            met.take(early),
            met.take(asked),
            candidates=fresh,
            left_out={REPEATS: repeats, KNOWN_ALREADY: int((~early & ~asked).sum())},
        )
