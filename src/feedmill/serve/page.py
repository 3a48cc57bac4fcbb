"""What a feed answers: the positions of a page, and why each item stands where it does."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from feedmill.domain.records import ServedItem
from feedmill.serve.pipeline.trace import Fate, Removal, Trace
from feedmill.stream.features.pack import pack


class PageItem(msgspec.Struct, frozen=True, gc=False):
    """One position."""

    position: int
    """From 1, at the top."""
    item_id: str
    title: str
    """The item's id where it has no title."""
    sources: tuple[str, ...]
    """Which sources named it."""
    predictions: dict[str, float]
    """By objective; empty where the ranker is off or has failed."""
    score: float
    probability: float | None
    """Where exploration chose it: how likely it was to."""
    why: str
    """A clause for the user, without a full stop."""
    repeated: bool = False
    """The user has seen it, and stands here only because the page would be short without."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a request."""

    items: tuple[PageItem, ...]
    note: str
    """Where the page is shorter than asked for or repeats what the user has seen: by how much. Empty otherwise."""
    trace: Trace
    timings: dict[str, float]
    """Milliseconds by "kind/stage"; of sources, which run side by side, each its own."""

    def served_items(self) -> tuple[ServedItem, ...]:
        """The positions as the log keeps them."""
        return tuple(
            ServedItem(
                item_id=item.item_id,
                position=item.position,
                why=item.why,
                score=item.score,
                predictions=item.predictions,
                probability=item.probability,
                sources=item.sources,
                repeated=item.repeated,
            )
            for item in self.items
        )

    def packed_features(self) -> bytes | None:
        """The features that ranked the page, for `Served.features`; None where nothing was extracted."""
        features = self.trace.features
        return None if features is None else pack(features)


class Explanation(msgspec.Struct, frozen=True):
    """Why an item is on a page, or is not."""

    item_id: str
    title: str
    outcome: str
    """`shown`, `ranked_below`, `removed`, `not_a_candidate`, or `no_such_item`."""
    sentence: str
    sources: tuple[str, ...] = ()
    rank: int | None = None
    """Its position where it is shown, its place among the ranked where it is below."""
    removal: Removal | None = None
    """What removed it; what would have, where no source named it."""
    predictions: dict[str, float] = {}
    score: float | None = None


def sentence(trace: Trace, fate: Fate, why: str, otherwise: str) -> str:
    """What became of an item, for people.

    `why` is what the page says of it where it is shown; `otherwise` what there is to say where no source named it.
    """
    if fate.outcome == "shown" and fate.rank is not None:
        explored = not np.isnan(trace.probabilities[fate.rank - 1])
        chance = ", at a position set aside for new items" if explored else ""
        return f"on the page at position {fate.rank}{chance}" + (f": {why}" if why else "")
    if fate.removal is not None:
        return f"removed by the filter {fate.removal.stage}: {fate.removal.reason}"
    if fate.outcome == "ranked_below":
        ranked = int(np.count_nonzero(trace.ranks >= 0))
        return f"ranked {fate.rank} of {ranked}, below the {len(trace.slate)} on the page; score {fate.score:.3g}"
    return f"no source named it; {otherwise}" if otherwise else "no source named it"
