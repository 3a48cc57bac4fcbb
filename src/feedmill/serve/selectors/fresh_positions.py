"""Fills the page: the best in order, and new items at the positions set aside for them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Selector, Slate, StageConfig, above, at_least


class FreshPositionsConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    first: int = 5
    """The first position set aside, counted from 1 ..."""
    every: int = 10
    """... and then each so many further down: positions 5 and 15 of a page of 20."""
    source: str = "fresh"
    """The source that names whom these positions are for."""
    temperature: float = 1.0
    """How evenly they are shared out: near 0 the best new item takes them all, far above 1 all have equal chances."""

    def __post_init__(self) -> None:
        at_least("first", self.first, 1)
        at_least("every", self.every, 1)
        above("temperature", self.temperature, 0)


class FreshPositionsSelector(Selector):
    """Draws new items at the positions set aside, and records how likely each draw was.

    Eligible at such a position are the items that the source named, that passed all filters, and that do not stand
    above. One is drawn with a probability proportional to exp(z / temperature), where z is its final score less the
    mean of the eligible ones' over their standard deviation; that probability, given the slate so far, is the item's
    propensity. Where none is eligible, and everywhere else, the next best candidate stands, without a probability.
    """

    name: ClassVar[str] = "fresh_positions"

    def __init__(self, config: FreshPositionsConfig | None = None) -> None:
        self._config = config or FreshPositionsConfig()

    @property
    def config(self) -> FreshPositionsConfig:
        return self._config

    def select(self, request: HydratedRequest, candidates: Candidates) -> Slate:
        config = self.config
        generator = request.generator(self.name)
        count = min(request.limit, len(candidates))
        new: list[int] = []
        if config.source in candidates.sources:
            named = candidates.named[:, candidates.sources.index(config.source)]
            new = np.flatnonzero(named & ~candidates.repeated).tolist()
        chosen: list[int] = []
        probabilities = np.full(count, np.nan, np.float32)
        taken: set[int] = set()
        following = 0
        for position in range(count):
            since_first = position + 1 - config.first
            set_aside = since_first >= 0 and since_first % config.every == 0
            eligible = [row for row in new if row not in taken] if set_aside else []
            if eligible:
                chances = _chances(candidates.scores[eligible].astype(np.float64), config.temperature)
                cumulative = np.cumsum(chances)
                drawn = int(np.searchsorted(cumulative / cumulative[-1], generator.random(), side="right"))
                row = eligible[drawn]
                probabilities[position] = chances[drawn]
            else:
                while following in taken:
                    following += 1
                row = following
            chosen.append(row)
            taken.add(row)
        return Slate(np.array(chosen, np.intp), probabilities)


def _chances(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]], temperature: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """float64 [n], adding up to 1."""
    deviation = scores.std()
    z = (scores - scores.mean()) / deviation if deviation > 0 else np.zeros(len(scores))
    weights = np.exp((z - z.max()) / temperature)
    return np.asarray(weights / weights.sum())
