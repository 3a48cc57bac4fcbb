"""What a protocol is: a rule that cuts interactions into what is learned from and what is asked for.

What all protocols here have in common, so that no model can be fooled and none has an advantage:

- A user and an item count once, at the first time; a feed does not show again what was met.
- Models rank the full catalogue: every item of the training part that the user has not met.
- Rows that cannot be judged are left out by named rules, and each rule says how many it left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feedmill.domain.clock import format_time
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Int32s, Interactions

Bools = npt.NDArray[np.bool_]

REPEATS = "the user had met the item before"
UNKNOWN_ITEMS = "nobody in the training part has met the item"
NO_TEST = "too few interactions to learn from and to be judged by"


@dataclass(frozen=True, slots=True)
class Split:
    """One cut of the interactions. The rows of its parts share the ordinals of the whole."""

    name: str
    train: Interactions
    """What models learn from."""
    test: Interactions
    """What each user should have been recommended."""
    history: Interactions | None = None
    """What is known of the users of the test when they ask, where it is not what `train` says of them."""
    candidates: Bools | None = None
    """bool [n_items]: what may be recommended; None: every item of the training part."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that no part has, by the rule that left them out."""

    @property
    def users(self) -> Int32s:
        """int32 [users]: who is asked for, ascending."""
        return np.unique(self.test.users)


class EvaluationProtocol(Protocol):
    """Cuts interactions, the same way each time. Its fields are its settings."""

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    @property
    def rule(self) -> str:
        """One sentence: what is learned from, what is asked for."""
        ...

    @property
    def respects_time(self) -> bool:
        """Whether everything that is learned from happened before anything that is asked for."""
        ...

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        """The cuts; raises InvalidArgument where the interactions cannot bear the protocol, and says why."""
        ...


class Recommender(Protocol):
    """What can be evaluated."""

    def fit(self, train: Interactions) -> object:
        """Learn from nothing but these."""
        ...

    def recommend(
        self,
        users: npt.NDArray[np.integer],  # [n]
        k: int,
        *,
        history: Interactions | None = None,
        candidates: Bools | None = None,
    ) -> tuple[Int32s, npt.NDArray[np.float32]]:
        """int32 [n, k] items, best first, -1 where there are no more, and their scores, float32 [n, k].

        No item that the user has met. `history` replaces what was learned of these users; of `candidates`,
        bool [n_items], only those that are True; None: all that were learned of.
        """
        ...


def first_meetings(interactions: Interactions) -> tuple[Interactions, int]:
    """By time, each pair of user and item once, at its first time; and how many rows are repeats."""
    ordered = interactions.by_time()
    rows = np.sort(np.unique(ordered.pairs(), return_index=True)[1])
    return ordered.take(rows), len(ordered) - len(rows)


def cut_time(interactions: Interactions, share: float, at: int | None) -> int:
    """The moment from which on the last `share` of the rows happened; those of the same moment are all behind it.

    `at`, UTC milliseconds, names it instead. Raises InvalidArgument where that leaves nothing on one side.
    """
    times = np.sort(interactions.times)
    if len(times) < 2 or times[0] == times[-1]:
        raise InvalidArgument("the interactions have no two different times; use a protocol that needs none (folds)")
    if at is not None:
        if not times[0] < at <= times[-1]:
            raise InvalidArgument(
                f"at: {format_time(at)} leaves nothing on one side; the interactions go from"
                f" {format_time(int(times[0]))} to {format_time(int(times[-1]))}"
            )
        return at
    cut = int(times[min(len(times) - 1, int(np.ceil(len(times) * (1 - share))))])
    return cut if cut > times[0] else int(times[times > times[0]][0])


def judged(
    name: str,
    train: Interactions,
    test: Interactions,
    *,
    history: Interactions | None = None,
    candidates: Bools | None = None,
    left_out: dict[str, int],
) -> Split:
    """The split, less what cannot be judged: items of the test that may not be recommended."""
    known = np.bincount(train.items, minlength=train.n_items) > 0 if candidates is None else candidates
    possible = known[test.items]
    counts = {**left_out, UNKNOWN_ITEMS: int((~possible).sum())}
    return Split(name, train, test.take(possible), history, candidates, {k: n for k, n in counts.items() if n})


def before(share: float, at: int | None) -> str:
    """What is learned from, in words."""
    return f"the first {1 - share:.0%} of the interactions by time" if at is None else f"all before {format_time(at)}"


def check_share(name: str, share: float) -> None:
    """Raises InvalidArgument for a share that leaves nothing on one side."""
    if not 0 < share < 1:
        raise InvalidArgument(f"{name}: {share}, expected between 0 and 1, as 0.2")


def places_by_user(interactions: Interactions) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """int64 [n] each: the how-manieth of its user a row is, from 0, and how many the user has; rows are by time."""
    counts = np.bincount(interactions.users, minlength=interactions.n_users)
    order = np.argsort(interactions.users, kind="stable")
    starts = np.cumsum(counts) - counts
    places = np.empty(len(interactions), dtype=np.int64)
    places[order] = np.arange(len(interactions)) - np.repeat(starts, counts)
    return places, counts[interactions.users]
