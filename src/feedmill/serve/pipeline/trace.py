"""What happened to every candidate of one request, so that "why not this item" has an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from feedmill.domain.batches import Features, Float32s
from feedmill.serve.pipeline.candidates import Candidates, Rows
from feedmill.serve.pipeline.meter import StageRun
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import HydratedRequest


def seven_digits(value: float) -> float:
    """A number of single precision without the digits that it does not have.

    >>> seven_digits(np.float32(0.1)), float(np.float32(0.1))
    (0.1, 0.10000000149011612)
    """
    return float(f"{value:.7g}")


class Removal(msgspec.Struct, frozen=True):
    """Why some stage took a candidate out."""

    stage: str
    reason: str


class Fate(msgspec.Struct, frozen=True):
    """What became of one item in one request."""

    outcome: Literal["shown", "ranked_below", "removed", "not_a_candidate"]
    sources: tuple[str, ...] = ()
    rank: int | None = None
    """Its place from 1: on the page where it was shown, counted on behind the page where it was not."""
    removal: Removal | None = None
    predictions: dict[str, float] = {}
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All n candidates of a request, in the order in which they were named."""

    request: HydratedRequest
    candidates: Candidates
    """With NaN in the predictions and scores of those that were removed before they were ranked."""
    removed: Int32s
    """int32 [n]: which of `removals` took it out, -1 where none did."""
    removals: tuple[Removal, ...]
    ranks: Int32s
    """int32 [n]: place from 0, on the page and then below it as reranked; -1 where it was not ranked."""
    slate: Rows
    """intp [m]: the candidates on the page, top first."""
    probabilities: Float32s
    """float32 [m]: as exploration drew it; NaN where it had no say."""
    runs: tuple[StageRun, ...]

    @property
    def features(self) -> Features | None:
        """The features that ranked the page, a row a position; None where nothing was extracted."""
        features = self.candidates.features
        return None if features is None else features.take(self.candidates.feature_rows[self.slate])

    def fate(self, item: int) -> Fate:
        """What became of the item with this ordinal."""
        rows = np.flatnonzero(self.candidates.items == item)
        if not len(rows):
            return Fate("not_a_candidate")
        row = int(rows[0])
        named = self.sources(row)
        predictions = self.predictions(row)
        score = seven_digits(self.candidates.scores[row])
        finite = score if np.isfinite(score) else None
        shown = np.flatnonzero(self.slate == row)
        if len(shown):
            return Fate("shown", named, int(shown[0]) + 1, None, predictions, finite)
        if self.removed[row] >= 0:
            return Fate("removed", named, None, self.removals[self.removed[row]], predictions, finite)
        return Fate("ranked_below", named, int(self.ranks[row]) + 1, None, predictions, finite)

    def sources(self, row: int) -> tuple[str, ...]:
        """The names of the sources that named the candidate."""
        return tuple(
            name for name, by in zip(self.candidates.sources, self.candidates.named[row].tolist(), strict=True) if by
        )

    def predictions(self, row: int) -> dict[str, float]:
        """By objective; empty where the ranker did not see the candidate."""
        values = self.candidates.predictions[row].tolist()
        if not all(map(math.isfinite, values)):
            return {}
        return dict(zip(self.candidates.objectives, map(seven_digits, values), strict=True))
