"""What the application's actions mean, and what the model is asked to predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Meaning = Literal["positive", "negative", "neutral"]
Repeats = Literal["sum", "max", "last", "first"]

LARGEST_LABEL = 1e6
"""A regressed label is at most this in size, so that no client's number can drown what all others have said."""


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one of the application's actions says about the user's interest."""

    meaning: Meaning = "neutral"
    repeats: Repeats = "max"
    """How the values of repeats on the same impression combine."""
    threshold: float = 0.0
    """A positive or negative action counts as such when its value is above this (1 where it has no value)."""
    hides: bool = False
    """Once it has happened (by `threshold`, whatever its meaning), the item is not shown to this user again."""
    example_without_impression: bool = False
    """The action is an example of its own where no impression is known to which it belongs."""
    negatives: int = 0
    """Such an example is set against that many other items, drawn at random: for sources that know only likes."""


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something the ranker predicts for a user and an item.

    Binary: the probability that `action` follows an impression with a value above `threshold`.
    Regression: the value of `action`, 0 where it does not follow, divided by `scale`, within LARGEST_LABEL.
    """

    action: str
    kind: Literal["binary", "regression"] = "binary"
    weight: float = 1.0
    """Its weight in the final score."""
    threshold: float = 0.0
    scale: float = 1.0
    window_minutes: float | None = None
    """How long an impression waits for `action`: then its label is settled. None: as `join.window_minutes` says."""

    def label(self, outcomes: Mapping[str, float]) -> float:
        """The label of an impression with these outcomes (action to combined value)."""
        value = outcomes.get(self.action)
        if self.kind == "regression":
            return 0.0 if value is None else max(-LARGEST_LABEL, min(value / self.scale, LARGEST_LABEL))
        return 1.0 if value is not None and value > self.threshold else 0.0
