"""The joiner: impressions and the actions that follow them become examples.

What becomes of what:

- an impression (`seen`, or `served` on a surface where that means seen) waits `window_minutes` on the log's watermark,
  and is then an example whose labels are what the user did with it in the meantime;
- an impression that carries its outcomes (an import) is an example at once;
- an impression that is reported again for the same request, user and item is the one that is known already;
- an action belongs to the impression of its request, user and item, else to the last one of its user and item;
- a request id counts only for the user whose page it is: from anybody else it is as if there were none;
- an action within `late_hours` after its impression's window teaches the objectives that it changes, on the
  impression's features, as an example of its own; of what waits for that, the oldest is forgotten first when there are
  more than `impressions`, or more pages than `pages`;
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

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features
from feedmill.domain.clock import HOUR, MINUTE
from feedmill.domain.errors import ConfigError, InvalidFile, SnapshotError
from feedmill.domain.records import Record, Served
from feedmill.stream.features.pack import pack
from feedmill.stream.features.schema import Schema
from feedmill.stream.remembered import Early, Impression, Packed, Page, Snapshot, StoredEarly, StoredPage
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
    pages: int = 50_000
    """At most so many pages are remembered: 0.8 KB each, and about 2 KB where its features were logged."""
    impressions: int = 500_000
    """At most so many impressions are remembered after their window: 0.5 KB each, and 0.3 KB where its page has logged
    no features."""

    def __post_init__(self) -> None:
        for name in ("window_minutes", "late_hours"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must lie between 0 and 1,000,000")
        for name in ("pages", "impressions"):
            if getattr(self, name) < 1:
                raise ConfigError(f"join.{name}: {getattr(self, name)} must be at least 1")


_encode_items = msgspec.msgpack.encode
_NOWHERE = (-1, -1, -1)
_Value = TypeVar("_Value")


_COLUMNS = ("user", "item", "timestamp", "sequence", "opened", "request_id", "features", "row")


@dataclass(slots=True)
class _Collected:
    """Examples on their way: where the features are, and the labels."""

    sources: list[tuple[Features | Packed, int]] = field(default_factory=list)
    labels: list[list[float]] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)
    keys: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, impression: Impression, labels: list[float], weights: list[float]) -> None:
        self.sources.append((impression.features, impression.row))
        self.labels.append(labels)
        self.weights.append(weights)
        self.keys.append((impression.user, impression.item, impression.timestamp, impression.sequence))


class Joiner:
    """Pairs impressions with actions, in log order.

    What came in the last `window_minutes` and `late_hours` is remembered: of that at most `pages` and, besides those
    whose window is open, `impressions`. Memory, measured with the default features: 3 KB a page of 20 that has logged
    them, 0.5 KB an impression, and 0.3 KB more for one of no such page, with the row that the fold made. By default
    that is no more than 150 MB of pages and 250 MB of impressions (400 MB where no features are logged). A snapshot
    takes 1.5 times its own bytes on top while it is made.
    """

    def __init__(self, config: JoinConfig, state: State, schema: Schema) -> None:
        """`schema` is that of the features that `push` is given."""
        self._window = round(config.window_minutes * MINUTE)
        self._late = round(config.late_hours * HOUR)
        self._most_pages, self._most_closed = config.pages, config.impressions
        self._state = state
        self._schema = schema
        self._reader = state.reader
        self._everything = [1.0] * len(self._reader.objectives)
        self._watermark = state.watermark
        # All of these are in the order in which they were opened, which is the order in which they close.
        self._open: deque[Impression] = deque()
        self._closed: deque[Impression] = deque()
        # A plain dict finds its oldest entry by going over all that were deleted before it.
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._early: deque[Early] = deque()
        self._of_request: dict[tuple[str, int, int], Impression] = {}
        self._of_pair: dict[tuple[int, int], Impression] = {}
        self._early_of_pair: dict[tuple[int, int], list[Early]] = {}
        self.unreadable_features = 0
        """Impressions whose logged features were damaged or of another schema, and were not used."""
        self.pages_dropped = 0
        """Pages that were forgotten before their time, as there were too many."""
        self.impressions_dropped = 0
        """Closed impressions that were, for the same reason; late actions no longer find them."""

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
        begun: list[Impression] = []
        for index, record in enumerate(records):
            self._watermark = watermark_after(self._watermark, record)
            self._close(collected)
            if isinstance(record.body, Served) and record.request_id:
                self._take_up(record, record.body)
            request_id = self._counting_request(record)
            drawn: list[Impression] = []
            for row in range(first[index], first[index + 1]):
                kind = rows.kinds[row]
                come = Impression(
                    int(rows.users[row]), int(rows.items[row]), record.timestamp, int(rows.sequence[row]),
                    self._watermark, request_id, emitted.features, int(place[row]),
                )  # fmt: skip
                if kind == RowKind.IMPRESSION:
                    if self._report(come):
                        begun.append(come)
                elif kind == RowKind.JOINED:
                    collected.add(come, rows.labels[row].tolist(), self._everything)
                elif kind == RowKind.DRAWN:
                    drawn.append(come)
                else:
                    self._act(collected, record, come, drawn)
        examples = self._examples(collected)
        self._pack_own(begun, emitted.features)
        return examples

    def dump(self) -> bytes:
        """Everything that waits or is remembered, for a snapshot. About a microsecond an impression or page."""
        impressions = [*self._closed, *self._open]
        logged = [page.logged for page in self._pages.values() if page.logged is not None]
        batches = _numbered([*logged, *map(attrgetter("features"), impressions)])
        requests = _numbered(map(attrgetter("request_id"), impressions))
        columns = np.empty((len(_COLUMNS), len(impressions)), dtype=np.int64)
        for column, name in zip(columns, _COLUMNS, strict=True):
            values: Iterable[int] = map(attrgetter(name), impressions)
            if name == "features":
                values = map(batches.__getitem__, values)
            elif name == "request_id":
                values = map(requests.__getitem__, values)
            column[:] = np.fromiter(values, np.int64, len(impressions))
        # Ordinals belong to a process.
        users, columns[0] = np.unique(columns[0], return_inverse=True)
        items, columns[1] = np.unique(columns[1], return_inverse=True)
        names_of_users, names_of_items = self._state.catalog.users.ids.names, self._state.catalog.items.ids.names
        early = [
            StoredEarly(
                names_of_users[one.user], names_of_items[one.item], one.timestamp, one.opened, one.action, one.value,
                one.sequence, one.request_id, one.bound,
            )
            for one in self._early
            if not one.taken
        ]  # fmt: skip
        pages = [
            StoredPage(
                request_id, page.user_id, page.opened, page.timestamp, page.encoded_items,
                -1 if page.logged is None else batches[page.logged],
            )
            for request_id, page in self._pages.items()
        ]  # fmt: skip
        return msgspec.msgpack.encode(
            Snapshot(
                self._shape,
                [names_of_users[user] for user in users.tolist()],
                [names_of_items[item] for item in items.tolist()],
                list(requests),
                [(batch.rows, batch.packed) for batch in batches],
                pages,
                columns.astype("<i8").tobytes(),
                len(self._closed),
                [(number, one.outcomes) for number, one in enumerate(impressions) if one.outcomes],
                early,
            )
        )

    def load(self, dumped: bytes) -> None:
        """Go on from what `dump` gave; the state must be that of the same place in the log.

        Raises SnapshotError when that is damaged or of another schema; the joiner is then of no further use.
        """
        try:
            snapshot = msgspec.msgpack.decode(dumped, type=Snapshot)
            if snapshot.schema != self._shape:
                raise SnapshotError("the joiner's snapshot holds features of another schema")
            self._fill(snapshot)
        except (msgspec.MsgspecError, ValueError, LookupError) as error:
            raise SnapshotError(f"the joiner's snapshot cannot be read ({error})") from None

    def _fill(self, snapshot: Snapshot) -> None:
        users, items = list(map(self._state.user, snapshot.users)), list(map(self._state.item, snapshot.items))
        self._watermark = self._state.watermark
        batches = [Packed(packed, rows) for rows, packed in snapshot.batches]
        for page in snapshot.pages:
            logged = None if page.batch < 0 else batches[page.batch]
            self._pages[page.request_id] = Page(
                page.user_id, page.opened, page.timestamp, page.encoded_items, logged
            )  # fmt: skip
        columns = np.frombuffer(snapshot.impressions, "<i8").reshape(len(_COLUMNS), -1).tolist()
        outcomes = dict(snapshot.outcomes)
        for number, (user, item, timestamp, sequence, opened, request, batch, row) in enumerate(
            zip(*columns, strict=True)
        ):
            self._remember(
                Impression(
                    users[user], items[item], timestamp, sequence, opened, snapshot.requests[request], batches[batch],
                    row, outcomes.get(number, {}), number < snapshot.closed,
                )
            )  # fmt: skip
        for early in snapshot.early:
            self._wait_for_impression(
                Early(
                    self._state.user(early.user_id), self._state.item(early.item_id), early.timestamp, early.opened,
                    early.action, early.value, early.sequence, early.request_id, early.bound,
                )
            )  # fmt: skip

    @property
    def _shape(self) -> list[int]:
        return [*(slot.number for slot in self._schema.slots), self._state.native.dense_columns]

    @property
    def _remembers_nothing(self) -> bool:
        return not (self._open or self._closed or self._early)

    def _counting_request(self, record: Record) -> str:
        """The request id of a record, where it is not that of a page that was made for another user."""
        page = self._pages.get(record.request_id)
        return record.request_id if page is None or page.user_id == record.subject else ""

    def _report(self, seen: Impression) -> bool:
        """An impression that a record reports; False where it is known already."""
        if (seen.request_id, seen.user, seen.item) in self._of_request:
            return False
        page = self._pages.get(seen.request_id)
        if page is not None and page.logged is not None:
            name = self._state.catalog.items.ids.names[seen.item]
            row = next((row for row, (item_id, _) in enumerate(page.items()) if item_id == name), -1)
            self._use_logged(seen, page.logged, row)
        self._begin(seen)
        return True

    def _take_up(self, record: Record, served: Served) -> None:
        """Remember a page, and do what it would have done to what stands before it in the log."""
        request_id = record.request_id
        items = [(item.item_id, item.position) for item in served.items]
        logged = None if served.features is None else Packed(served.features, len(items))
        page = Page(record.subject, self._watermark, record.timestamp, _encode_items(items), logged)
        self._pages.pop(request_id, None)
        self._pages[request_id] = page
        if len(self._pages) > self._most_pages:
            self._pages.popitem(last=False)
            self.pages_dropped += 1
        if page.logged is None or not (self._open or self._closed or self._early):
            return
        ids = self._state.catalog.items.ids
        user = self._state.catalog.users.ids.find(record.subject)
        last: tuple[int, int, int] | None = None
        for row, (item_id, position) in enumerate(items):
            item = ids.find(item_id)
            reported = self._of_request.get((request_id, user, item))
            if reported is not None:
                self._use_logged(reported, page.logged, row)
                if reported.outcomes:
                    last = max(last or _NOWHERE, (position, user, reported.sequence))
            for early in self._early_of_pair.get((user, item), ()):
                if early.request_id == request_id:
                    last = max(last or _NOWHERE, (position, user, early.sequence))
        if last is not None:
            self._open_page(request_id, page, *last)

    def _begin(self, impression: Impression) -> None:
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

    def _remember(self, impression: Impression) -> None:
        if impression.request_id:
            self._of_request[impression.request_id, impression.user, impression.item] = impression
        self._of_pair[impression.user, impression.item] = impression
        (self._closed if impression.closed else self._open).append(impression)

    def _wait_for_impression(self, early: Early) -> None:
        self._early.append(early)
        self._early_of_pair.setdefault((early.user, early.item), []).append(early)

    def _fits(self, features: Features) -> bool:
        return self._schema.fits(features, self._state.native.dense_columns)

    def _use_logged(self, impression: Impression, logged: Packed, row: int) -> None:
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

    def _act(self, collected: _Collected, record: Record, acted: Impression, drawn: list[Impression]) -> None:
        value = 1.0 if record.value is None else record.value
        request_id = acted.request_id
        page = self._pages.get(request_id)
        if page is not None:
            name = self._state.catalog.items.ids.names[acted.item]
            position = next((position for item_id, position in page.items() if item_id == name), None)
            if position is not None:
                self._open_page(request_id, page, position, acted.user, acted.sequence)
        of_request = self._of_request.get((request_id, acted.user, acted.item))
        impression = of_request or self._of_pair.get((acted.user, acted.item))
        about = self._reader.about(record.action)
        # The page of its request may be about to come: a server logs what it served a moment after it was answered.
        overtakes = bool(request_id) and page is None and of_request is None
        if about and (impression is None or overtakes):
            self._wait_for_impression(
                Early(
                    acted.user, acted.item, record.timestamp, self._watermark, record.action, value, acted.sequence,
                    request_id, bound=impression is not None,
                )
            )  # fmt: skip
        if impression is not None:
            taught = self._reader.read(impression.outcomes).labels if impression.closed else None
            self._reader.combine(impression.outcomes, record.action, value)
            if taught is not None:
                self._teach_late(collected, impression, taught)
            return
        if not about:
            return
        if acted.row >= 0:
            weights = [float(index in about) for index in range(len(self._everything))]
            for other in drawn:
                collected.add(other, self._reader.nothing.labels, weights)
            collected.add(acted, self._reader.read({record.action: value}).labels, weights)

    def _teach_late(self, collected: _Collected, impression: Impression, taught: list[float]) -> None:
        labels = self._reader.read(impression.outcomes).labels
        changed = [float(new != old) for new, old in zip(labels, taught, strict=True)]
        if any(changed):
            collected.add(impression, labels, changed)

    def _open_page(self, request_id: str, page: Page, last: int, user: int, sequence: int) -> None:
        """Impressions of the items down to the position `last`, where they were served with their features."""
        if page.logged is None:
            return
        for row, (item_id, position) in enumerate(page.items()):
            item = self._state.catalog.items.ids.find(item_id)
            if position > last or (request_id, user, item) in self._of_request:
                continue
            opened = Impression(
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
            impression.closed = True
            collected.add(impression, self._reader.read(impression.outcomes).labels, self._everything)
            self._closed.append(impression)
        while self._early and self._early[0].opened <= window:
            early = self._early.popleft()
            if not early.taken:
                self._early_of_pair[early.user, early.item].remove(early)
                if not self._early_of_pair[early.user, early.item]:
                    del self._early_of_pair[early.user, early.item]
        while self._closed and self._closed[0].opened <= end:
            self._forget(self._closed.popleft())
        while len(self._closed) > self._most_closed:
            self._forget(self._closed.popleft())
            self.impressions_dropped += 1
        while self._pages:
            request_id, page = next(iter(self._pages.items()))
            if page.opened > end:
                break
            del self._pages[request_id]

    def _forget(self, impression: Impression) -> None:
        self._of_request.pop((impression.request_id, impression.user, impression.item), None)
        pair = impression.user, impression.item
        if self._of_pair.get(pair) is impression:
            del self._of_pair[pair]

    def _pack_own(self, begun: list[Impression], features: Features) -> None:
        """Pack the rows that the fold has made for impressions: now, so that no snapshot has to pack those of a day."""
        own = [one for one in begun if one.features is features]
        if not own:
            return
        rows = np.array([one.row for one in own], dtype=np.intp)
        packed = Packed(pack(features.take(rows)), len(own), fits=True)
        for row, one in enumerate(own):
            one.features, one.row = packed, row

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

    def _gather(self, sources: list[tuple[Features | Packed, int]]) -> Features:
        """Rows of several batches as one, in order; one copy for each run of rows of the same batch."""
        parts: list[Features] = []
        start = 0
        while start < len(sources):
            batch = sources[start][0]
            end = start
            while end < len(sources) and sources[end][0] is batch:
                end += 1
            rows: npt.NDArray[np.intp] = np.array([row for _, row in sources[start:end]], dtype=np.intp)
            features = batch.unpack() if isinstance(batch, Packed) else batch
            parts.append(features.take(rows))
            start = end
        if not parts:
            dense_columns = self._state.native.dense_columns
            return Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, dense_columns), np.float32))
        return Features.concatenate(parts)


def _numbered(values: Iterable[_Value]) -> dict[_Value, int]:
    """Each value once, in the order in which they first come, and its number."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def _all_joined(records: Sequence[Record], folded: Folded) -> bool:
    kinds = folded.rows.kinds
    return len(kinds) > 0 and bool((kinds == RowKind.JOINED).all()) and all(one.kind != "served" for one in records)
