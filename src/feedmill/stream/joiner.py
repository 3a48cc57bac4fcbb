"""The joiner: impressions and the actions that follow them become examples.

What becomes of what:

- an impression (`seen`, or `served` on a surface where that means seen) waits `window_minutes` on the log's watermark,
  and is then an example whose labels are what the user did with it in the meantime;
- an impression that carries its outcomes (an import) is an example at once;
- an impression that is reported again for the same request and item is the one that is known already;
- an action belongs to the impression of its request and item, else to the last one of its user and item;
- an action within `late_hours` after its impression's window teaches the objectives that it changes, on the
  impression's features, as an example of its own;
- an action on an item of a served page tells that the items above it were seen, reported or not: those that were served
  with logged features become impressions, and so does the item itself;
- an action that stands in the log before its impression waits for it, `window_minutes` as well: the next impression of
  its user and item takes it, if that happened no later than the action or belongs to the same request;
- a page that stands in the log after what was done with it is opened when it comes, as if it had come first;
- an action without any impression is an example of its own where its configuration says so, at once. Where its
  impression comes after all, it takes the action too.

An impression's waiting begins with the watermark at its place in the log, so that what is reported hours late has its
window too. Which examples there are, and in which order, depends on the log alone, and not on how it is cut in batches.

The features of an impression are those logged with its page; where none were logged, or what was logged is not of the
present schema, those that the fold made at the impression's place in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features
from feedmill.domain.clock import HOUR, MINUTE
from feedmill.domain.errors import ConfigError, InvalidFile, SnapshotError
from feedmill.domain.records import Record, Served
from feedmill.stream.features.pack import pack, unpack
from feedmill.stream.features.schema import Schema
from feedmill.stream.state.rows import RowKind
from feedmill.stream.state.state import Folded, State, watermark_after


class JoinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How impressions and actions meet."""

    window_minutes: float = 10.0
    """How long an impression waits for its actions."""
    late_hours: float = 24.0
    """How long after its window an impression is remembered for actions that come late."""
    served_means_seen: tuple[str, ...] = ()
    """Surfaces on which what was served counts as seen."""

    def __post_init__(self) -> None:
        for name in ("window_minutes", "late_hours"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must lie between 0 and 1,000,000")


_encode_items = msgspec.msgpack.encode
_decode_items = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode
_NOWHERE = (-1, -1, -1)


@dataclass(slots=True, eq=False)
class _Logged:
    """The features that were logged with a page: packed for as long as they are remembered, unpacked while in use."""

    packed: bytes
    rows: int
    fits: bool | None = None
    """Whether they can be read and are of the present schema; None until somebody has looked."""

    def unpack(self) -> Features:
        return unpack(self.packed, self.rows)


@dataclass(slots=True, eq=False)
class _Page:
    """What is remembered of a page."""

    opened: int
    timestamp: int
    encoded_items: bytes
    """Ids and positions. As strings they would take five times as much, for a day."""
    logged: _Logged | None

    def items(self) -> list[tuple[str, int]]:
        return _decode_items(self.encoded_items)


@dataclass(slots=True, eq=False)
class _Impression:
    user: int
    item: int
    timestamp: int
    sequence: int
    opened: int
    """The watermark at its place in the log."""
    request_id: str
    features: Features | _Logged
    row: int
    """Where in `features` its own are; -1 where it has none."""
    outcomes: dict[str, float] = field(default_factory=dict)
    taught: list[float] | None = None
    """The labels that it was an example with; None while it waits."""


@dataclass(slots=True, eq=False)
class _Early:
    """An action that waits for its impression."""

    user: int
    item: int
    timestamp: int
    opened: int
    action: str
    value: float
    sequence: int
    request_id: str
    bound: bool
    """Whether only an impression of its request may take it: one of another request has it already."""
    taken: bool = False

    def waits_for(self, impression: _Impression) -> bool:
        """Whether an impression of its user and item is the one."""
        if self.request_id and self.request_id == impression.request_id:
            return True
        return not self.bound and impression.timestamp <= self.timestamp


class _StoredImpression(msgspec.Struct, array_like=True):
    user_id: str
    item_id: str
    timestamp: int
    sequence: int
    opened: int
    request_id: str
    outcomes: dict[str, float]
    taught: list[float] | None


class _StoredEarly(msgspec.Struct, array_like=True):
    user_id: str
    item_id: str
    timestamp: int
    opened: int
    action: str
    value: float
    sequence: int
    request_id: str
    bound: bool


class _StoredPage(msgspec.Struct, array_like=True):
    request_id: str
    opened: int
    timestamp: int
    items: list[tuple[str, int]]
    features: bytes | None


class _Snapshot(msgspec.Struct, array_like=True):
    impressions: list[_StoredImpression]
    features: bytes
    """A row an impression."""
    pages: list[_StoredPage]
    early: list[_StoredEarly]


@dataclass(slots=True)
class _Collected:
    """Examples on their way: where the features are, and the labels."""

    sources: list[tuple[Features | _Logged, int]] = field(default_factory=list)
    labels: list[list[float]] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)
    keys: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, impression: _Impression, labels: list[float], weights: list[float]) -> None:
        self.sources.append((impression.features, impression.row))
        self.labels.append(labels)
        self.weights.append(weights)
        self.keys.append((impression.user, impression.item, impression.timestamp, impression.sequence))


class Joiner:
    """Pairs impressions with actions, in log order.

    Memory, `window_minutes` and `late_hours` long: 3 KB a page of 20 with its features, which stay packed as they were
    logged; 0.4 KB an impression and, where no page has logged its features, the row that the fold made.
    """

    def __init__(self, config: JoinConfig, state: State, schema: Schema) -> None:
        """`schema` is that of the features that `push` is given."""
        self._window = round(config.window_minutes * MINUTE)
        self._late = round(config.late_hours * HOUR)
        self._state = state
        self._schema = schema
        self._reader = state.reader
        self._everything = [1.0] * len(self._reader.objectives)
        self._watermark = state.watermark
        # All of these are in the order in which they were opened, which is the order in which they close.
        self._open: deque[_Impression] = deque()
        self._closed: deque[_Impression] = deque()
        self._pages: dict[str, _Page] = {}
        self._early: deque[_Early] = deque()
        self._of_request: dict[tuple[str, int], _Impression] = {}
        self._of_pair: dict[tuple[int, int], _Impression] = {}
        self._early_of_pair: dict[tuple[int, int], list[_Early]] = {}
        self.unreadable_features = 0
        """Impressions whose logged features were damaged or of another schema, and were not used."""

    @property
    def waiting(self) -> int:
        """Impressions whose window is open."""
        return len(self._open)

    def push(self, records: Sequence[Record], folded: Folded) -> Examples:
        """Take the rows of these records, and give the examples that are ready now.

        `folded` is what `State.fold` gave for the records, with the features of `examples` as its first view.
        """
        rows, emitted = folded.rows, folded.emitted[0]
        if self._remembers_nothing and _all_joined(records, folded):
            self._watermark = self._state.watermark
            return self._joined_only(folded)
        collected = _Collected()
        place = np.full(len(rows), -1)
        place[emitted.rows] = np.arange(len(emitted.rows))
        first = np.searchsorted(rows.records, np.arange(len(records) + 1)).tolist()
        for index, record in enumerate(records):
            self._watermark = watermark_after(self._watermark, record)
            self._close(collected)
            if isinstance(record.body, Served) and record.request_id:
                self._take_up(record, record.body)
            drawn: list[_Impression] = []
            for row in range(first[index], first[index + 1]):
                kind = rows.kinds[row]
                come = _Impression(
                    int(rows.users[row]), int(rows.items[row]), record.timestamp, int(rows.sequence[row]),
                    self._watermark, record.request_id, emitted.features, int(place[row]),
                )  # fmt: skip
                if kind == RowKind.IMPRESSION:
                    self._report(come)
                elif kind == RowKind.JOINED:
                    collected.add(come, rows.labels[row].tolist(), self._everything)
                elif kind == RowKind.DRAWN:
                    drawn.append(come)
                else:
                    self._act(collected, record, come, drawn)
        return self._examples(collected)

    def dump(self) -> bytes:
        """Everything that waits or is remembered, for a snapshot."""
        users, items = self._state.catalog.users.ids.names, self._state.catalog.items.ids.names
        remembered = [*self._closed, *self._open]
        impressions = [
            _StoredImpression(
                users[one.user], items[one.item], one.timestamp, one.sequence, one.opened, one.request_id,
                one.outcomes, one.taught,
            )
            for one in remembered
        ]  # fmt: skip
        features = self._gather([(one.features, one.row) for one in remembered])
        early = [
            _StoredEarly(
                users[one.user], items[one.item], one.timestamp, one.opened, one.action, one.value, one.sequence,
                one.request_id, one.bound,
            )
            for one in self._early
            if not one.taken
        ]  # fmt: skip
        pages = [
            _StoredPage(
                request_id, page.opened, page.timestamp, page.items(),
                None if page.logged is None else page.logged.packed,
            )
            for request_id, page in self._pages.items()
        ]  # fmt: skip
        snapshot = _Snapshot(impressions, pack(features), pages, early)
        return msgspec.msgpack.encode(snapshot)

    def load(self, dumped: bytes) -> None:
        """Go on from what `dump` gave; the state must be that of the same place in the log.

        Raises SnapshotError when that is damaged or of another schema.
        """
        try:
            snapshot = msgspec.msgpack.decode(dumped, type=_Snapshot)
            features = unpack(snapshot.features, len(snapshot.impressions))
        except (msgspec.MsgspecError, InvalidFile) as error:
            raise SnapshotError(f"the joiner's snapshot cannot be read ({error})") from None
        if len(features) and not self._fits(features):
            raise SnapshotError("the joiner's snapshot holds features of another schema")
        user, item = self._state.user, self._state.item
        self._watermark = self._state.watermark
        self._pages = {
            page.request_id: _page(page.opened, page.timestamp, page.items, page.features) for page in snapshot.pages
        }
        for row, one in enumerate(snapshot.impressions):
            impression = _Impression(
                user(one.user_id), item(one.item_id), one.timestamp, one.sequence, one.opened, one.request_id,
                features, row, one.outcomes, one.taught,
            )  # fmt: skip
            self._remember(impression)
        for early in snapshot.early:
            self._wait_for_impression(
                _Early(
                    user(early.user_id), item(early.item_id), early.timestamp, early.opened, early.action, early.value,
                    early.sequence, early.request_id, early.bound,
                )
            )  # fmt: skip

    @property
    def _remembers_nothing(self) -> bool:
        return not (self._open or self._closed or self._early)

    def _report(self, seen: _Impression) -> None:
        """An impression that a record reports."""
        if (seen.request_id, seen.item) in self._of_request:
            return
        page = self._pages.get(seen.request_id)
        if page is not None and page.logged is not None:
            name = self._state.catalog.items.ids.names[seen.item]
            row = next((row for row, (item_id, _) in enumerate(page.items()) if item_id == name), -1)
            self._use_logged(seen, page.logged, row)
        self._begin(seen)

    def _take_up(self, record: Record, served: Served) -> None:
        """Remember a page, and do what it would have done to what stands before it in the log."""
        request_id = record.request_id
        items = [(item.item_id, item.position) for item in served.items]
        page = _page(self._watermark, record.timestamp, items, served.features)
        self._pages.pop(request_id, None)
        self._pages[request_id] = page
        if page.logged is None or not (self._open or self._closed or self._early):
            return
        ids = self._state.catalog.items.ids
        user = self._state.catalog.users.ids.find(record.subject)
        last: tuple[int, int, int] | None = None
        for row, (item_id, position) in enumerate(items):
            item = ids.find(item_id)
            reported = self._of_request.get((request_id, item))
            if reported is not None:
                self._use_logged(reported, page.logged, row)
                if reported.outcomes:
                    last = max(last or _NOWHERE, (position, reported.user, reported.sequence))
            for early in self._early_of_pair.get((user, item), ()):
                if early.request_id == request_id:
                    last = max(last or _NOWHERE, (position, user, early.sequence))
        if last is not None:
            self._open_page(request_id, page, *last)

    def _begin(self, impression: _Impression) -> None:
        pair = impression.user, impression.item
        waiting = self._early_of_pair.pop(pair, [])
        for early in waiting:
            if early.waits_for(impression):
                early.taken = True
                self._reader.combine(impression.outcomes, early.action, early.value)
        later = [early for early in waiting if not early.taken]
        if later:
            self._early_of_pair[pair] = later
        self._remember(impression)

    def _remember(self, impression: _Impression) -> None:
        if impression.request_id:
            self._of_request[impression.request_id, impression.item] = impression
        self._of_pair[impression.user, impression.item] = impression
        (self._open if impression.taught is None else self._closed).append(impression)

    def _wait_for_impression(self, early: _Early) -> None:
        self._early.append(early)
        self._early_of_pair.setdefault((early.user, early.item), []).append(early)

    def _fits(self, features: Features) -> bool:
        return self._schema.fits(features, self._state.native.dense_columns)

    def _use_logged(self, impression: _Impression, logged: _Logged, row: int) -> None:
        if row < 0 or (impression.features is logged and impression.row == row):
            return
        if logged.fits is None:
            try:
                logged.fits = self._fits(logged.unpack())
            except InvalidFile:
                logged.fits = False
        if logged.fits:
            impression.features, impression.row = logged, row
        else:
            self.unreadable_features += 1

    def _act(self, collected: _Collected, record: Record, acted: _Impression, drawn: list[_Impression]) -> None:
        value = 1.0 if record.value is None else record.value
        page = self._pages.get(record.request_id)
        if page is not None:
            name = self._state.catalog.items.ids.names[acted.item]
            position = next((position for item_id, position in page.items() if item_id == name), None)
            if position is not None:
                self._open_page(record.request_id, page, position, acted.user, acted.sequence)
        of_request = self._of_request.get((record.request_id, acted.item))
        impression = of_request or self._of_pair.get((acted.user, acted.item))
        about = self._reader.about(record.action)
        # The page of its request may be about to come: a server logs what it served a moment after it was answered.
        overtakes = bool(record.request_id) and page is None and of_request is None
        if about and (impression is None or overtakes):
            self._wait_for_impression(
                _Early(
                    acted.user, acted.item, record.timestamp, self._watermark, record.action, value, acted.sequence,
                    record.request_id, bound=impression is not None,
                )
            )  # fmt: skip
        if impression is not None:
            self._reader.combine(impression.outcomes, record.action, value)
            if impression.taught is not None:
                self._teach_late(collected, impression)
            return
        if not about:
            return
        if acted.row >= 0:
            weights = [float(index in about) for index in range(len(self._everything))]
            for other in drawn:
                collected.add(other, self._reader.nothing.labels, weights)
            collected.add(acted, self._reader.read({record.action: value}).labels, weights)

    def _teach_late(self, collected: _Collected, impression: _Impression) -> None:
        labels = self._reader.read(impression.outcomes).labels
        changed = [float(new != old) for new, old in zip(labels, impression.taught or labels, strict=True)]
        if any(changed):
            impression.taught = labels
            collected.add(impression, labels, changed)

    def _open_page(self, request_id: str, page: _Page, last: int, user: int, sequence: int) -> None:
        """Impressions of the items down to the position `last`, where they were served with their features."""
        if page.logged is None:
            return
        for row, (item_id, position) in enumerate(page.items()):
            item = self._state.catalog.items.ids.find(item_id)
            if position > last or (request_id, item) in self._of_request:
                continue
            opened = _Impression(
                user, self._state.item(item_id), page.timestamp, sequence, self._watermark, request_id, page.logged, -1
            )
            self._use_logged(opened, page.logged, row)
            if opened.row >= 0:
                self._begin(opened)

    def _close(self, collected: _Collected) -> None:
        """What the watermark has ended: windows, and what is remembered after them."""
        window, end = self._watermark - self._window, self._watermark - self._window - self._late
        while self._open and self._open[0].opened <= window:
            impression = self._open.popleft()
            impression.taught = self._reader.read(impression.outcomes).labels
            collected.add(impression, impression.taught, self._everything)
            self._closed.append(impression)
        while self._early and self._early[0].opened <= window:
            early = self._early.popleft()
            if not early.taken:
                self._early_of_pair[early.user, early.item].remove(early)
                if not self._early_of_pair[early.user, early.item]:
                    del self._early_of_pair[early.user, early.item]
        while self._closed and self._closed[0].opened <= end:
            self._forget(self._closed.popleft())
        while self._pages:
            request_id, page = next(iter(self._pages.items()))
            if page.opened > end:
                break
            del self._pages[request_id]

    def _forget(self, impression: _Impression) -> None:
        self._of_request.pop((impression.request_id, impression.item), None)
        pair = impression.user, impression.item
        if self._of_pair.get(pair) is impression:
            del self._of_pair[pair]

    def _joined_only(self, folded: Folded) -> Examples:
        rows, catalog = folded.rows, self._state.catalog
        return Examples(
            folded.emitted[0].features, rows.labels, np.ones_like(rows.labels), catalog.users.keys[rows.users],
            catalog.items.keys[rows.items], rows.timestamps, rows.sequence,
        )  # fmt: skip

    def _examples(self, collected: _Collected) -> Examples:
        objectives, catalog = len(self._everything), self._state.catalog
        keys = np.array(collected.keys, dtype=np.int64).reshape(-1, 4)
        return Examples(
            self._gather(collected.sources),
            np.array(collected.labels, dtype=np.float32).reshape(-1, objectives),
            np.array(collected.weights, dtype=np.float32).reshape(-1, objectives),
            catalog.users.keys[keys[:, 0]], catalog.items.keys[keys[:, 1]], keys[:, 2].copy(), keys[:, 3].copy(),
        )  # fmt: skip

    def _gather(self, sources: list[tuple[Features | _Logged, int]]) -> Features:
        """Rows of several batches as one, in order; one copy for each run of rows of the same batch."""
        parts: list[Features] = []
        start = 0
        while start < len(sources):
            batch = sources[start][0]
            end = start
            while end < len(sources) and sources[end][0] is batch:
                end += 1
            rows: npt.NDArray[np.intp] = np.array([row for _, row in sources[start:end]], dtype=np.intp)
            features = batch.unpack() if isinstance(batch, _Logged) else batch
            parts.append(features.take(rows))
            start = end
        if not parts:
            dense_columns = self._state.native.dense_columns
            return Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, dense_columns), np.float32))
        return Features.concatenate(parts)


def _page(opened: int, timestamp: int, items: list[tuple[str, int]], features: bytes | None) -> _Page:
    logged = None if features is None else _Logged(features, len(items))
    return _Page(opened, timestamp, _encode_items(items), logged)


def _all_joined(records: Sequence[Record], folded: Folded) -> bool:
    kinds = folded.rows.kinds
    return len(kinds) > 0 and bool((kinds == RowKind.JOINED).all()) and all(one.kind != "served" for one in records)
