"""What the user keeps rejecting."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.ids import UInt64s
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Filter, StageConfig, Verdict, above, at_least
from feedmill.stream.catalog.columns import Catalog


class NegativeFeedbackConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    author_rejections: int = 2
    category_rejections: int = 4
    days: float = 30.0
    """Older actions are forgotten."""

    def __post_init__(self) -> None:
        at_least("author_rejections", self.author_rejections, 1)
        at_least("category_rejections", self.category_rejections, 1)
        above("days", self.days, 0)


class NegativeFeedbackFilter(Filter):
    """Removes the authors and categories that the user keeps rejecting.

    The rule: within the last `days`, the user has acted negatively on at least so many of their items, and on more than
    twice as many as positively.
    """

    name: ClassVar[str] = "negative_feedback"

    def __init__(self, catalog: Catalog, config: NegativeFeedbackConfig | None = None) -> None:
        self._config = config or NegativeFeedbackConfig()
        self._items = catalog.items

    @property
    def config(self) -> NegativeFeedbackConfig:
        return self._config

    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict:
        history = request.history
        recent = history.timestamps > request.now - self.config.days * DAY
        acted_on, negative = history.items[recent], history.weights[recent] < 0
        if not negative.any():
            return Verdict.keeping(len(candidates))
        items = self._items
        authors = _rejected(items.authors[acted_on], negative, self.config.author_rejections)
        categories = _rejected(items.categories[acted_on], negative, self.config.category_rejections)
        if not len(authors) and not len(categories):
            return Verdict.keeping(len(candidates))
        by_author = np.isin(items.authors[candidates.items], authors)
        by_category = np.isin(items.categories[candidates.items], categories)
        return Verdict(
            ~(by_author | by_category),
            np.where(by_author, 0, 1).astype(np.uint8),
            ("you keep rejecting its author", "you keep rejecting its category"),
        )


def _rejected(
    keys: UInt64s,  # uint64 [m]: 0 where unknown
    negative: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],  # bool [m]
    at_least: int,
) -> UInt64s:
    distinct, place = np.unique(keys, return_inverse=True)
    against = np.bincount(place, weights=negative, minlength=len(distinct))
    in_favour = np.bincount(place, weights=~negative, minlength=len(distinct))
    rejected: UInt64s = distinct[(distinct != 0) & (against >= at_least) & (against > 2 * in_favour)]
    return rejected
