"""Spreads authors and categories over the page."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from feedmill.domain.ids import UInt64s
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Reranker, StageConfig, at_least

_BEHIND_ALL = 1e6


class SpreadConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    window: int = 10
    """Positions in a row that are looked at together."""
    authors: int = 1
    """How many items of one author a window takes without a penalty."""
    categories: int = 3
    author_penalty: float = 0.25
    """For each item beyond that, in units of the distance between the best and the worst score in reach."""
    category_penalty: float = 0.1
    depth: int = 100
    """How many of the best candidates are in reach of the page; at least twice the page are."""

    def __post_init__(self) -> None:
        for key in ("window", "authors", "categories", "depth"):
            at_least(key, getattr(self, key), 1)
        for key in ("author_penalty", "category_penalty"):
            at_least(key, getattr(self, key), 0)


class SpreadReranker(Reranker):
    """Fills the page greedily, and penalises softly what the last positions are full of already.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998, section 2), with "same author" and "same category"
    as similarities: each position goes to the candidate with the highest

        relevance - author_penalty * max(0, a + 1 - authors) - category_penalty * max(0, c + 1 - categories)

    where relevance is the score scaled to 0 .. 1 over the candidates in reach, and a and c are how many of the previous
    window - 1 positions have its author and its category. Unknown authors and categories are nobody's. Of equal
    candidates the earlier one wins. Scores stay as they are. O(page * depth).
    """

    name: ClassVar[str] = "spread"

    def __init__(self, config: SpreadConfig | None = None) -> None:
        self._config = config or SpreadConfig()

    @property
    def config(self) -> SpreadConfig:
        return self._config

    def rerank(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        config = self.config
        reach = min(len(candidates), max(config.depth, 2 * request.limit))
        if reach < 2:
            return candidates
        scores = candidates.scores[:reach].astype(np.float64)
        extent = scores.max() - scores.min()
        relevance = (scores - scores.min()) / extent if extent > 0 else np.zeros(reach)
        # What is here only because the page is short stays behind all that is not.
        relevance -= candidates.repeated[:reach] * _BEHIND_ALL
        # Plain lists: a page touches few of the rows in reach at each position, too few for array operations to pay.
        worth = relevance.tolist()
        left = list(worth)
        authors = _Crowding(candidates.authors[:reach], config.authors, config.author_penalty)
        categories = _Crowding(candidates.categories[:reach], config.categories, config.category_penalty)
        placed: list[int] = []
        for position in range(min(request.limit, reach)):
            best = left.index(max(left))
            placed.append(best)
            worth[best] = left[best] = -math.inf
            changed = authors.enter(best) + categories.enter(best)
            if position + 1 >= config.window:
                leaving = placed[position + 1 - config.window]
                changed += authors.leave(leaving) + categories.leave(leaving)
            for row in changed:
                left[row] = worth[row] - (authors.penalties[row] + categories.penalties[row])
        rest = np.ones(len(candidates), np.bool_)
        rest[placed] = False
        return candidates.take(np.concatenate([np.array(placed, np.intp), np.flatnonzero(rest)]))


class _Crowding:
    """How many in the window share each key, and what that costs the next one that has it."""

    def __init__(self, keys: UInt64s, free: int, penalty: float) -> None:
        self.penalties = [0.0] * len(keys)
        """What each row would cost if it came next: for each beyond the limit that its key would then have."""
        self._keys: list[int] = keys.tolist()
        self._free = free
        self._penalty = penalty
        self._counts: dict[int, int] = {}
        self._rows: dict[int, list[int]] = {}
        for row, key in enumerate(self._keys):
            self._rows.setdefault(key, []).append(row)

    def enter(self, row: int) -> list[int]:
        """Count a row in; gives the rows whose penalty is another one now."""
        return self._count(row, 1)

    def leave(self, row: int) -> list[int]:
        """Count a row out; gives the rows whose penalty is another one now."""
        return self._count(row, -1)

    def _count(self, row: int, change: int) -> list[int]:
        key = self._keys[row]
        if key == 0:
            return []
        before = self._counts.get(key, 0)
        after = self._counts[key] = before + change
        if max(before, after) + 1 <= self._free:
            return []
        penalty = self._penalty * max(after + 1 - self._free, 0)
        rows = self._rows[key]
        for other in rows:
            self.penalties[other] = penalty
        return rows
