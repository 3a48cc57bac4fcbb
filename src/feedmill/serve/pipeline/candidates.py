"""Candidates as columns: what sources name, filters thin out, scorers score and rerankers order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.ids import UInt64s
from feedmill.serve.pipeline.readers import Bools, Int32s

Rows = npt.NDArray[np.intp]

FUSION_CONSTANT = 60.0
"""The k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What one source names, best first, each item once."""

    items: Int32s
    """int32 [k]: ordinals."""
    scores: Float32s
    """float32 [k]: in the source's own units, finite."""
    evidence: UInt64s
    """uint64 [k]: what led the source to the item, in the source's own terms; 0 where nothing in particular did."""

    def __len__(self) -> int:
        return len(self.items)

    @staticmethod
    def of(
        items: npt.NDArray[np.integer],
        scores: npt.NDArray[np.floating],
        evidence: npt.NDArray[np.integer] | None = None,
    ) -> Retrieved:
        """From columns of any width; no evidence means none in particular."""
        if evidence is None:
            evidence = np.zeros(len(items), np.uint64)
        return Retrieved(items.astype(np.int32), scores.astype(np.float32), evidence.astype(np.uint64))

    @staticmethod
    def nothing() -> Retrieved:
        return Retrieved(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.uint64))


@dataclass(frozen=True, slots=True)
class Candidates:
    """n items, each once, named by some of S sources, with O predictions. Columns are replaced, never written to."""

    sources: tuple[str, ...]
    """The names of the S sources."""
    items: Int32s
    """int32 [n]: ordinals."""
    rows: Rows
    """intp [n]: where each stood when it was first named; what a trace knows it by."""
    named: Bools
    """bool [n, S]: which sources named it."""
    source_scores: Float32s
    """float32 [n, S]: 0 where the source did not name it."""
    evidence: UInt64s
    """uint64 [n, S]."""
    retrieval_scores: Float32s
    """float32 [n]: the sources' verdicts together: the sum of weight / (60 + rank) (reciprocal rank fusion)."""
    authors: UInt64s
    """uint64 [n]: keys, 0 where unknown."""
    categories: UInt64s
    """uint64 [n]: keys, 0 where unknown."""
    scores: Float32s
    """float32 [n]: the final score; `retrieval_scores` until a scorer has set it."""
    repeated: Bools
    """bool [n]: would not be here if the page were not short."""
    objectives: tuple[str, ...]
    """The names of the O predictions."""
    predictions: Float32s
    """float32 [n, O]."""
    features: Features | None
    """What the predictions were made from."""
    feature_rows: Rows
    """intp [n]: the row of `features` that belongs to each candidate."""

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: Rows | Bools) -> Candidates:
        """Some of the candidates, in the order given."""
        return replace(
            self,
            items=self.items[rows],
            rows=self.rows[rows],
            named=self.named[rows],
            source_scores=self.source_scores[rows],
            evidence=self.evidence[rows],
            retrieval_scores=self.retrieval_scores[rows],
            authors=self.authors[rows],
            categories=self.categories[rows],
            scores=self.scores[rows],
            repeated=self.repeated[rows],
            predictions=self.predictions[rows],
            feature_rows=self.feature_rows[rows],
        )

    @staticmethod
    def concatenate(first: Candidates, second: Candidates) -> Candidates:
        """Both, which come from the same sources and have not been scored."""
        return replace(
            first,
            items=np.concatenate([first.items, second.items]),
            rows=np.concatenate([first.rows, second.rows]),
            named=np.concatenate([first.named, second.named]),
            source_scores=np.concatenate([first.source_scores, second.source_scores]),
            evidence=np.concatenate([first.evidence, second.evidence]),
            retrieval_scores=np.concatenate([first.retrieval_scores, second.retrieval_scores]),
            authors=np.concatenate([first.authors, second.authors]),
            categories=np.concatenate([first.categories, second.categories]),
            scores=np.concatenate([first.scores, second.scores]),
            repeated=np.concatenate([first.repeated, second.repeated]),
            predictions=np.concatenate([first.predictions, second.predictions]),
            feature_rows=np.concatenate([first.feature_rows, second.feature_rows]),
        )


def merge(
    retrieved: Sequence[Retrieved | None],
    sources: Mapping[str, float],
    first_row: int = 0,
) -> Candidates:
    """What S sources named (None: nothing came of it), each item once, in the order of first mention.

    `sources` gives their names and weights. An item that a source names twice counts where it stands first. `first_row`
    is the `rows` of the first candidate.
    """
    parts = [Retrieved.nothing() if part is None else part for part in retrieved]
    mentioned = np.concatenate([part.items for part in parts]) if parts else np.empty(0, np.int32)
    items, first, inverse = np.unique(mentioned, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(items), np.intp)
    place[order] = np.arange(len(items))
    row_of_mention = place[inverse.reshape(-1)]

    n, width = len(items), len(sources)
    named = np.zeros((n, width), np.bool_)
    source_scores = np.zeros((n, width), np.float32)
    evidence = np.zeros((n, width), np.uint64)
    fused = np.zeros(n)
    start = 0
    for column, (part, weight) in enumerate(zip(parts, sources.values(), strict=True)):
        # Backwards, so that what is written last, and stays, is where the item stands first.
        rows = row_of_mention[start : start + len(part)][::-1]
        start += len(part)
        named[rows, column] = True
        source_scores[rows, column] = part.scores[::-1]
        evidence[rows, column] = part.evidence[::-1]
        verdict = np.zeros(n)
        verdict[rows] = (weight / (FUSION_CONSTANT + 1.0 + np.arange(len(part))))[::-1]
        fused += verdict
    retrieval_scores = fused.astype(np.float32)
    return Candidates(
        sources=tuple(sources),
        items=items[order].astype(np.int32),
        rows=np.arange(first_row, first_row + n),
        named=named,
        source_scores=source_scores,
        evidence=evidence,
        retrieval_scores=retrieval_scores,
        authors=np.zeros(n, np.uint64),
        categories=np.zeros(n, np.uint64),
        scores=retrieval_scores,
        repeated=np.zeros(n, np.bool_),
        objectives=(),
        predictions=np.empty((n, 0), np.float32),
        features=None,
        feature_rows=np.arange(n),
    )
