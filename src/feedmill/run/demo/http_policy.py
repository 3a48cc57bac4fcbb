"""Feedmill as a policy of the simulated world, asked over HTTP as an application asks it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import structlog

from feedmill.client import Client, FeedmillConnectionError, FeedmillHTTPError, FeedPage
from feedmill.domain.clock import MINUTE, Clock
from feedmill.domain.records import Record
from feedmill.run.demo.measures import Measures
from feedmill.simulation.policies import Slate

_THREADS = 2
_RETRY_SECONDS = 0.1
_AHEAD = 4 * MINUTE
"""How far ahead of the clock an event may be sent: a server takes five minutes. Who looks at a page looks on into the
time after the step, and what he or she did there is sent at once."""
_UNAVAILABLE = 500
_NO_POST: tuple[float, int, frozenset[str]] = (0.0, 0, frozenset())
"""When it began, the position that it got, and whose events it was."""

_Answer = TypeVar("_Answer")


class Stopped(Exception):
    """The demonstration ends while the server was being asked."""


class HttpPolicy:
    """Asks for feeds, and sends what came of them, one post a round. What is not answered is asked again."""

    name = "feedmill"

    def __init__(
        self,
        client: Client,
        clock: Clock,
        measures: Measures,
        stopping: threading.Event,
        *,
        posted: Callable[[float, int], None] = lambda at, position: None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`posted` is told of each post of events: when it began (seconds of `timer`), and the position that it got.

        A call raises Stopped once `stopping` is set and the server does not answer.
        """
        self._client = client
        self._clock = clock
        self._measures = measures
        self._stopping = stopping
        self._posted = posted
        self._timer = timer
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="feedmill-life")
        self._predicted: dict[tuple[str, str], float] = {}
        """What the pages in the hands of users predict, by request and item."""
        self._last_post = _NO_POST
        self._log: Any = structlog.get_logger()
        self.feeds = 0
        self.events = 0

    def begin_step(self) -> None:
        """A step begins. Who was last seen to do something is not asked for at once now: how long that was ago says
        nothing of how soon a feed knows of it."""
        self._last_post = _NO_POST

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        """A page of `k` items for each user; `now` is what the server's clock says, and not sent."""
        at, position, users = self._last_post
        # Only those who are asked for first: the others wait for them, and not for the server.
        first = frozenset(user_ids[:_THREADS]) & users

        def ask(user_id: str) -> FeedPage:
            page = self._patiently(lambda: self._client.feed(user_id, limit=k))
            if user_id in first:
                if page["freshness"]["state_position"] >= position:
                    self._measures.knew_event(1000 * (self._timer() - at))
                else:
                    self._measures.missed_event()
            return page

        pages = list(self._pool.map(ask, user_ids))
        self.feeds += len(pages)
        self._predicted = {
            (page["request_id"], item["item_id"]): item["predictions"]["watched"]
            for page in pages
            for item in page["items"]
            if "watched" in item["predictions"]
        }
        self._measures.served(item["sources"] for page in pages for item in page["items"])
        return [Slate([item["item_id"] for item in page["items"]], page["request_id"]) for page in pages]

    def observe(self, records: Sequence[Record]) -> None:
        """Send what was born, who joined, and what was seen and done."""
        self._put("/v1/items", self._client.put_items, [item_fields(one) for one in records if one.kind == "item"])
        self._put("/v1/users", self._client.put_users, [user_fields(one) for one in records if one.kind == "user"])
        self._send([record for record in records if record.kind in ("seen", "relation")])

    def close(self) -> None:
        """Let the threads end, each when it has its answer."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, records: Sequence[Record]) -> None:
        if not records:
            return
        latest = self._clock.now() + _AHEAD
        events = [event_fields(record, latest) for record in records]
        begun = self._timer()
        answer = self._patiently(lambda: self._client.send(events))
        self.events += len(events)
        seen = [record for record in records if record.kind == "seen"]
        self._last_post = begun, answer["position"], frozenset(record.subject for record in seen)
        self._posted(begun, answer["position"])
        self._measures.saw(
            (self._predicted[key], (record.outcomes or {}).get("watched", 0.0))
            for record in seen
            if (key := (record.request_id, record.object)) in self._predicted
        )
        self._complain("/v1/events", answer["results"])

    def _put(self, path: str, put: Callable[[list[dict[str, Any]]], Any], values: list[dict[str, Any]]) -> None:
        if values:
            self._complain(path, self._patiently(lambda: put(values))["results"])

    def _complain(self, path: str, results: Sequence[Any]) -> None:
        refused = [result for result in results if result["status"] == "rejected"]
        if refused:
            first = refused[0]
            self._log.warning("refused", path=path, records=len(refused), first=f"{first['field']}: {first['problem']}")

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """What the server answers, however long it takes to come back."""
        while True:
            try:
                return ask()
            except FeedmillHTTPError as error:
                if error.status < _UNAVAILABLE:
                    raise
            except FeedmillConnectionError:
                pass
            if self._stopping.wait(_RETRY_SECONDS):
                raise Stopped


def event_fields(record: Record, latest: int) -> dict[str, Any]:
    """A `seen` or `relation` record as the HTTP API takes it, no later than `latest` (UTC milliseconds)."""
    fields = {
        "kind": record.kind,
        "user_id": record.subject,
        "timestamp": min(record.timestamp, latest),
        "event_id": record.event_id,
    }
    if record.kind == "relation":
        return fields | {"target_id": record.object, "target_kind": record.object_kind, "action": record.action}
    return fields | {
        "item_id": record.object,
        "request_id": record.request_id,
        "context": record.context,
        "outcomes": record.outcomes,
    }


def item_fields(record: Record) -> dict[str, Any]:
    """An item as the HTTP API takes it."""
    return {"item_id": record.object, "timestamp": record.timestamp, **_fields(record)}


def user_fields(record: Record) -> dict[str, Any]:
    """A user as the HTTP API takes it."""
    return {"user_id": record.subject, "timestamp": record.timestamp, **_fields(record)}


def _fields(record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(record.body)
    del fields["type"]
    return fields
