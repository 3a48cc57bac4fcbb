"""Sessions: how far users look down their pages, and when they have had enough.

After each item a user stops for reasons of life with the chance 1 - patience. Beside that an item of which the share w
was watched makes the user want to leave with the chance boredom x (1 - w), at once or, with the chance `boredom_lag`
each, one item later and one more. So what was watched of the last items decides, bad ones end sessions sooner, and the
chance to see a place of a page is known exactly (`chance_to_reach`).
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.simulation.behaviour import Bools

NEVER = np.int64(2**62)


class Sessions:
    """Where each user stands in the present session, or stood in the last; int64 or bool [users] each."""

    def __init__(self, users: int) -> None:
        self.step: Int64s = np.full(users, -1, dtype=np.int64)
        """The number of the step of the session."""
        self.place: Int64s = np.zeros(users, dtype=np.int64)
        """Places shown in that step."""
        self.pages: Int64s = np.zeros(users, dtype=np.int64)
        """Pages shown in the session."""
        self.leaves_at: Int64s = np.full(users, NEVER, dtype=np.int64)
        """The place after which boredom ends the session."""
        self.goes_on: Bools = np.zeros(users, dtype=bool)
        """Whether the user wants another page."""
        self.until: Int64s = np.zeros(users, dtype=np.int64)
        """UTC milliseconds: when the user puts the phone away."""

    def copy(self) -> Sessions:
        return copy.deepcopy(self)

    def open(self, users: Int64s, step: int) -> None:
        """Begin a session for those who have none, or have ended theirs."""
        fresh = self.step[users] != step
        self.place[users[fresh]] = 0
        anew = users[fresh | ~self.goes_on[users]]
        self.step[users] = step
        self.pages[anew] = 0
        self.leaves_at[anew] = NEVER


def wish_to_leave(
    watched: Float32s,  # float32 [b]: the share of an item
    boredom: Float32s,  # float32 [b]: of the users
    lag: float,
    chance: Float32s,  # float32 [b]: uniform in (0, 1)
) -> Int64s:
    """int64 [b]: how many items later the user leaves for boredom with this one; NEVER where it did not bore."""
    wish = boredom * (1 - watched)
    bored = chance < wish
    if lag == 0:
        return np.where(bored, 0, NEVER)
    # The user has left after d more items with the chance wish x (1 - lag^(d + 1)).
    stays = np.log(np.where(bored, 1 - chance / np.maximum(wish, np.float32(1e-9)), 1), dtype=np.float64)
    return np.where(bored, np.floor(np.minimum(stays / np.log(lag), 1e6)).astype(np.int64), NEVER)


def chance_to_reach(
    expected: npt.NDArray[np.float64],  # float64 [b, k]: mean watched shares of the places above
    shown: Bools,  # bool [b, k]: False where a place above is empty
    patience: Float32s,  # float32 [b]
    boredom: Float32s,  # float32 [b]
    lag: float,
) -> npt.NDArray[np.float64]:
    """float64 [b]: the chance that a session is still going on at place k of its first page."""
    k = expected.shape[1]
    left = 1 - lag ** np.arange(k, 0, -1)
    stays = (1 - boredom[:, None] * (1 - expected) * left) * patience[:, None]
    chance: npt.NDArray[np.float64] = np.where(shown, stays, 1).prod(axis=1)
    return chance
