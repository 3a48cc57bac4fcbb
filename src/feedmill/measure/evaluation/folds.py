"""Cross-validation: every user, or every interaction, is asked for in exactly one fold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.protocol import (
    NO_TEST,
    REPEATS,
    Split,
    check_share,
    first_meetings,
    judged,
    places_by_user,
)


class UserFolds(msgspec.Struct, frozen=True):
    """Folds of whole users: a model has never learned from those it is asked for, and gets their first interactions.

    Strong generalisation (Marlin, 2004; Liang et al., 2018, section 4.1).
    """

    folds: int = 5
    known: float = 0.8
    """The share of a user's interactions, the first ones, that are given; the rest is asked for."""
    seed: int = 0
    name = "user-folds"
    respects_time = False

    def __post_init__(self) -> None:
        _check_folds(self.folds)
        check_share("known", self.known)

    @property
    def rule(self) -> str:
        return (
            f"users in {self.folds} folds; learned from: all other users; given: the first {self.known:.0%} of a user's"
            " interactions; asked for: the rest"
        )

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        users = np.unique(met.users)
        _check_enough("users", len(users), self.folds)
        fold_of = np.zeros(met.n_users, dtype=np.int64)
        fold_of[users] = _deal(len(users), self.folds, self.seed)
        places, counts = places_by_user(met)
        given = np.maximum(np.floor(counts * self.known), 1)
        for fold in range(self.folds):
            own = fold_of[met.users] == fold
            enough = own & (counts > given)
            asked = enough & (places >= given)
            yield judged(
                f"fold {fold + 1} of {self.folds}",
                met.take(~own),
                met.take(asked),
                history=met.take(enough & ~asked),
                left_out={REPEATS: repeats, NO_TEST: int((own & ~enough).sum())},
            )


class InteractionFolds(msgspec.Struct, frozen=True):
    """Folds of single interactions, drawn without regard to users or time: for data that has no times."""

    folds: int = 5
    seed: int = 0
    name = "interaction-folds"
    respects_time = False

    def __post_init__(self) -> None:
        _check_folds(self.folds)

    @property
    def rule(self) -> str:
        return f"interactions in {self.folds} folds; learned from: all other folds; asked for: the fold"

    def splits(self, interactions: Interactions) -> Iterator[Split]:
        met, repeats = first_meetings(interactions)
        _check_enough("interactions", len(met), self.folds)
        fold_of = _deal(len(met), self.folds, self.seed)
        for fold in range(self.folds):
            own = fold_of == fold
            yield judged(f"fold {fold + 1} of {self.folds}", met.take(~own), met.take(own), left_out={REPEATS: repeats})


def _deal(n: int, folds: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """int64 [n]: folds that differ by one at most, at random."""
    fold_of = np.empty(n, dtype=np.int64)
    fold_of[np.random.default_rng(seed).permutation(n)] = np.arange(n) % folds
    return fold_of


def _check_folds(folds: int) -> None:
    if folds < 2:
        raise InvalidArgument(f"folds: {folds}, expected at least 2")


def _check_enough(what: str, n: int, folds: int) -> None:
    if n < folds:
        raise InvalidArgument(f"{n} {what} cannot be dealt into {folds} folds; ask for fewer folds")
