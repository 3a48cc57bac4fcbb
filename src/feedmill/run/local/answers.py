"""What the server is asked and what it answers, whatever carries it: HTTP, tests, the console."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from feedmill.domain.clock import format_time
from feedmill.domain.records import Scalar
from feedmill.run.local.ages import NO_AGES, EventAges
from feedmill.serve.page import Explanation, PageItem
from feedmill.serve.ranked import LeftOut as LeftOut
from feedmill.serve.similar import SimilarItem as SimilarItem
from feedmill.serve.stored_trace import TraceSummary as TraceSummary


class FeedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A page that is asked for."""

    user_id: str
    limit: int = 20
    """1 to 100."""
    cursor: str = ""
    """What the page before gave: the next page of the same session. Empty: the first page of a new one."""
    surface: str = "feed"
    exclude: tuple[str, ...] = ()
    """Items that must not be on the page."""
    context: Mapping[str, Scalar] = {}
    request_id: str = ""
    """The same id gives the same page. Empty: the server makes one."""


class Freshness(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How old what made an answer is."""

    state_position: int
    """The log position up to which the state is folded."""
    parameters_step: int
    """Steps that the parameters have learned."""
    parameters_position: int
    """The log position up to which they have learned."""
    parameters_age_ms: int | None
    """For how long, at most, something has been received that they have not learned: milliseconds since a trainer last
    said that it had learned what there was to learn; None where none ever did."""


class FeedPage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer to a FeedRequest."""

    request_id: str
    user_id: str
    surface: str
    items: tuple[PageItem, ...]
    cursor: str
    """For the next page; empty where there is nothing left to show."""
    note: str
    """Where the page is shorter than asked for or repeats what the user has seen: by how much. Empty otherwise."""
    arm: str
    """`feedmill`; `popularity` for the users of the holdout."""
    freshness: Freshness
    traced: bool
    """Whether all candidates were kept, so that `explain` can say why an item is not on the page."""


class RankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Candidates that are to be put in order."""

    user_id: str
    item_ids: tuple[str, ...]
    """1 to 1,000, each once."""
    surface: str = "rank"
    context: Mapping[str, Scalar] = {}
    request_id: str = ""


class RankedPage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer to a RankRequest."""

    request_id: str
    user_id: str
    items: tuple[PageItem, ...]
    left_out: tuple[LeftOut, ...]
    freshness: Freshness


class PageExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a page is what it is."""

    request_id: str
    user_id: str
    surface: str
    at: int
    """UTC milliseconds."""
    arm: str
    policy_version: str
    state_position: int
    items: tuple[PageItem, ...]
    trace: TraceSummary | None
    """None where no trace was kept."""
    note: str
    """What is not known any more, in words."""
    item: Explanation | None = None
    """The fate of the item that was asked about."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The trainer goes on, and its parameters are not served: the last good ones are."""

    since: int
    """UTC milliseconds."""
    reasons: tuple[str, ...]
    """What fell off a cliff, in words."""

    @property
    def sentence(self) -> str:
        """
        >>> Held(since=0, reasons=("click: AUC 0.500, 0.712 before",)).sentence
        'New parameters are held back since 1970-01-01T00:00:00Z: click: AUC 0.500, 0.712 before'
        """
        return f"New parameters are held back since {format_time(self.since)}: {'; '.join(self.reasons)}"


class LiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a running server knows of itself."""

    version: str
    started_at: int
    """UTC milliseconds."""
    starting: str
    """What it is doing before it is ready; empty when it is."""
    log_end: int
    users: int
    items: int
    freshness: Freshness
    trainer_lag: int
    """Records of the log that the parameters have not learned."""
    held: Held | None = None
    """Why no newer parameters are served, though the trainer goes on; None where they are."""
    ages: EventAges = NO_AGES
    """How long events took until they were in the state, learned and served by."""
    set_aside: int = 0
    """Steps of which some was not learned, as the loss or a gradient was not finite."""
    refused: tuple[str, ...] = ()
    """What could not be used, and why: snapshots, deltas."""
