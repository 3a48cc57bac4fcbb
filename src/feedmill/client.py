"""A client of Feedmill's HTTP API: one file, nothing but the standard library, to be used from here or copied.

    with Client() as feedmill:
        page = feedmill.feed("ada", limit=10)
        feedmill.track("ada", page["items"][0]["item_id"], "like", request_id=page["request_id"])

Calls such as `feed` and `put_item` wait for the answer, and raise FeedmillHTTPError or FeedmillConnectionError. `track`
and `seen` do not wait: a thread of the client sends what they were told, in batches and in order, and tries again for
as long as it takes. Every event gets its id and its time when it is told, so that sending it twice changes nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import email.utils
import http.client
import itertools
import json
import logging
import os
import random
import re
import ssl
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypedDict, cast
from urllib.parse import quote, urlencode, urlsplit

Scalar = str | int | float | bool | None
Context = Mapping[str, Scalar] | None

_log = logging.getLogger("feedmill.client")

_IDLE_SECONDS = 20.0
"""An older connection is not used again: the server lets go of those that are idle for 30 seconds."""
_MOST_IDLE = 8
_FIRST_RETRY, _LAST_RETRY = 0.1, 30.0
_LONGEST_RETRY_AFTER = 300.0
_BULK = 1_000
_TOO_MUCH = (400, 413)
_AT_FAULT = (400, 413, 422)
"""What says that an event will never be taken. All else may change: keys, addresses, proxies."""
_PLACE = re.compile(r"^\[(\d+)\]\.?(.*)$", re.DOTALL)


class FieldProblem(TypedDict):
    """What is wrong with one field of a request."""

    field: str
    problem: str


class FeedmillHTTPError(Exception):
    """The server refused a request; `errors` names the fields at fault."""

    def __init__(
        self, status: int, title: str, detail: str, errors: Sequence[FieldProblem], retry_after: float | None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds after which the server would like to be asked again."""


class FeedmillConnectionError(ConnectionError):
    """No answer: nothing listens there, the connection broke, or it took longer than the timeout."""


class Freshness(TypedDict):
    """How old what made an answer is."""

    state_position: int
    parameters_step: int
    parameters_position: int
    parameters_age_ms: int | None


class PageItem(TypedDict):
    """One position of a page."""

    position: int
    item_id: str
    title: str
    sources: list[str]
    predictions: dict[str, float]
    score: float
    probability: float | None
    why: str
    repeated: bool


class _Page(TypedDict):
    request_id: str
    user_id: str
    items: list[PageItem]


class FeedPage(_Page):
    """A page of a feed."""

    surface: str
    cursor: str
    note: str
    arm: str
    freshness: Freshness
    traced: bool


class RankedPage(_Page):
    """Candidates in order."""

    left_out: list[dict[str, str]]
    """`item_id` and `reason` of each candidate that was not ranked."""
    freshness: Freshness


class SimilarItem(TypedDict):
    """An item that is like another."""

    item_id: str
    title: str
    score: float
    why: str


class PageExplanation(_Page):
    """Why a page is what it is. `trace` and `item` are as the reference of the API says."""

    surface: str
    at: int
    arm: str
    policy_version: str
    state_position: int
    trace: dict[str, Any] | None
    note: str
    item: dict[str, Any] | None


class StoredAnswer(TypedDict):
    """What became of a change of an item or a user."""

    position: int
    status: Literal["accepted", "unchanged"]


class Result(TypedDict, total=False):
    """What became of one of many; `field` and `problem` where it was rejected."""

    status: Literal["accepted", "unchanged", "duplicate", "rejected"]
    field: str
    problem: str


class Results(TypedDict):
    """What became of each of many."""

    position: int
    accepted: int
    rejected: int
    results: list[Result]


class BulkAnswer(Results):
    """What became of many items or users."""

    unchanged: int


class EventsAnswer(Results):
    """What became of events."""

    duplicates: int


class Held(TypedDict):
    """Why the trainer's newer parameters are not served."""

    since: int
    reasons: list[str]


class Age(TypedDict):
    """Of the last events, in milliseconds; None before the first."""

    p50: float | None
    p99: float | None


class EventAges(TypedDict):
    """From the receipt of an event until it was in the state, learned by the trainer, and served by."""

    to_state: Age
    to_trained: Age
    to_served: Age


class Status(TypedDict):
    """What the server knows of itself."""

    version: str
    started_at: int
    starting: str
    log_end: int
    users: int
    items: int
    freshness: Freshness
    trainer_lag: int
    held: Held | None
    ages: EventAges
    set_aside: int
    refused: list[str]


@dataclass(frozen=True)
class Refused:
    """An event that the server did not accept, and will not."""

    event: dict[str, Any]
    field: str
    problem: str


class Client:
    """Talks to one server. Make one a process and share it: it is safe to use from any thread.

    Events that are waiting when the interpreter exits are sent for up to `exit_timeout` seconds. A process that ends
    otherwise (`os._exit`, a child of multiprocessing) calls `close` first. After a fork the child starts with an empty
    buffer; what waits in the parent is sent by the parent.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, timeout: float = 10.0,
        buffer: int = 10_000, when_full: Literal["drop_oldest", "block"] = "drop_oldest", batch: int = 500,
        interval: float = 0.2, exit_timeout: float = 5.0, on_error: Callable[[Refused], None] | None = None,
    ) -> None:  # fmt: skip
        """`timeout` is that of one request, in seconds.

        At most `buffer` events wait; with one more the oldest is dropped, or `track` blocks, as `when_full` says. They
        are sent when there are `batch` of them or `interval` seconds have passed, and sent again until the server
        takes them or finds them at fault. `on_error` is called for each event that it refuses, from the client's
        thread, where `track` never blocks; without it the first of each kind is logged.
        """
        if buffer < 1 or batch < 1:
            raise ValueError("buffer and batch must be at least 1")
        if when_full not in ("drop_oldest", "block"):
            raise ValueError(f"when_full must be 'drop_oldest' or 'block', not {when_full!r}")
        self._connections = _Connections(url, api_key, timeout)
        self._exit_timeout = exit_timeout
        self._outbox = _Outbox(self._connections, buffer, when_full == "block", batch, interval, on_error)
        _open_clients.add(self)

    def feed(
        self, user_id: str, *, limit: int | None = None, cursor: str | None = None, surface: str | None = None,
        exclude: Sequence[str] = (), context: Context = None, request_id: str | None = None,
    ) -> FeedPage:  # fmt: skip
        """A page for a user. `cursor` is that of the page before; the same `request_id` gives the same page.

        Events that were only tracked may still be on their way: `flush` first where the page must know them.
        """
        query: dict[str, object] = {"limit": limit, "cursor": cursor, "surface": surface, "request_id": request_id}
        query["exclude"] = list(exclude) or None
        query["context"] = None if context is None else _encode(context)
        return cast(FeedPage, self._call("GET", _path("feed", user_id), query=query))

    def pages(
        self, user_id: str, *, limit: int | None = None, surface: str | None = None,
        exclude: Sequence[str] = (), context: Context = None,
    ) -> Iterator[FeedPage]:  # fmt: skip
        """The pages of one session, each asked for when it is wanted, until there is nothing left to show."""
        cursor: str | None = None
        while cursor != "":
            page = self.feed(user_id, limit=limit, cursor=cursor, surface=surface, exclude=exclude, context=context)
            if not page["items"]:
                return
            yield page
            cursor = page["cursor"]

    def rank(
        self, user_id: str, item_ids: Sequence[str], *, surface: str | None = None,
        context: Context = None, request_id: str | None = None,
    ) -> RankedPage:  # fmt: skip
        """My candidates, in the order that is best for a user."""
        asked = _given(user_id=user_id, surface=surface, context=context, request_id=request_id)
        asked["item_ids"] = list(item_ids)
        return cast(RankedPage, self._call("POST", "/v1/rank", asked))

    def similar(self, item_id: str, *, limit: int | None = None) -> list[SimilarItem]:
        """Items like an item, most alike first."""
        answer = self._call("GET", f"{_path('items', item_id)}/similar", query={"limit": limit})
        return cast(list[SimilarItem], answer["items"])

    def explain(self, request_id: str, item_id: str | None = None) -> PageExplanation:
        """Why a page is what it is, and why an item is on it or is not."""
        return cast(PageExplanation, self._call("GET", _path("explain", request_id), query={"item_id": item_id}))

    def put_item(self, item_id: str, fields: Mapping[str, object]) -> StoredAnswer:
        """The whole of what is known of an item from now on."""
        return cast(StoredAnswer, self._call("PUT", _path("items", item_id), fields))

    def put_items(self, items: Iterable[Mapping[str, object]]) -> BulkAnswer:
        """Many items, each with its `item_id`, a thousand in a request.

        Raises FeedmillHTTPError where all of a request is refused; what came before it is stored.
        """
        return self._put_many("/v1/items", items)

    def patch_item(self, item_id: str, fields: Mapping[str, object]) -> StoredAnswer:
        """Set some fields of an item; None removes one (RFC 7396)."""
        return cast(StoredAnswer, self._call("PATCH", _path("items", item_id), fields))

    def get_item(self, item_id: str) -> dict[str, Any]:
        """What is known of an item."""
        return self._call("GET", _path("items", item_id))

    def delete_item(self, item_id: str) -> StoredAnswer:
        """Remove an item from every feed."""
        return cast(StoredAnswer, self._call("DELETE", _path("items", item_id)))

    def put_user(self, user_id: str, fields: Mapping[str, object]) -> StoredAnswer:
        """The whole of what is known of a user from now on."""
        return cast(StoredAnswer, self._call("PUT", _path("users", user_id), fields))

    def put_users(self, users: Iterable[Mapping[str, object]]) -> BulkAnswer:
        """Many users, each with its `user_id`; as `put_items`."""
        return self._put_many("/v1/users", users)

    def patch_user(self, user_id: str, fields: Mapping[str, object]) -> StoredAnswer:
        """Set some fields of a user; None removes one (RFC 7396)."""
        return cast(StoredAnswer, self._call("PATCH", _path("users", user_id), fields))

    def get_user(self, user_id: str) -> dict[str, Any]:
        """What is known of a user."""
        return self._call("GET", _path("users", user_id))

    def delete_user(self, user_id: str) -> StoredAnswer:
        """Remove a user."""
        return cast(StoredAnswer, self._call("DELETE", _path("users", user_id)))

    def status(self) -> Status:
        """What the server knows of itself."""
        return cast(Status, self._call("GET", "/v1/status"))

    def send(self, events: Iterable[Mapping[str, object]]) -> EventsAnswer:
        """Send events now: when this returns they are durable, and in their users' next feeds.

        Raises FeedmillHTTPError where all are refused. For events of any kind, as the reference of the API lists them.
        """
        return cast(EventsAnswer, self._call("POST", "/v1/events", [_stamped(event) for event in events]))

    def track(
        self, user_id: str, item_id: str, action: str, value: float | None = None, request_id: str | None = None, *,
        context: Context = None, timestamp: int | None = None, event_id: str | None = None,
    ) -> None:  # fmt: skip
        """A user did something to an item; `request_id` is that of the page it happened on.

        `timestamp` in UTC milliseconds is now where it is not given. Takes microseconds, and never raises for trouble
        with the network; ValueError or TypeError for what JSON cannot say.
        """
        event = {"user_id": user_id, "item_id": item_id, "action": action}
        more = _given(value=value, request_id=request_id, context=context, timestamp=timestamp, event_id=event_id)
        self._outbox.put(_encode(_stamped(event | more)))

    def seen(
        self, user_id: str, item_id: str, request_id: str | None = None, *, context: Context = None,
        outcomes: Mapping[str, float] | None = None, timestamp: int | None = None, event_id: str | None = None,
    ) -> None:  # fmt: skip
        """An item was shown to a user. `outcomes` (action to value) where all that followed is known. As `track`."""
        event = {"kind": "seen", "user_id": user_id, "item_id": item_id}
        more = _given(request_id=request_id, context=context, outcomes=outcomes, timestamp=timestamp, event_id=event_id)
        self._outbox.put(_encode(_stamped(event | more)))

    @property
    def pending(self) -> int:
        """Events that have been tracked and are not settled."""
        return self._outbox.pending

    @property
    def dropped(self) -> int:
        """Events that were never sent: the buffer was full, or the client closed before the server could be reached."""
        return self._outbox.dropped

    @property
    def refused(self) -> int:
        """Events that the server refused."""
        return self._outbox.refused

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was tracked before is settled; False where that takes longer than `timeout` seconds."""
        return self._outbox.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, for up to `timeout` seconds, and stop. A second call does nothing."""
        _open_clients.discard(self)
        self._outbox.close(timeout)
        self._connections.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _call(
        self, method: str, path: str, body: object = None, query: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        chosen = urlencode(_given(**query), doseq=True) if query else ""
        encoded = None if body is None else _encode(body)
        return self._connections.request(method, f"{path}?{chosen}" if chosen else path, encoded)

    def _put_many(self, path: str, values: Iterable[Mapping[str, object]]) -> BulkAnswer:
        total: BulkAnswer = {"position": 0, "accepted": 0, "unchanged": 0, "rejected": 0, "results": []}
        waiting = iter(values)
        while chunk := list(itertools.islice(waiting, _BULK)):
            answer = cast(BulkAnswer, self._call("POST", path, chunk))
            total["position"] = answer["position"]
            total["accepted"] += answer["accepted"]
            total["unchanged"] += answer["unchanged"]
            total["rejected"] += answer["rejected"]
            total["results"] += answer["results"]
        return total

    def _exit(self) -> None:
        self.close(self._exit_timeout)

    def _start_over(self) -> None:
        """In the child of a fork: what belongs to the parent stays there."""
        self._connections.start_over()
        self._outbox.start_over()


class _Connections:
    """Connections that are kept open between requests; one is lent to one request at a time."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be http://HOST:PORT or https://HOST:PORT, not {url!r}")
        self._url, self._prefix = url, parts.path.rstrip("/")
        make: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == "https":
            make = partial(http.client.HTTPSConnection, context=ssl.create_default_context())
        self._open = partial(make, parts.hostname, parts.port, timeout=timeout)
        self._headers = {"Accept": "application/json", "User-Agent": "feedmill-python"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self.start_over()

    def start_over(self) -> None:
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._most_idle = _MOST_IDLE

    def close(self) -> None:
        self._most_idle = 0
        while (kept := self._kept()) is not None:
            kept.close()

    def request(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        """The answer. Raises FeedmillHTTPError and FeedmillConnectionError."""
        kept = self._kept()
        try:
            if kept is not None:
                # A server that was started again has closed it, which shows only now. A request may be sent twice.
                with contextlib.suppress(http.client.HTTPException, ConnectionError):
                    return self._answer(kept, method, path, body)
            return self._answer(self._open(), method, path, body)
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise FeedmillConnectionError(f"no answer from {self._url} ({said}); does Feedmill run there?") from None

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None
    ) -> dict[str, Any]:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            connection.request(method, self._prefix + path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(self._idle) >= self._most_idle:
            connection.close()
        else:
            self._idle.append((time.monotonic(), connection))
        answer = _decoded(content)
        if not 200 <= response.status < 300:
            raise _http_error(response, answer, content)
        if answer is None:
            what = f"{self._url}{path} answered something else"
            raise FeedmillHTTPError(response.status, "not Feedmill", what, (), None)
        return answer

    def _kept(self) -> http.client.HTTPConnection | None:
        with contextlib.suppress(IndexError):
            while True:
                since, connection = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS:
                    return connection
                connection.close()
        return None


@dataclass(eq=False)
class _Outbox:
    """Events on their way: a bounded buffer, and a thread that posts it in batches, in order."""

    _connections: _Connections
    _most: int
    _block: bool
    _batch: int
    _interval: float
    _on_error: Callable[[Refused], None] | None

    def __post_init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        self._changed = threading.Condition()
        self._buffer: deque[bytes] = deque()
        self._sending = 0
        """Events that were taken out of the buffer and are not settled."""
        self._told = 0
        """Events so far."""
        self._flush_to = 0
        """The last of them that somebody waits for."""
        self._hurry = self._closing = self._stopped = False
        self._thread: threading.Thread | None = None
        self._logged: set[str] = set()
        self.dropped = self.refused = 0

    @property
    def pending(self) -> int:
        with self._changed:
            return len(self._buffer) + self._sending

    def put(self, event: bytes) -> None:
        with self._changed:
            self._require_open()
            self._start()
            # Nobody else would make room for the thread that sends, which calls `on_error`.
            waits = self._block and self._thread not in (None, threading.current_thread())
            while waits and len(self._buffer) >= self._most:
                self._changed.wait()
                self._require_open()
            if not self._block and len(self._buffer) >= self._most:
                self._buffer.popleft()
                self.dropped += 1
                self._log_once("full", "%s events wait to be sent, the oldest are dropped", f"{self._most:,}")
            self._buffer.append(event)
            self._told += 1
            if len(self._buffer) in (1, self._batch):
                self._changed.notify_all()

    def flush(self, timeout: float | None) -> bool:
        with self._changed:
            wanted = self._flush_to = self._told
            self._hurry = True
            self._changed.notify_all()
            if self._thread is threading.current_thread():
                timeout = 0
            return self._changed.wait_for(lambda: self._told - len(self._buffer) - self._sending >= wanted, timeout)

    def close(self, timeout: float) -> None:
        with self._changed:
            if self._closing:
                return
            self._closing = True
        if self._thread is not None:
            self.flush(timeout)
        with self._changed:
            self._stopped = True
            left = len(self._buffer) + self._sending
            self.dropped += left
            self._buffer.clear()
            self._sending = 0
            self._changed.notify_all()
        if left:
            _log.warning("the client closed with %s events that it could not send", f"{left:,}")
        elif self._thread not in (None, threading.current_thread()):
            self._thread.join(1.0)

    def _require_open(self) -> None:
        if self._closing:
            raise RuntimeError("the client is closed; make another one")

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="feedmill-client", daemon=True)
            # None can be started while the interpreter exits; what is told then is dropped by `close`.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while batch := self._take():
            self._deliver(batch)

    def _take(self) -> list[bytes]:
        """The next batch; empty where there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._buffer or self._stopped)
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or len(self._buffer) >= min(self._batch, self._most)
                    or self._told - len(self._buffer) < self._flush_to
                ),
                self._interval,
            )
            batch = [self._buffer.popleft() for _ in range(min(self._batch, len(self._buffer)))]
            self._sending = len(batch)
            self._changed.notify_all()
            return batch

    def _deliver(self, batch: Sequence[bytes]) -> None:
        """Post a batch until it is taken, or some of it is at fault."""
        for attempt in itertools.count():
            if self._stopped:
                return
            self._hurry = False
            try:
                answer = self._connections.request("POST", "/v1/events", b"[" + b",".join(batch) + b"]")
                problems = _rejected(answer, len(batch))
                break
            # Also what nobody expects: a thread that ends would lose everything that is told from now on.
            except Exception as error:
                status = error.status if isinstance(error, FeedmillHTTPError) else 0
                if status in _TOO_MUCH and len(batch) > 1:
                    # One event that cannot be read, or all of them being too long, must not cost the others.
                    self._deliver(batch[: len(batch) // 2])
                    self._deliver(batch[len(batch) // 2 :])
                    return
                if isinstance(error, FeedmillHTTPError) and status in _AT_FAULT:
                    problems = _problems(error, len(batch))
                    break
                self._pause(attempt, error)
        self._logged.discard("unreachable")
        self._settle(batch, problems)

    def _pause(self, attempt: int, error: Exception) -> None:
        """Wait before the next try. A flush cuts a pause of our own short, not one that the server has asked for."""
        self._log_once("unreachable", "events wait until the server takes them (%s: %s)", type(error).__name__, error)
        asked = error.retry_after if isinstance(error, FeedmillHTTPError) else None
        # Full jitter, so that many clients do not come back together.
        pause = random.uniform(0, min(_LAST_RETRY, _FIRST_RETRY * 2.0 ** min(attempt, 20)))
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or (self._hurry and asked is None),
                pause if asked is None else min(asked, _LONGEST_RETRY_AFTER),
            )

    def _settle(self, batch: Sequence[bytes], problems: Mapping[int, tuple[str, str]]) -> None:
        """A batch is done with; `problems` holds field and problem of the refused events, by place."""
        for at, (field, problem) in problems.items():
            self.refused += 1
            if self._on_error is None:
                self._log_once(f"refused {field}", "an event was refused: %s: %s", field or "event", problem)
                continue
            try:
                self._on_error(Refused(json.loads(batch[at]), field, problem))
            except Exception:
                _log.exception("on_error failed")
        with self._changed:
            self._sending = max(0, self._sending - len(batch))
            self._changed.notify_all()

    def _log_once(self, key: str, message: str, *values: object) -> None:
        if key not in self._logged and len(self._logged) < 100:
            self._logged.add(key)
            _log.warning(message, *values)


_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _on_all(what: Callable[[Client], None]) -> None:
    for client in list(_open_clients):
        what(client)


atexit.register(_on_all, Client._exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=partial(_on_all, Client._start_over))


def _path(kind: str, name: str) -> str:
    return f"/v1/{kind}/{quote(name, safe='')}"


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _decoded(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _stamped(event: Mapping[str, object]) -> dict[str, object]:
    """The event with an id and a time, if it is of a kind that has them."""
    stamped = dict(event)
    stamped.setdefault("timestamp", time.time_ns() // 1_000_000)
    if stamped.get("kind") != "served":
        stamped.setdefault("event_id", uuid.uuid4().hex)
    return stamped


def _http_error(
    response: http.client.HTTPResponse, problem: dict[str, Any] | None, content: bytes
) -> FeedmillHTTPError:
    if problem is None or "title" not in problem:
        # A proxy in between, most likely.
        problem = {"title": response.reason, "detail": content[:200].decode(errors="replace")}
    return FeedmillHTTPError(
        response.status,
        str(problem["title"]),
        str(problem.get("detail", "")),
        cast(list[FieldProblem], problem.get("errors", [])),
        _seconds(response.headers.get("Retry-After")),
    )


def _rejected(answer: Mapping[str, Any], size: int) -> dict[int, tuple[str, str]]:
    """What was wrong with the events of a batch that was accepted, by place."""
    results = enumerate(answer["results"][:size])
    return {at: (one["field"], one["problem"]) for at, one in results if one["status"] == "rejected"}


def _problems(error: FeedmillHTTPError, size: int) -> dict[int, tuple[str, str]]:
    """What was wrong with each event of a batch of which none was accepted, by place."""
    problems = dict.fromkeys(range(size), ("", str(error)))
    for one in error.errors:
        place = _PLACE.match(one["field"])
        if place and int(place[1]) < size:
            problems[int(place[1])] = place[2], one["problem"]
    return problems


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After header says: seconds, or a date."""
    with contextlib.suppress(ValueError):
        if retry_after is not None and retry_after.strip().isdigit():
            return float(retry_after)
        if retry_after is not None:
            return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None
