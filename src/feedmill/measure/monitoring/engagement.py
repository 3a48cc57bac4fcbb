"""Engagement by arm of the holdout: a fold over the log, in log order.

The value of a served item is the sum over objectives of weight x label, the labels made from everything that the user
did with that item of that page, combined as the configuration says. When something more is done, the label is made
again and the difference is added.

An action that names a request belongs to that page, if the page showed the item to that user. One that names none
belongs to the user's last page that showed the item. Pages are remembered for `window_hours` on the log's watermark.

A page counts less the older it is, by exp(-age / tau). tau is half of `period_days`, which gives what is counted the
mean age that a sharp window of `period_days` would have, without a day's worth of users leaving at midnight. Weights
are kept relative to a fixed origin, so nothing has to be aged: the ratio and its interval do not depend on the unit.
(Forward decay: Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009.) A user who was served nothing for `period_days` is
forgotten.

Memory: about 300 bytes a user of the period, and 700 a remembered page of 20 items.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import xxhash

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import ConfigError, SnapshotError
from feedmill.domain.ids import hash_id
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Record, Served
from feedmill.measure.monitoring.arms import FEEDMILL, HOLDOUT, POPULARITY
from feedmill.measure.monitoring.lift import RatioSums
from feedmill.measure.monitoring.worth import Worth, worth_of

FORMAT_VERSION = 1

_SEARCHED_PAGES = 100
"""An action without a request is looked for on so many of its user's pages, so that a robot cannot make it slow."""
_LARGEST_EXPONENT = 100.0
"""The origin of the weights moves on before squares of exp(this) come near the end of floating point."""


class EngagementConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Over which time engagement is measured, and what is remembered for it."""

    period_days: float = 28.0
    window_hours: float = 24.0
    """How long after a page an action can belong to it."""
    pages: int = 200_000
    """At most so many pages are remembered; beyond that the oldest are let go before their window ends."""

    def __post_init__(self) -> None:
        if not 0 < self.window_hours <= self.period_days * 24 < math.inf:
            raise ConfigError(
                f"engagement.window_hours: {self.window_hours} must be above 0 and at most the {self.period_days} days "
                "of engagement.period_days"
            )
        if self.pages < 1:
            raise ConfigError(f"engagement.pages: {self.pages} must be at least 1")


class Labelled(Protocol):
    """What outcomes mean."""

    @property
    def labels(self) -> Sequence[float]:
        """A label an objective, in the order of the objectives."""
        ...


class OutcomeReader(Protocol):
    """Reads outcomes by the configuration of actions and objectives."""

    @property
    def actions(self) -> Mapping[str, Action]: ...

    @property
    def objectives(self) -> Mapping[str, Objective]: ...

    def about(self, action: str) -> Sequence[int]:
        """The indexes of the objectives that an action says something about."""
        ...

    def combine(self, outcomes: dict[str, float], action: str, value: float) -> None:
        """Add an action to the outcomes of an impression, in place."""
        ...

    def read(self, outcomes: Mapping[str, float]) -> Labelled:
        """The labels of combined outcomes."""
        ...


class _User(msgspec.Struct, array_like=True, gc=False):
    n: float
    y: float
    served_at: int
    """The watermark when a page was last served."""


class _Page(msgspec.Struct, array_like=True, eq=False, gc=False):
    request_id: str
    user: int
    arm: str
    weight: float
    opened: int
    """The watermark at its place in the log."""
    items: str
    """Their ids with a NUL, which no id holds, before and after each: a tenth of what a tuple of them takes."""
    outcomes: dict[str, dict[str, float]] | None = None
    """By item, of those that something was done with."""


class _Snapshot(msgspec.Struct, array_like=True):
    version: int
    digest: int
    position: int
    watermark: int
    origin: int | None
    users: dict[str, dict[int, _User]]
    pages: list[_Page]


@dataclass(slots=True)
class _Arm:
    sums: RatioSums = field(default_factory=RatioSums)
    users: OrderedDict[int, _User] = field(default_factory=OrderedDict)
    """By the key of their id, the one served longest ago first."""

    def serve(self, key: int, n: float, now: int) -> None:
        user = self.users.get(key)
        if user is None:
            self.users[key] = _User(n, 0.0, now)
            self.sums.add_user(n, 0.0)
            return
        self.sums.change_user(user.n, user.y, n, 0.0)
        user.n += n
        user.served_at = now
        self.users.move_to_end(key)

    def earn(self, key: int, y: float) -> None:
        user = self.users.get(key)
        if user is not None:
            self.sums.change_user(user.n, user.y, 0.0, y)
            user.y += y

    def forget(self, key: int) -> None:
        user = self.users.pop(key, None)
        if user is not None:
            self.sums.add_user(user.n, user.y, -1)
            if not self.users:
                # What rounding has left must not outlive the users that it came from.
                self.sums = RatioSums()

    def forget_before(self, moment: int) -> None:
        while self.users:
            key, user = next(iter(self.users.items()))
            if user.served_at >= moment:
                return
            self.forget(key)

    def scale(self, factor: float) -> None:
        self.sums.scale(factor)
        for user in self.users.values():
            user.n *= factor
            user.y *= factor


class Engagement:
    """Items served and their value, by arm; from records in log order. Not safe for several threads at once."""

    def __init__(self, reader: OutcomeReader, config: EngagementConfig) -> None:
        self._reader = reader
        self._weights = tuple(objective.weight for objective in reader.objectives.values())
        self._window = round(config.window_hours * HOUR)
        self._period = round(config.period_days * DAY)
        self._tau = self._period / 2
        self._most_pages = config.pages
        meaning = (FORMAT_VERSION, config, list(reader.actions.items()), list(reader.objectives.items()))
        self._digest = xxhash.xxh3_64_intdigest(msgspec.json.encode(meaning))
        self.position = 0
        """The log position up to which records are folded."""
        self._watermark = 0
        self._origin: int | None = None
        """The time at which the weight of a page is 1."""
        self._arms = {FEEDMILL: _Arm(), POPULARITY: _Arm()}
        self._pages: deque[_Page] = deque()
        self._of_request: dict[str, _Page] = {}
        self._of_user: dict[int, list[_Page]] = {}

    def fold(self, records: Sequence[Record], position: int) -> None:
        """Count records in; `position` is the log's position after them.

        Cost: about 10 microseconds a served page, 7 an action that belongs to one, less than 1 any other record.
        """
        for record in records:
            kind = record.kind
            if kind == "item" or kind == "user":
                continue
            self._watermark = max(self._watermark, record.timestamp)
            if kind == "event":
                if self._reader.about(record.action):
                    self._act(record, {record.action: 1.0 if record.value is None else record.value})
            elif kind == "seen":
                if record.outcomes:
                    self._act(record, record.outcomes)
            elif kind == "served":
                self._serve(record)
            elif kind == "retraction" and record.action == "delete" and record.subject and not record.object:
                self._forget_user(hash_id(record.subject))
        self.position = position

    def worth(self) -> Worth:
        """Engagement of both arms as of now, and what can be said of it. O(1)."""
        unit = 1.0 if self._origin is None else self._weight(self._watermark)
        sums = {}
        for name, arm in self._arms.items():
            sums[name] = RatioSums(**{part: getattr(arm.sums, part) for part in RatioSums.__slots__})
            sums[name].scale(1 / unit)
        return worth_of(sums)

    def dump(self) -> bytes:
        """Everything that is counted and remembered, with the position. Cost: about 1 microsecond a user or page."""
        users = {name: dict(arm.users) for name, arm in self._arms.items()}
        content = msgspec.msgpack.encode(
            _Snapshot(
                FORMAT_VERSION, self._digest, self.position, self._watermark, self._origin, users, list(self._pages)
            )
        )
        return xxhash.xxh3_64_digest(content) + content

    def load(self, dumped: bytes) -> None:
        """Go on from what `dump` gave: the next record to fold is the one at `position`.

        Raises SnapshotError where that is damaged, or was made with other actions, objectives or periods; then nothing
        has changed, and the log can be folded from the beginning.
        """
        checksum, content = dumped[:8], dumped[8:]
        if xxhash.xxh3_64_digest(content) != checksum:
            raise SnapshotError("the snapshot of engagement is damaged; fold the log again")
        try:
            snapshot = msgspec.msgpack.decode(content, type=_Snapshot)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SnapshotError(f"the snapshot of engagement cannot be read ({error}); fold the log again") from None
        if (snapshot.version, snapshot.digest) != (FORMAT_VERSION, self._digest):
            raise SnapshotError(
                "the snapshot of engagement was made with other actions, objectives or periods; fold the log again"
            )
        self.position, self._watermark, self._origin = snapshot.position, snapshot.watermark, snapshot.origin
        self._arms = {FEEDMILL: _Arm(), POPULARITY: _Arm()}
        for name, users in snapshot.users.items():
            arm = self._arms[name]
            arm.users.update(users)
            for user in users.values():
                arm.sums.add_user(user.n, user.y)
        self._pages, self._of_request, self._of_user = deque(), {}, {}
        for page in snapshot.pages:
            self._remember(page)

    def _serve(self, record: Record) -> None:
        body = record.body
        if not isinstance(body, Served) or not body.items or not record.subject:
            return
        arm = self._arms.get(body.arms.get(HOLDOUT, ""))
        if arm is None or record.request_id in self._of_request:
            return
        self._let_go()
        weight, user = self._weight(record.timestamp), hash_id(record.subject)
        items = "\0".join(["", *[served.item_id for served in body.items], ""])
        arm.serve(user, weight * len(body.items), self._watermark)
        self._remember(_Page(record.request_id, user, body.arms[HOLDOUT], weight, self._watermark, items))

    def _act(self, record: Record, outcomes: Mapping[str, float]) -> None:
        if record.object_kind != "item" or record.subject_kind != "user" or not record.subject:
            return
        page = self._page_of(record)
        if page is None:
            return
        if page.outcomes is None:
            page.outcomes = {}
        known = page.outcomes.setdefault(record.object, {})
        before = self._value(known)
        for action, value in outcomes.items():
            self._reader.combine(known, action, value)
        earned = self._value(known) - before
        if earned:
            self._arms[page.arm].earn(page.user, page.weight * earned)

    def _page_of(self, record: Record) -> _Page | None:
        """The page that an action belongs to."""
        user, item, since = hash_id(record.subject), f"\0{record.object}\0", self._watermark - self._window
        if record.request_id:
            page = self._of_request.get(record.request_id)
            belongs = page is not None and page.user == user and page.opened >= since and item in page.items
            return page if belongs else None
        for page in reversed(self._of_user.get(user, ())):
            if page.opened < since:
                return None
            if item in page.items:
                return page
        return None

    def _value(self, outcomes: Mapping[str, float]) -> float:
        if not outcomes:
            return 0.0
        labels = self._reader.read(outcomes).labels
        return sum(weight * label for weight, label in zip(self._weights, labels, strict=True))

    def _remember(self, page: _Page) -> None:
        self._pages.append(page)
        if page.request_id:
            self._of_request[page.request_id] = page
        of_user = self._of_user.setdefault(page.user, [])
        of_user.append(page)
        if len(of_user) > _SEARCHED_PAGES:
            del of_user[0]

    def _let_go(self) -> None:
        """Forget the pages and the users whose time is over, and make room for one page."""
        since = self._watermark - self._window
        while self._pages and (self._pages[0].opened < since or len(self._pages) >= self._most_pages):
            page = self._pages.popleft()
            if page.request_id:
                del self._of_request[page.request_id]
            of_user = self._of_user.get(page.user)
            if of_user and of_user[0] is page:
                del of_user[0]
                if not of_user:
                    del self._of_user[page.user]
        for arm in self._arms.values():
            arm.forget_before(self._watermark - self._period)

    def _forget_user(self, user: int) -> None:
        for arm in self._arms.values():
            arm.forget(user)
        for page in self._of_user.pop(user, ()):
            # What is left of the page is let go in its turn; nothing can belong to it any more.
            page.items, page.outcomes = "", None

    def _weight(self, timestamp: int) -> float:
        """What a page of a time counts, in the unit of the origin."""
        if self._origin is None:
            self._origin = timestamp
        exponent = (timestamp - self._origin) / self._tau
        if exponent > _LARGEST_EXPONENT:
            self._move_origin(timestamp, math.exp(-exponent))
            exponent = 0.0
        return math.exp(exponent)

    def _move_origin(self, timestamp: int, factor: float) -> None:
        for arm in self._arms.values():
            arm.scale(factor)
        for page in self._pages:
            page.weight *= factor
        self._origin = timestamp
