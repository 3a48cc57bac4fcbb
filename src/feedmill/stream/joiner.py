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
  its user and item takes it, if that happened no later than the action;
- an action without any impression is an example of its own where its configuration says so, at once. Where its
  impression comes after all, it takes the action too.

An impression's waiting begins with the watermark at its place in the log, so that what is reported hours late has its
window too. Which examples there are, and in which order, depends on the log alone, and not on how it is cut in batches.

The features of an impression are those logged when it was served; where none were logged, or what was logged is not of
the present schema, those that the fold made at the impression's place in the log.
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
from feedmill.stream.features.pack import pack_rows, unpack, unpack_rows
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


@dataclass(slots=True, eq=False)
class _Impression:
    user: int
    item: int
    timestamp: int
    sequence: int
    opened: int
    """The watermark at its place in the log."""
    request_id: str
    features: Features
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
    taken: bool = False


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


class _Snapshot(msgspec.Struct, array_like=True):
    impressions: list[_StoredImpression]
    features: bytes
    """A row an impression."""
    pages: list[tuple[int, Record]]
    early: list[_StoredEarly]


@dataclass(slots=True)
class _Collected:
    """Examples on their way: where the features are, and the labels."""

    sources: list[tuple[Features, int]] = field(default_factory=list)
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

    Memory: the features of the impressions that it remembers, `window_minutes` and `late_hours` long.
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
        self._pages: dict[str, tuple[int, Record]] = {}
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
            if record.kind == "served" and record.request_id:
                self._pages.pop(record.request_id, None)
                self._pages[record.request_id] = self._watermark, record
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
            _StoredEarly(users[one.user], items[one.item], one.timestamp, one.opened, one.action, one.value)
            for one in self._early
            if not one.taken
        ]
        snapshot = _Snapshot(impressions, pack_rows(features), list(self._pages.values()), early)
        return msgspec.msgpack.encode(snapshot)

    def load(self, dumped: bytes) -> None:
        """Go on from what `dump` gave; the state must be that of the same place in the log.

        Raises SnapshotError when that is damaged or of another schema.
        """
        try:
            snapshot = msgspec.msgpack.decode(dumped, type=_Snapshot)
            features = unpack_rows(snapshot.features)
        except (msgspec.MsgspecError, InvalidFile) as error:
            raise SnapshotError(f"the joiner's snapshot cannot be read ({error})") from None
        if len(features) != len(snapshot.impressions) or (len(features) and not self._fits(features)):
            raise SnapshotError("the joiner's snapshot holds features of another schema")
        user, item = self._state.user, self._state.item
        self._watermark = self._state.watermark
        self._pages = {page.request_id: (opened, page) for opened, page in snapshot.pages}
        for row, one in enumerate(snapshot.impressions):
            impression = _Impression(
                user(one.user_id), item(one.item_id), one.timestamp, one.sequence, one.opened, one.request_id,
                features, row, one.outcomes, one.taught,
            )  # fmt: skip
            self._remember(impression)
        for early in snapshot.early:
            self._wait_for_impression(
                _Early(
                    user(early.user_id), item(early.item_id), early.timestamp, early.opened, early.action, early.value
                )
            )

    @property
    def _remembers_nothing(self) -> bool:
        return not (self._open or self._closed or self._early)

    def _report(self, seen: _Impression) -> None:
        """An impression that a record reports."""
        if (seen.request_id, seen.item) in self._of_request:
            return
        _, page = self._pages.get(seen.request_id, (0, None))
        if page is not None and isinstance(page.body, Served):
            name = self._state.catalog.items.ids.names[seen.item]
            for served in page.body.items:
                if served.item_id == name and served.features is not None:
                    self._use_logged(seen, served.features)
        self._begin(seen)

    def _begin(self, impression: _Impression) -> None:
        pair = impression.user, impression.item
        waiting = self._early_of_pair.pop(pair, [])
        for early in waiting:
            if impression.timestamp <= early.timestamp:
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

    def _use_logged(self, impression: _Impression, packed: bytes) -> None:
        try:
            logged = unpack(packed)
        except InvalidFile:
            self.unreadable_features += 1
            return
        if self._fits(logged):
            impression.features, impression.row = logged, 0
        else:
            self.unreadable_features += 1

    def _act(self, collected: _Collected, record: Record, acted: _Impression, drawn: list[_Impression]) -> None:
        value = 1.0 if record.value is None else record.value
        if record.request_id in self._pages:
            self._open_page(self._pages[record.request_id][1], acted)
        impression = self._of_request.get((record.request_id, acted.item))
        impression = impression or self._of_pair.get((acted.user, acted.item))
        if impression is not None:
            self._reader.combine(impression.outcomes, record.action, value)
            if impression.taught is not None:
                self._teach_late(collected, impression)
            return
        about = self._reader.about(record.action)
        if not about:
            return
        self._wait_for_impression(
            _Early(acted.user, acted.item, record.timestamp, self._watermark, record.action, value)
        )
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

    def _open_page(self, page: Record, acted: _Impression) -> None:
        """Impressions of the item acted on and of those above it, where they were served with their features."""
        if not isinstance(page.body, Served):
            return
        name = self._state.catalog.items.ids.names[acted.item]
        last = next((served.position for served in page.body.items if served.item_id == name), None)
        if last is None:
            return
        for served in page.body.items:
            item = self._state.catalog.items.ids.find(served.item_id)
            if served.position > last or served.features is None or (page.request_id, item) in self._of_request:
                continue
            opened = _Impression(
                acted.user, self._state.item(served.item_id), page.timestamp, acted.sequence, self._watermark,
                page.request_id, acted.features, -1,
            )  # fmt: skip
            self._use_logged(opened, served.features)
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
            request_id, (opened, _) = next(iter(self._pages.items()))
            if opened > end:
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

    def _gather(self, sources: list[tuple[Features, int]]) -> Features:
        """Rows of several batches as one, in order; one copy for each run of rows of the same batch."""
        parts: list[Features] = []
        start = 0
        while start < len(sources):
            batch = sources[start][0]
            end = start
            while end < len(sources) and sources[end][0] is batch:
                end += 1
            rows: npt.NDArray[np.intp] = np.array([row for _, row in sources[start:end]], dtype=np.intp)
            parts.append(batch.take(rows))
            start = end
        if not parts:
            dense_columns = self._state.native.dense_columns
            return Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, dense_columns), np.float32))
        return Features.concatenate(parts)


def _all_joined(records: Sequence[Record], folded: Folded) -> bool:
    kinds = folded.rows.kinds
    return len(kinds) > 0 and bool((kinds == RowKind.JOINED).all()) and all(one.kind != "served" for one in records)
