"""The stages of a feed, in the order in which they run. A class that implements one derives from its protocol.

    request hydrators -> sources -> candidate hydrators -> filters -> scorers -> rerankers -> selector

A stage reads; it changes neither its input nor what it reads from. For the same request and the same state it gives the
same answer. A stage that raises is counted and stepped over; one that `fails_closed` takes all candidates with it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.serve.pipeline.candidates import Candidates, Retrieved, Rows
from feedmill.serve.pipeline.readers import Bools, Int32s
from feedmill.serve.pipeline.request import HydratedRequest


class StageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every stage can be told."""

    enabled: bool = True


class SourceConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every source can be told."""

    limit: int = 100
    """How many items it names at most."""
    deadline_ms: float = 100.0
    """How long a request waits for it."""
    weight: float = 1.0
    """What its order counts beside that of other sources, where no ranker has the last word."""

    def __post_init__(self) -> None:
        at_least("limit", self.limit, 1)
        at_least("weight", self.weight, 0)
        above("deadline_ms", self.deadline_ms, 0)


def at_least(key: str, value: float, bound: float) -> None:
    """Raises ConfigError, naming the key, where a setting is below its bound or not a number."""
    if not (math.isfinite(value) and value >= bound):
        raise ConfigError(f"{key}: must be a number from {bound:g} upwards, not {value}")


def above(key: str, value: float, bound: float) -> None:
    """Raises ConfigError, naming the key, where a setting is not above its bound or not a number."""
    if not (math.isfinite(value) and value > bound):
        raise ConfigError(f"{key}: must be a number above {bound:g}, not {value}")


class Stage(Protocol):
    """What all stages have."""

    name: ClassVar[str]
    fails_closed: ClassVar[bool] = False
    """Whether nothing may be shown that this stage has not dealt with: safety, against relevance."""

    @property
    def config(self) -> StageConfig: ...

    def enabled(self, request: HydratedRequest) -> bool:
        """Whether the stage has a part in this request."""
        return self.config.enabled


class RequestHydrator(Stage, Protocol):
    """Adds to the request what several stages need of the user."""

    @abstractmethod
    def hydrate(self, request: HydratedRequest) -> HydratedRequest: ...


class Explained(Protocol):
    """Can say in one sentence why it named an item."""

    @abstractmethod
    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        """A short clause for the user, without a full stop: "trending today"."""
        ...


class Source(Stage, Explained, Protocol):
    """Names items that may be worth showing. Runs beside the others, under its own deadline."""

    in_memory: ClassVar[bool] = False
    """Whether it only reads what the process holds. Such sources take turns in one thread: they would not be faster
    side by side, and changing threads costs as much as some of them take."""

    @property
    def config(self) -> SourceConfig: ...

    @abstractmethod
    def fetch(self, request: HydratedRequest) -> Retrieved:
        """At most `config.limit` items, best first."""
        ...

    def refresh(self, now: int) -> None:
        """Bring up to date what is kept between requests, where that is due. Called before `fetch`, not beside it."""
        return


class Backfill(Stage, Explained, Protocol):
    """Names further items for a page that would be short."""

    @abstractmethod
    def fill(self, request: HydratedRequest, known: Int32s, count: int) -> Retrieved:
        """Up to `count` items that are not among `known`, unseen ones first; fewer when there are no more."""
        ...


class CandidateHydrator(Stage, Protocol):
    """Adds columns to the candidates."""

    fails_closed: ClassVar[bool] = True

    @abstractmethod
    def hydrate(self, request: HydratedRequest, candidates: Candidates) -> Candidates: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter keeps, and why it removes the rest."""

    kept: Bools
    """bool [n]."""
    codes: npt.NDArray[np.uint8]
    """uint8 [n]: for each that is removed, which of the reasons."""
    reasons: tuple[str, ...]
    """Clauses that go on from "removed, because": "you have seen it"."""

    @staticmethod
    def removing(removed: Bools, reason: str) -> Verdict:
        """One reason for all."""
        return Verdict(~removed, np.zeros(len(removed), np.uint8), (reason,))

    @staticmethod
    def keeping(count: int) -> Verdict:
        """All of them."""
        return Verdict(np.ones(count, np.bool_), np.zeros(count, np.uint8), ())


class Filter(Stage, Protocol):
    """Removes what this user must not or should not see. Judges every candidate for itself."""

    @abstractmethod
    def judge(self, request: HydratedRequest, candidates: Candidates) -> Verdict: ...


class Scorer(Stage, Protocol):
    """Sets predictions or final scores; the candidates and their order stay."""

    @abstractmethod
    def score(self, request: HydratedRequest, candidates: Candidates) -> Candidates: ...


class Reranker(Stage, Protocol):
    """Orders the candidates, which come best first, with an eye on their neighbours; none is added or lost."""

    @abstractmethod
    def rerank(self, request: HydratedRequest, candidates: Candidates) -> Candidates: ...


@dataclass(frozen=True, slots=True)
class Slate:
    """The page, top first."""

    chosen: Rows
    """intp [m]: which of the candidates, each once."""
    probabilities: Float32s
    """float32 [m]: how likely exploration was to choose it, given what stands above; NaN where it had no say."""


class Selector(Stage, Protocol):
    """Fills the positions of the page from the ordered candidates: as many as asked for, while there are any."""

    @abstractmethod
    def select(self, request: HydratedRequest, candidates: Candidates) -> Slate: ...
