"""Cuts by time: one moment for all, or each user's last interaction."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

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


class Temporal(msgspec.Struct, frozen=True):
    """One moment for all: what happened before is learned from, what came after is asked for.

    The only cut that a deployment could have lived through (Ji et al., 2023, "A critical study on data leakage in
    recommender system offline evaluation"). Users who come after it are asked for, too.
    """

    share: float = 0.2
    """Of the interactions, behind the moment."""
    at: int | None = None
    """The moment itself, UTC milliseconds, instead of a share."""
    name = "temporal"
    respects_time = True

    def __post_init__(self) -> None:
        check_share("share", self.share)

    @property
    def rule(self) -> str:
        return f"learned from: {before(self.share, self.at)}; asked for: what came after"

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        cut = cut_time(met, self.share, self.at)
        early = met.times < cut
        name = f"at {format_time(cut)}"
        yield judged(name, met.take(early), met.take(~early), left_out={REPEATS: repeats})


class LeaveLastOut(msgspec.Struct, frozen=True):
    """Each user's last interaction is asked for, the others are learned from.

    Every user counts once, which suits small data. What is learned from other users may have happened later than what
    is asked for.
    """

    name = "leave-last-out"
    respects_time = False
    rule = "learned from: all but each user's last interaction; asked for: that one"

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        places, counts = places_by_user(met)
        enough = counts > 1
        last = places == counts - 1
        if not (enough & last).any():
            raise InvalidArgument("no user has two interactions: there is nothing to learn from and to ask for")
        left_out = {REPEATS: repeats, NO_TEST: int((~enough).sum())}
        yield judged("the last of each user", met.take(~last), met.take(enough & last), left_out=left_out)
