"""A trace as it is kept: all candidates of a request by name, in few bytes, after the request itself is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.serve.page import Explanation, sentence
from feedmill.serve.pipeline.candidates import Retrieved, merge
from feedmill.serve.pipeline.meter import StageRun
from feedmill.serve.pipeline.request import HydratedRequest, Request
from feedmill.serve.pipeline.trace import Removal, Trace
from feedmill.stream.catalog.columns import Catalog

_LARGEST = float(np.finfo(np.float16).max)
_FORGOTTEN = "what the filters would have said of it is not known any more"


class StageTime(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage did in one request."""

    stage: str
    kind: str
    outcome: str
    milliseconds: float
    entered: int
    left: int
    error: str = ""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """How many candidates one filter took out for one reason."""

    stage: str
    reason: str
    count: int


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the trace of a page holds."""

    candidates: int
    removed: tuple[Removed, ...]
    """Most first."""
    stages: tuple[StageTime, ...]
    """In the order in which they ran."""


class StoredTrace(msgspec.Struct, frozen=True, array_like=True):
    """All n candidates of a request, in the order in which they were named. Arrays are little-endian bytes.

    500 candidates of eight-letter ids with four predictions take about 17 KB, 9 KB compressed.
    """

    request: Request
    """As it was asked, with the time as of which it was answered."""
    items: tuple[str, ...]
    """The ids of the n candidates."""
    sources: tuple[str, ...]
    """The names of the S sources."""
    named: bytes
    """uint8 [n, ceil(S / 8)]: a bit for each source that named it, the first source highest."""
    objectives: tuple[str, ...]
    """The names of the O predictions."""
    predictions: bytes
    """float16 [n, O]: NaN where it was removed before it was ranked."""
    scores: bytes
    """float16 [n]: NaN as above; what a half cannot hold is the largest that it can."""
    removals: tuple[Removal, ...]
    removed: bytes
    """int32 [n]: which of `removals` took it out, -1 where none did."""
    ranks: bytes
    """int32 [n]: place from 0, on the page and then below it; -1 where it was not ranked."""
    slate: bytes
    """int32 [m]: the candidates on the page, top first."""
    probabilities: bytes
    """float32 [m]: as exploration drew it; NaN where it had no say."""
    whys: tuple[str, ...]
    """What the page said of each of its m positions; empty where that was not kept."""
    runs: tuple[StageRun, ...]

    @staticmethod
    def of(trace: Trace, catalog: Catalog, whys: Sequence[str] = ()) -> StoredTrace:
        """The trace with the names that its ordinals have; `whys` are those of the page, top first.

        May be called later, on another thread: a trace does not change, nor does the name of an ordinal.
        """
        candidates, names = trace.candidates, catalog.items.ids.names
        known = {field.name: getattr(trace.request, field.name) for field in fields(Request)}
        return StoredTrace(
            request=Request(**known),
            items=tuple(names[item] for item in candidates.items.tolist()),
            sources=candidates.sources,
            named=np.packbits(candidates.named, axis=1).tobytes(),
            objectives=candidates.objectives,
            predictions=_halves(candidates.predictions),
            scores=_halves(candidates.scores),
            removals=trace.removals,
            removed=trace.removed.astype("<i4").tobytes(),
            ranks=trace.ranks.astype("<i4").tobytes(),
            slate=trace.slate.astype("<i4").tobytes(),
            probabilities=trace.probabilities.astype("<f4").tobytes(),
            whys=tuple(whys),
            runs=trace.runs,
        )

    def explanation(self, item_id: str, title: str = "") -> Explanation:
        """Why the item was on the page, or was not, in the words of the day; `title` is the id where none is given.

        Of an item that no source named, also one that does not exist, no more is known than that.
        """
        place = self.items.index(item_id) if item_id in self.items else -1
        trace = self.trace()
        fate = trace.fate(place)
        why = ""
        if fate.outcome == "shown" and fate.rank is not None and self.whys:
            why = self.whys[fate.rank - 1]
        return Explanation(
            item_id,
            title or item_id,
            fate.outcome,
            sentence(trace, fate, why, _FORGOTTEN),
            fate.sources,
            fate.rank,
            fate.removal,
            fate.predictions,
            fate.score,
        )

    def summary(self) -> TraceSummary:
        """How many candidates there were, what removed how many, and how long each stage took."""
        removed = Counter(self.removals[index] for index in np.frombuffer(self.removed, "<i4").tolist() if index >= 0)
        return TraceSummary(
            candidates=len(self.items),
            removed=tuple(
                Removed(stage=removal.stage, reason=removal.reason, count=count)
                for removal, count in removed.most_common()
            ),
            stages=tuple(
                StageTime(
                    stage=run.stage,
                    kind=run.kind,
                    outcome=run.outcome,
                    milliseconds=1000 * run.seconds,
                    entered=run.entered,
                    left=run.left,
                    error=run.error,
                )
                for run in self.runs
            ),
        )

    def trace(self) -> Trace:
        """The trace again, with an item's place in `items` for its ordinal, and without what was not kept."""
        n = len(self.items)
        names = np.frombuffer(self.named, np.uint8).reshape(n, -(-len(self.sources) // 8))
        bare = merge([Retrieved.of(np.arange(n), np.zeros(n))], {"": 1.0})
        candidates = replace(
            bare,
            sources=self.sources,
            named=np.unpackbits(names, axis=1, count=len(self.sources)).astype(np.bool_),
            scores=np.frombuffer(self.scores, "<f2").astype(np.float32),
            objectives=self.objectives,
            predictions=np.frombuffer(self.predictions, "<f2").astype(np.float32).reshape(n, len(self.objectives)),
        )
        known = {field.name: getattr(self.request, field.name) for field in fields(Request)}
        return Trace(
            request=HydratedRequest(**known),
            candidates=candidates,
            removed=np.frombuffer(self.removed, "<i4").astype(np.int32),
            removals=self.removals,
            ranks=np.frombuffer(self.ranks, "<i4").astype(np.int32),
            slate=np.frombuffer(self.slate, "<i4").astype(np.intp),
            probabilities=np.frombuffer(self.probabilities, "<f4").astype(np.float32),
            runs=self.runs,
        )


def _halves(values: npt.NDArray[np.float32]) -> bytes:
    return np.clip(values, -_LARGEST, _LARGEST).astype("<f2").tobytes()
