"""Describes candidates and filters them, and remembers what removed each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.serve.pipeline.attempt import Attempts
from feedmill.serve.pipeline.candidates import Candidates
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import CandidateHydrator, Filter, Verdict
from feedmill.serve.pipeline.trace import Removal


@dataclass(frozen=True, slots=True)
class Screened:
    """n candidates after the filters."""

    candidates: Candidates
    """All n, described."""
    removed: Int32s
    """int32 [n]: which of `removals` took it out, -1 where none did."""
    removals: tuple[Removal, ...]

    def removed_by(self, stage: str) -> Candidates:
        """Those that this filter took out."""
        by = [number for number, removal in enumerate(self.removals) if removal.stage == stage]
        return self.candidates.take(np.isin(self.removed, by))

    def kept(self) -> Candidates:
        return self.candidates.take(self.removed < 0)

    def and_then(self, other: Screened) -> Screened:
        """Both together, those of `other` behind."""
        shifted = np.where(other.removed < 0, -1, other.removed + len(self.removals)).astype(np.int32)
        return Screened(
            Candidates.concatenate(self.candidates, other.candidates),
            np.concatenate([self.removed, shifted]),
            self.removals + other.removals,
        )


def screen(
    hydrators: Sequence[CandidateHydrator],
    filters: Sequence[Filter],
    request: HydratedRequest,
    candidates: Candidates,
    attempts: Attempts,
) -> Screened:
    """Run the hydrators, then the filters one after another on what is left.

    One that fails closed removes all candidates when it fails.
    """
    n = len(candidates)
    removed = np.full(n, -1, np.int32)
    removals: list[Removal] = []
    for hydrator in hydrators:
        described = attempts.make(
            hydrator, "hydrator", request, n, partial(_aligned, hydrator, request, candidates), len
        )
        if described.value is not None:
            candidates = described.value
        elif described.failed and hydrator.fails_closed:
            removed[:] = len(removals)
            removals.append(Removal(hydrator.name, "it could not be described"))
            return Screened(candidates, removed, tuple(removals))

    left = candidates
    first_row = int(candidates.rows[0]) if n else 0
    for stage in filters:
        attempt = attempts.make(stage, "filter", request, len(left), partial(_judged, stage, request, left), _kept)
        verdict = attempt.value
        if verdict is None:
            if not (attempt.failed and stage.fails_closed):
                continue
            verdict = Verdict.removing(np.ones(len(left), np.bool_), "it could not be judged")
        out = ~verdict.kept
        if out.any():
            removed[left.rows[out] - first_row] = len(removals) + verdict.codes[out].astype(np.int32)
            removals += [Removal(stage.name, reason) for reason in verdict.reasons]
            left = left.take(verdict.kept)
    return Screened(candidates, removed, tuple(removals))


def _aligned(stage: CandidateHydrator, request: HydratedRequest, candidates: Candidates) -> Candidates:
    described = stage.hydrate(request, candidates)
    if not np.array_equal(described.items, candidates.items):
        raise InvalidArgument(f"hydrator {stage.name}: changed which candidates there are")
    return replace(described, rows=candidates.rows)


def _judged(stage: Filter, request: HydratedRequest, candidates: Candidates) -> Verdict:
    verdict = stage.judge(request, candidates)
    n = len(candidates)
    if len(verdict.kept) != n or len(verdict.codes) != n:
        raise InvalidArgument(f"filter {stage.name}: judged {len(verdict.kept)} of {n} candidates")
    if not verdict.kept.all() and int(verdict.codes[~verdict.kept].max()) >= len(verdict.reasons):
        raise InvalidArgument(f"filter {stage.name}: removes without a reason")
    return verdict


def _kept(verdict: Verdict) -> int:
    return int(np.count_nonzero(verdict.kept))
