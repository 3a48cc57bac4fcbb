"""The live engine: takes records in, folds them at once, and answers from what it has just been told.

intake        records become durable and are folded, by one thread
folded_state  the state, with its exact position
pages         feeds and rankings, remembered and logged
traces        what else was considered, on its way to the disk
parameters    followed from the trainer by a thread of their own
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import structlog

from feedmill import __version__
from feedmill.domain.clock import Clock
from feedmill.domain.errors import InvalidRecord, NotFound, Unavailable
from feedmill.domain.records import Item, Record, Served, User, served_event_id
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.guards.set_aside import SetAsideCount
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.follower import Follower
from feedmill.learn.training.snapshots import Snapshots
from feedmill.run.config import Config
from feedmill.run.feed import make_feed
from feedmill.run.home import Home
from feedmill.run.ingesting import open_entrance
from feedmill.run.local.ages import Ages
from feedmill.run.local.answers import (
    FeedPage,
    FeedRequest,
    Freshness,
    Held,
    LiveStatus,
    PageExplanation,
    RankedPage,
    RankRequest,
)
from feedmill.run.local.explaining import explain
from feedmill.run.local.folded_state import FoldedState
from feedmill.run.local.heartbeat import Heartbeat
from feedmill.run.local.intake import Intake
from feedmill.run.local.pages import Pages
from feedmill.run.local.traces import Traces, open_store
from feedmill.run.local.turns import Turns
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import popularity_config
from feedmill.serve.pipeline.meter import StageCounts
from feedmill.serve.similar import SimilarItem
from feedmill.stream.ingest import Ingested
from feedmill.stream.log.protocol import Log
from feedmill.stream.validation import Validator, check_id

MOST_SIMILAR = 100
_EVENTS = ("event", "seen")
"""Records of what users did: those whose ages count."""
_HOUSEKEEPING_SECONDS = 1.0
_CHANGE_SECONDS = 30.0
"""How long a change of an item or a user waits for what came before it."""


class Live:
    """A home that is being served. Safe to call from any thread, once `start` has returned.

    Every method but `status` raises Unavailable before that.
    """

    def __init__(
        self, home: Home, config: Config, clock: Clock, on_failure: Callable[[BaseException], None] = lambda error: None
    ) -> None:
        """`on_failure` is told when the state cannot be trusted any more; every request is refused from then on."""
        self.home = home
        self.config = config
        self.clock = clock
        self.validator = Validator(clock)
        self.starting = "opening the home"
        """What `start` is doing; empty when it has returned."""
        self._started_at = clock.now()
        self._turns = Turns()
        self._resources = contextlib.ExitStack()
        self._on_failure = on_failure
        self._lifecycle = threading.Lock()
        self._stopping = threading.Event()
        self._log: Any = structlog.get_logger()
        self._heartbeat = Heartbeat(
            round(1000 * config.serving.heartbeat_seconds), config.join.longest_window(config.objectives.values())
        )
        self.unlogged_pages = 0
        """Pages that were answered and did not reach the log."""
        self.failures = 0
        """How often something that is done beside requests has failed."""
        self._failures: dict[str, str] = {}
        self._set_aside = SetAsideCount(home.set_aside)
        self.ages = Ages(clock)
        """How long events took into the state and into what is served."""

    def start(self) -> None:
        """Open the home and fold what the log holds.

        Raises HomeInUse while another process writes to the home (it may be called again then), StorageError,
        HomeVersionError, and Unavailable where `close` was called meanwhile.
        """
        with self._lifecycle:
            try:
                self._start()
            except BaseException:
                self._resources.close()
                raise
            for refused in self._folded.refused:
                self._log.warning("not used", reason=refused)
            self.starting = ""

    def close(self) -> None:
        """Answer what was taken in, and release the home."""
        self._stopping.set()
        with self._lifecycle:
            self.starting = self.starting or "stopped"
            self._resources.close()

    def submit(self, records: Sequence[Record]) -> Future[Ingested]:
        """Take in valid records: when the future is done they are durable, and the next feed knows of them.

        Raises Unavailable; the future raises StorageError when the disk refuses: all of it may be sent again.
        """
        self._require_started()
        received = self.clock.now()
        done = self._intake.submit(records)
        done.add_done_callback(partial(self._note_age, records, received))
        return done

    def merge_item(self, item_id: str, fields: Mapping[str, object]) -> Ingested:
        """Change some fields of an item (RFC 7396). Raises NotFound, InvalidRecord and what `submit` raises."""
        check_id("item_id", item_id)
        return self._change(lambda: self.validator.merged_item(item_id, self.item(item_id), fields))

    def merge_user(self, user_id: str, fields: Mapping[str, object]) -> Ingested:
        """Change some fields of a user (RFC 7396). Raises NotFound, InvalidRecord and what `submit` raises."""
        check_id("user_id", user_id)
        return self._change(lambda: self.validator.merged_user(user_id, self.user(user_id), fields))

    def item(self, item_id: str) -> Item:
        """What the application has said of an item. Raises NotFound."""
        self._require_started()
        items = self._folded.state.catalog.items
        ordinal = items.ids.find(check_id("item_id", item_id))
        body = items.body(ordinal) if ordinal >= 0 else None
        if body is None:
            raise NotFound(f"there is no item {item_id!r}")
        return body

    def user(self, user_id: str) -> User:
        """What the application has said of a user. Raises NotFound where it has said nothing."""
        self._require_started()
        users = self._folded.state.catalog.users
        ordinal = users.ids.find(check_id("user_id", user_id))
        body = users.body(ordinal) if ordinal >= 0 else None
        if body is None:
            raise NotFound(f"nothing has been said of a user {user_id!r}; users who have only acted have no profile")
        return body

    def feed(self, asked: FeedRequest) -> FeedPage:
        """A page for a user, known or not.

        The same request id gives the same page, also after a restart: a page that was asked for by a request id or a
        cursor is in the log when it is answered, another one a moment later. Nothing repeats within a session. Raises
        InvalidRecord naming the field, Conflict where the request id was another request or the cursor another user's.
        """
        self._require_started()
        return self._pages.feed(asked)

    def rank(self, asked: RankRequest) -> RankedPage:
        """The application's candidates in order for a user. Raises as `feed`."""
        self._require_started()
        return self._pages.rank(asked)

    def similar(self, item_id: str, limit: int = 20) -> tuple[SimilarItem, ...]:
        """Items like an item. Raises NotFound, InvalidRecord."""
        self._require_started()
        check_id("item_id", item_id)
        if not 1 <= limit <= MOST_SIMILAR:
            raise InvalidRecord("limit", f"must be from 1 to {MOST_SIMILAR}, is {limit}")
        with self._turns:
            return tuple(self._feed.similar(item_id, limit, self._pages.present()))

    def explain(self, request_id: str, item_id: str | None = None) -> PageExplanation:
        """Why a page is what it is, and what became of one item. Raises NotFound, InvalidRecord."""
        self._require_started()
        check_id("request_id", request_id)
        if item_id is not None:
            check_id("item_id", item_id)
        record = self._logged(request_id)
        return explain(record, self._traces, self._pages, item_id)

    def status(self) -> LiveStatus:
        """What the server knows of itself, also while it starts."""
        started = not self.starting
        catalog = self._folded.state.catalog if started else None
        freshness = self._freshness() if started else _NOTHING
        return LiveStatus(
            version=__version__,
            started_at=self._started_at,
            starting=self.starting,
            log_end=freshness.state_position,
            users=len(catalog.users) if catalog else 0,
            items=int(catalog.items.servable.sum()) if catalog else 0,
            freshness=freshness,
            trainer_lag=max(0, freshness.state_position - freshness.parameters_position),
            held=self._held() if started else None,
            ages=self.ages.now(),
            set_aside=self._set_aside.now(),
            refused=(*self._folded.refused, *self._follower.refused) if started else (),
        )

    def counts(self) -> dict[str, StageCounts]:
        """What every stage of the feed has done so far, by "kind/stage"."""
        self._require_started()
        return self._feed.counts()

    def popular_counts(self) -> dict[str, StageCounts]:
        """`counts` of the popularity feed, which the holdout gets."""
        self._require_started()
        return self._popular.counts()

    @property
    def log(self) -> Log:
        """The log of the home."""
        self._require_started()
        return self._entrance.log

    @property
    def dropped_traces(self) -> int:
        """Traces that could not be kept."""
        self._require_started()
        return self._traces.dropped

    def _start(self) -> None:
        self._require_going_on()
        learning = self.config.learning()
        entrance = self._resources.enter_context(open_entrance(self.home, self.clock))
        self._entrance = entrance
        self._folded = FoldedState(learning, entrance.log, self._turns)
        snapshots = Snapshots(self.home.snapshots, self.config.training.keep_snapshots)
        self.starting = "reading the snapshot"
        self._folded.restore(snapshots)
        self._require_going_on()
        registry = SlotRegistry.load(self.home.slots)
        dense_columns = self._folded.state.native.dense_columns
        self._follower = Follower(
            FileChannel(self.home.deltas),
            snapshots,
            lambda: Parameters(learning, registry, dense_columns, self.config.serving.storage),
            learning.digest(),
        )
        self._follower.poll()
        self._require_going_on()
        end = entrance.log.end()
        self._folded.catch_up(end, self._report_fold)
        self._open_pages()
        self._intake = Intake(entrance.ingest, self._fold)
        self._resources.callback(self._intake.close)
        for work in (self._follow, self._keep_house):
            thread = threading.Thread(target=work, name=f"feedmill{work.__name__}", daemon=True)
            thread.start()
            self._resources.callback(thread.join)
        self._resources.callback(self._stopping.set)

    def _change(self, make: Callable[[], Record]) -> Ingested:
        """Take in what is made of the catalog when everything before has been folded."""
        self._require_started()
        return self._intake.change(lambda: [make()]).result(_CHANGE_SECONDS)

    def _require_started(self) -> None:
        if self.starting:
            raise Unavailable(f"the server is not ready: {self.starting}")

    def _report_fold(self, position: int, end: int) -> None:
        self.starting = f"folding the log, {position:,} of {end:,} records"
        self._require_going_on()

    def _require_going_on(self) -> None:
        if self._stopping.is_set():
            raise Unavailable("stopped while it was starting")

    def _fold(self, records: Sequence[Record], position: int) -> None:
        """Fold what the log has accepted. One that fails half-way has left a state that no log would give."""
        try:
            self._folded.fold(records, position)
        except BaseException as error:
            self.starting = f"the state is broken ({type(error).__name__}: {error}); start the server again"
            self._on_failure(error)
            raise

    def _open_pages(self) -> None:
        state = self._folded.state
        self._feed = make_feed(state, lambda: self._follower.parameters, self.config.feed, fitted=self.home.models)
        popular = Feed(
            state.catalog, state, Models(objectives=self.config.objectives), popularity_config(self.config.feed)
        )
        self._popular = popular
        self._resources.callback(self._feed.close)
        self._resources.callback(popular.close)
        self._traces = Traces(open_store(self.home.traces), self.clock, self.config.serving.trace_days)
        self._resources.callback(self._traces.close)
        self._pages = Pages(
            feed=self._feed,
            popular=popular,
            folded=self._folded,
            turns=self._turns,
            freshness=self._freshness,
            keep=self._keep_page,
            log=self._entrance.log,
            traces=self._traces,
            clock=self.clock,
            serving=self.config.serving,
            holdout=self.config.holdout,
            policy_version=self.config.policy_version(),
        )
        self._refresh()

    def _freshness(self) -> Freshness:
        follower = self._follower
        return Freshness(
            state_position=self._folded.position,
            parameters_step=follower.step,
            parameters_position=follower.position,
            parameters_age_ms=follower.age_ms(self.clock.now()),
        )

    def _held(self) -> Held | None:
        head = self._follower.head
        return Held(since=head.held_at, reasons=head.hold.reasons) if head is not None and head.hold else None

    def _keep_page(self, record: Record) -> Future[Ingested] | None:
        """Put a page on its way into the log. One that is turned away is an answer all the same."""
        try:
            kept = self._intake.submit([record])
        except Unavailable:
            self.unlogged_pages += 1
            return None
        kept.add_done_callback(self._count_unlogged)
        return kept

    def _count_unlogged(self, kept: Future[Ingested]) -> None:
        self.unlogged_pages += kept.exception() is not None

    def _logged(self, request_id: str) -> Record:
        # What was answered a moment ago may still be on its way: it is there when a later record is.
        for _ in range(2):
            (record,) = self._entrance.log.find([served_event_id(request_id)])
            if record is not None and isinstance(record.body, Served):
                return record
            self._intake.submit([]).result(_CHANGE_SECONDS)
        raise NotFound(f"no page was answered to a request {request_id!r}")

    def _follow(self) -> None:
        """Apply new parameters as they come."""
        told: list[str] = []
        held: Held | None = None
        while not self._stopping.wait(self.config.serving.delta_poll_seconds):
            self._attempt(self._poll, "parameters could not be read; serving goes on with the last ones")
            for refused in self._follower.refused:
                if refused not in told:
                    self._log.warning("not used", reason=refused)
            told = list(self._follower.refused)
            held = self._tell_held(held)

    def _note_age(self, records: Sequence[Record], received: int, done: Future[Ingested]) -> None:
        if not done.cancelled() and done.exception() is None:
            ingested = done.result()
            accepted = zip(records, ingested.answers, strict=True)
            events = sum(record.kind in _EVENTS and answer == "accepted" for record, answer in accepted)
            self.ages.folded(events, received, ingested.position)

    def _poll(self) -> None:
        if self._follower.poll():
            self.ages.applied(self._follower.position, self._follower.learned_at)

    def _tell_held(self, told: Held | None) -> Held | None:
        held = self._held()
        if held is not None and held != told:
            self._log.warning("new parameters are held back; the last good ones are served", reasons=held.reasons)
        elif held is None and told is not None:
            self._log.info("new parameters are served again")
        return held

    def _keep_house(self) -> None:
        """What is done between requests, so that none waits for it."""
        while not self._stopping.wait(_HOUSEKEEPING_SECONDS):
            self._attempt(self._refresh, "what sources keep could not be brought up to date")
            self._attempt(self._beat, "the log could not be told the time")

    def _attempt(self, act: Callable[[], object], failing: str) -> None:
        """What is done beside requests may fail, costs freshness then, and is tried again."""
        try:
            act()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if self._failures.get(failing) != reason:
                self._log.warning(failing, reason=reason)
            self._failures[failing] = reason
            self.failures += 1
        else:
            self._failures.pop(failing, None)

    def _refresh(self) -> None:
        now = self._pages.present()
        self._feed.refresh(now)
        self._popular.refresh(now)

    def _beat(self) -> None:
        """Tell the log the time when nothing else does, as long as impressions wait for it to pass."""
        now = self.clock.now()
        if self._heartbeat.due(now, self._folded.state.watermark, self._folded.position):
            ingested = self._intake.submit([Record("heartbeat", now)]).result(_CHANGE_SECONDS)
            self._heartbeat.appended(ingested.position)


_NOTHING = Freshness(state_position=0, parameters_step=0, parameters_position=0, parameters_age_ms=None)
