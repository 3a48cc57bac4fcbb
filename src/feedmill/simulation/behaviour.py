"""What a user does with what is shown: watches a share of it, and sometimes acts.

With utility u in probits, the watched share of one impression is Phi(sqrt(1 + s^2) * u + s * z), z standard normal and
Phi the normal distribution function. Its mean is exactly Phi(u), so what a slate is worth is known in closed form; with
s above 1 it has the two humps of short video: dropped at once, or watched to the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from feedmill.domain.batches import Float32s

Bools = npt.NDArray[np.bool_]

SKIP_SECONDS = 3.0
"""An impression left before that, and before half of the item, is a skip."""


def expected_share(utility: Float32s) -> Float32s:
    """The mean watched share at a utility; any shape."""
    share: Float32s = ndtr(utility)
    return share


def watched_share(
    utility: Float32s,  # float32, any shape
    noise: Float32s,  # standard normal, the same shape
    spread: float,
) -> Float32s:
    """One draw of the watched share, in [0, 1]."""
    share: Float32s = ndtr(np.float32(np.sqrt(1 + spread * spread)) * utility + np.float32(spread) * noise)
    return share


@dataclass(frozen=True, slots=True)
class Actions:
    """What followed one position of a batch of slates: bool [b] each."""

    clicked: Bools
    liked: Bools
    shared: Bools
    followed: Bools
    hidden: Bools
    skipped: Bools


ACTIONS = 5
"""Uniform draws that one impression needs."""


def act(
    share: Float32s,  # float32 [b]: watched
    expected: Float32s,  # float32 [b]: what the user would watch on average
    durations: Float32s,  # float32 [b]: seconds
    chance: Float32s,  # float32 [b, ACTIONS]: uniform in [0, 1)
) -> Actions:
    """The actions after an impression: more of them the longer it was watched and the more it is to the user's taste.

    Of impressions of random items about 22 % are clicked, 1.5 % liked, 0.3 % shared, 0.4 % bring a follow, 1.6 % are
    hidden and 65 % skipped; of the oracle's, 62 %, 9 %, 1.7 %, 2.3 %, 0.1 % and 14 %.
    """
    seconds = share * durations
    return Actions(
        clicked=chance[:, 0] < 0.05 + 0.85 * share,
        liked=chance[:, 1] < 0.22 * share * share * expected,
        shared=chance[:, 2] < 0.04 * share * share * expected,
        followed=chance[:, 3] < 0.06 * share * share * expected,
        hidden=chance[:, 4] < 0.03 * (1 - share) ** 4 * (1 - expected) ** 2,
        skipped=(seconds < SKIP_SECONDS) & (share < 0.5),
    )
