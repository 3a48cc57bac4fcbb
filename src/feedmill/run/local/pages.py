"""Answers feeds: one page after another from one definite state, remembered, and logged with what made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from feedmill.domain.clock import DAY, Clock
from feedmill.domain.errors import Conflict, InvalidRecord
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Record, Served, ServedItem, served_event_id
from feedmill.measure.monitoring.arms import HOLDOUT, POPULARITY, HoldoutConfig
from feedmill.run.local.answers import FeedPage, FeedRequest, Freshness, RankedPage, RankRequest
from feedmill.run.local.config import ServingConfig
from feedmill.run.local.folded_state import FoldedState
from feedmill.run.local.traces import Traces
from feedmill.run.local.turns import Turns
from feedmill.serve.feed import Feed
from feedmill.serve.page import Page, PageItem
from feedmill.serve.pipeline.request import Request
from feedmill.serve.ranked import LeftOut
from feedmill.serve.session import (
    PageOfSession,
    Recent,
    digest_of,
    make_cursor,
    new_request_id,
    read_cursor,
    shown_so_far,
)
from feedmill.serve.stored_trace import StoredTrace
from feedmill.stream.ingest import Ingested
from feedmill.stream.validation import check_id, check_scalars

MOST_ITEMS = 100
"""Items of one page."""
MOST_CANDIDATES = 1_000
"""Candidates of one ranking."""
_MOST_EXCLUDED = 1_000
_SETTLE_SECONDS = 1.0


class Log(Protocol):
    """Where pages of long ago are found."""

    def find(self, event_ids: Sequence[str]) -> list[Record | None]: ...


@dataclass(frozen=True, slots=True)
class _Remembered:
    page: FeedPage | RankedPage
    surface: str
    previous: str
    asked: str


class Pages:
    """The pages of a home. Safe to call from any thread."""

    def __init__(
        self,
        *,
        feed: Feed,
        popular: Feed,
        folded: FoldedState,
        turns: Turns,
        freshness: Callable[[], Freshness],
        keep: Callable[[Record], Future[Ingested] | None],
        log: Log,
        traces: Traces,
        clock: Clock,
        serving: ServingConfig,
        holdout: HoldoutConfig,
        policy_version: str,
    ) -> None:
        """`popular` answers the users of the holdout; `keep` puts a page on its way into the log."""
        self._feed = feed
        self._popular = popular
        self._folded = folded
        self._turns = turns
        self._freshness = freshness
        self._keep = keep
        self._log = log
        self._traces = traces
        self._clock = clock
        self._serving = serving
        self._holdout = holdout
        self._policy_version = policy_version
        self._recent: Recent[_Remembered] = Recent(serving.recent_items)

    def feed(self, asked: FeedRequest) -> FeedPage:
        """As `Live.feed`."""
        user_id = check_id("user_id", asked.user_id)
        surface = check_id("surface", asked.surface)
        limit = _between("limit", asked.limit, 1, MOST_ITEMS)
        exclude = _ids("exclude", asked.exclude, _MOST_EXCLUDED)
        context = {**check_scalars("context", asked.context), "surface": surface}
        previous = read_cursor(asked.cursor) if asked.cursor else ""
        request_id = check_id("request_id", asked.request_id) if asked.request_id else ""
        question = ("feed", user_id, previous, limit, surface, sorted(exclude), sorted(context.items()))
        asked_for = digest_of(question)
        if previous and not request_id:
            request_id = f"~{asked_for}"
        # Who names a request may have named it before; an id of our own making is new.
        named = bool(request_id)
        known = self._known(request_id) if named else None
        if known is not None:
            return _same(known, FeedPage, asked_for)
        shown = self._shown(previous, user_id) if previous else ()
        request_id = request_id or new_request_id()
        arm = self._holdout.arm_of(user_id)
        feed = self._popular if arm == POPULARITY else self._feed
        with self._turns:
            meanwhile = self._recent.get(request_id)
            if meanwhile is not None:
                return _same(meanwhile, FeedPage, asked_for)
            request = Request(
                user_id=user_id,
                now=self.present(),
                limit=limit,
                surface=surface,
                request_id=request_id,
                context=context,
                exclude=frozenset(exclude),
                shown=frozenset(shown),
            )
            page = feed.recommend(request)
            freshness = self._freshness()
            answer = FeedPage(
                request_id=request_id,
                user_id=user_id,
                surface=surface,
                items=page.items,
                cursor=make_cursor(request_id) if len(page.items) == limit else "",
                note=page.note,
                arm=arm,
                freshness=freshness,
                traced=self._is_traced(request_id),
            )
            self._recent.put(request_id, _Remembered(answer, surface, previous, asked_for), len(answer.items))
        kept = self._log_page(
            request, page, freshness, arms={HOLDOUT: arm}, previous=previous, asked=asked_for, traced=answer.traced
        )
        if named:
            _settle(kept)
        return answer

    def rank(self, asked: RankRequest) -> RankedPage:
        """As `Live.rank`."""
        user_id = check_id("user_id", asked.user_id)
        surface = check_id("surface", asked.surface)
        item_ids = _ids("item_ids", asked.item_ids, MOST_CANDIDATES)
        if not item_ids:
            raise InvalidRecord("item_ids", "must name at least one item")
        if len(set(item_ids)) < len(item_ids):
            raise InvalidRecord("item_ids", "must name each item once")
        context = {**check_scalars("context", asked.context), "surface": surface}
        request_id = check_id("request_id", asked.request_id) if asked.request_id else ""
        asked_for = digest_of(("rank", user_id, item_ids, surface, sorted(context.items())))
        named = bool(request_id)
        known = self._known(request_id) if named else None
        if known is not None:
            return _same(known, RankedPage, asked_for)
        request_id = request_id or new_request_id()
        with self._turns:
            meanwhile = self._recent.get(request_id)
            if meanwhile is not None:
                return _same(meanwhile, RankedPage, asked_for)
            request = Request(
                user_id=user_id,
                now=self.present(),
                limit=len(item_ids),
                surface=surface,
                request_id=request_id,
                context=context,
            )
            ranked = self._feed.rank(request, item_ids)
            freshness = self._freshness()
            answer = RankedPage(
                request_id=request_id,
                user_id=user_id,
                items=ranked.page.items,
                left_out=ranked.left_out,
                freshness=freshness,
            )
            self._recent.put(request_id, _Remembered(answer, surface, "", asked_for), len(item_ids))
        kept = self._log_page(
            request,
            ranked.page,
            freshness,
            asked=asked_for,
            left_out={left.item_id: left.reason for left in ranked.left_out},
            traced=self._is_traced(request_id),
        )
        if named:
            _settle(kept)
        return answer

    def present(self) -> int:
        """The time that requests are as of, UTC milliseconds.

        In a log that ended long ago everything would have faded away by now: its own end is the present that it knows.
        """
        now, watermark = self._clock.now(), self._folded.state.watermark
        return watermark if 0 < watermark < now - DAY else now

    def _shown(self, previous: str, user_id: str) -> tuple[str, ...]:
        page = self._page_of_session(previous)
        if page is None:
            raise InvalidRecord("cursor", "its session is not known any more; leave the cursor out to begin a new one")
        if page.user_id != user_id:
            raise Conflict(
                f"cursor: it belongs to the session of another user; leave it out to begin one for {user_id}"
            )
        return shown_so_far(page, self._page_of_session)

    def _page_of_session(self, request_id: str) -> PageOfSession | None:
        known = self._known(request_id)
        if known is None:
            return None
        item_ids = tuple(item.item_id for item in known.page.items)
        return PageOfSession(known.page.user_id, known.surface, item_ids, known.previous)

    def _known(self, request_id: str) -> _Remembered | None:
        """The page that was answered to a request, from memory or from the log."""
        with self._turns:
            known = self._recent.get(request_id)
        if known is not None:
            return known
        (record,) = self._log.find([served_event_id(request_id)])
        return None if record is None else self._remembered(record)

    def _remembered(self, record: Record) -> _Remembered:
        served = record.body
        assert isinstance(served, Served)
        items = tuple(self.page_item(item) for item in served.items)
        freshness = Freshness(
            state_position=served.state_position,
            parameters_step=served.parameters_step,
            parameters_position=served.parameters_position,
            parameters_age_ms=None,
        )
        if HOLDOUT not in served.arms:
            ranked = RankedPage(
                request_id=record.request_id,
                user_id=record.subject,
                items=items,
                left_out=tuple(LeftOut(item_id, reason) for item_id, reason in served.left_out.items()),
                freshness=freshness,
            )
            return _Remembered(ranked, served.surface, served.previous, served.asked)
        page = FeedPage(
            request_id=record.request_id,
            user_id=record.subject,
            surface=served.surface,
            items=items,
            cursor=make_cursor(record.request_id) if len(items) == served.limit else "",
            note=served.note,
            arm=served.arms[HOLDOUT],
            freshness=freshness,
            traced=served.traced,
        )
        return _Remembered(page, served.surface, served.previous, served.asked)

    def title(self, item_id: str) -> str | None:
        """The title that an item has now, its id where it has none; None where there is no such item."""
        items = self._folded.state.catalog.items
        ordinal = items.ids.find(item_id)
        if ordinal < 0:
            return None
        body = items.body(ordinal)
        return body.title if body is not None and body.title else item_id

    def page_item(self, served: ServedItem) -> PageItem:
        """A position of a page that is in the log, with the title that the item has now."""
        return PageItem(
            position=served.position,
            item_id=served.item_id,
            title=self.title(served.item_id) or served.item_id,
            sources=served.sources,
            predictions=served.predictions,
            score=served.score,
            probability=served.probability,
            why=served.why,
            repeated=served.repeated,
        )

    def _is_traced(self, request_id: str) -> bool:
        return hash_id(f"trace\0{request_id}") < self._serving.trace_share * 2.0**64

    def _log_page(
        self,
        request: Request,
        page: Page,
        freshness: Freshness,
        *,
        asked: str,
        traced: bool,
        arms: Mapping[str, str] = {},
        previous: str = "",
        left_out: Mapping[str, str] = {},
    ) -> Future[Ingested] | None:
        """Put the page on its way into the log, and its trace beside it."""
        served = Served(
            items=page.served_items(),
            surface=request.surface,
            state_position=freshness.state_position,
            policy_version=self._policy_version,
            arms=dict(arms),
            features=page.packed_features(),
            previous=previous,
            parameters_step=freshness.parameters_step,
            parameters_position=freshness.parameters_position,
            limit=request.limit,
            note=page.note,
            traced=traced,
            asked=asked,
            left_out=dict(left_out),
        )
        kept = self._keep(
            Record(
                "served",
                request.now,
                request.user_id,
                event_id=served_event_id(request.request_id),
                request_id=request.request_id,
                context=dict(request.context),
                body=served,
            )
        )
        if traced:
            trace, catalog, whys = page.trace, self._folded.state.catalog, [item.why for item in page.items]
            self._traces.keep(request.request_id, self._clock.now(), lambda: StoredTrace.of(trace, catalog, whys))
        return kept


Answer = TypeVar("Answer", FeedPage, RankedPage)


def _same(known: _Remembered, kind: type[Answer], asked: str) -> Answer:
    """The page that was answered before to the same request. Raises Conflict where it was another request."""
    page = known.page
    if not isinstance(page, kind) or known.asked != asked:
        raise Conflict(
            f"request_id: {page.request_id!r} was another request, for the user {page.user_id!r} on the surface"
            f" {known.surface!r}; give each request an id of its own"
        )
    return page


def _settle(kept: Future[Ingested] | None) -> None:
    """Wait until a page is in the log that may be asked for again; a disk that refuses does not cost the answer."""
    if kept is not None:
        wait([kept], _SETTLE_SECONDS)


def _between(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidRecord(field, f"must be from {least} to {most}, is {value}")
    return value


def _ids(field: str, values: Sequence[str], most: int) -> tuple[str, ...]:
    if len(values) > most:
        raise InvalidRecord(field, f"must have at most {most:,} entries, has {len(values):,}")
    return tuple(check_id(f"{field}[{index}]", value) for index, value in enumerate(values))
