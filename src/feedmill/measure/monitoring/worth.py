"""What Feedmill is worth, in numbers and in one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from feedmill.measure.monitoring.arms import FEEDMILL, POPULARITY
from feedmill.measure.monitoring.lift import MIN_USERS, Lift, RatioSums, relative_lift


class ArmWorth(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of the holdout."""

    users: int
    """Users who were served in the period."""
    served: float
    """Items served to them, each counted less the longer ago it was."""
    engagement: float | None
    """Value per served item: the sum over objectives of weight x label. None where nothing was served."""


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Engagement against the holdout."""

    arms: dict[str, ArmWorth]
    """`feedmill` and `popularity`."""
    lift: float | None
    """feedmill / popularity - 1; None, as its interval, where it cannot be told yet."""
    low: float | None
    """The 95 % interval's lower end."""
    high: float | None
    sentence: str


def worth_of(sums: Mapping[str, RatioSums]) -> Worth:
    """The estimate from the sums of both arms, whose items count 1 when they are new."""
    feedmill, popularity = sums[FEEDMILL], sums[POPULARITY]
    lift = relative_lift(feedmill, popularity)
    return Worth(
        arms={
            name: ArmWorth(users=arm.users, served=max(0.0, arm.n), engagement=arm.ratio) for name, arm in sums.items()
        },
        lift=None if lift is None else lift.estimate,
        low=None if lift is None else lift.low,
        high=None if lift is None else lift.high,
        sentence=_not_yet(sums) if lift is None else _told(lift, feedmill.users + popularity.users),
    )


def _told(lift: Lift, users: int) -> str:
    direction = "less" if lift.estimate < 0 else "more"
    doubt = ", which may be chance" if lift.low <= 0 <= lift.high else ""
    return (
        f"Feedmill's feed earns {_percent(abs(lift.estimate))} {direction} engagement per item than popularity{doubt} "
        f"(95 % interval {_percent(lift.low)} to {_percent(lift.high)}), from {users:,} users."
    )


def _not_yet(sums: Mapping[str, RatioSums]) -> str:
    start = "Not enough yet to say what Feedmill is worth: "
    for name in (POPULARITY, FEEDMILL):
        arm = sums[name]
        if arm.users < MIN_USERS:
            return f"{start}{arm.users} of {MIN_USERS} users were served by the arm {name}."
    for name in (POPULARITY, FEEDMILL):
        if not sums[name].y > 0:
            return f"{start}engagement in the arm {name} is not above 0."
    return f"{start}no user differs from another."


def _percent(share: float) -> str:
    digits = 0 if abs(share) >= 0.1 else 1
    # Adding 0.0 turns -0 into 0.
    return f"{round(share * 100, digits) + 0.0:,.{digits}f} %"
