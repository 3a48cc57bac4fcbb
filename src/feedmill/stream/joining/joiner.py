"""The joiner: impressions and the actions that follow them become examples.

What becomes of what:

- an impression (`seen`, or `served` on a surface where that means seen) waits for the label of each objective as long
  as its window says, on the log's watermark. When a window is over the impression is an example of the objectives that
  have waited so long, labelled by what the user has done with it until then;
- an impression that carries its outcomes (an import) is an example of all objectives at once;
- an impression that is reported again for the same request, user and item is the one that is known already;
- an action belongs to the impression of its request, user and item, else to the last one of its user and item;
- a request id counts only for the user whose page it is: from anybody else it is as if there were none;
- an action that comes after a window, within `late_hours` after the last one, corrects the labels that were settled
  without it: one example takes back what was taught, with the weight that it had, and one teaches what is true. What
  waits for that and is more than `impressions`, or more pages than `pages`, waits on disk;
- an impression that nothing positive has followed when a window is over is one of the negatives, of which a share of
  `negative_rate` is learned, at the weight of all;
- an action on an item of a served page tells that the items above it were seen, reported or not: those that were served
  with logged features become impressions, and so does the item itself;
- an action that stands in the log before its impression waits for it, as long as the longest window: the next
  impression of its user and item takes it, if that happened no later than the action or belongs to the same request;
- a page that stands in the log after what was done with it is opened when it comes, as if it had come first;
- an action without any impression is an example of its own where its configuration says so, at once. Where its
  impression comes after all, it takes the action too.

An impression's waiting begins with the watermark at its place in the log, so that what is reported hours late has its
windows too. Which examples there are, and in which order, depends on the log alone, not on how it is cut in batches.

The features of an impression are those logged with its page; where none were logged, or what was logged is not of the
present schema, those that the fold made at the impression's place in the log. What an impression was taught with is
also what takes it back: a page that comes after the first window changes its features no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from feedmill.domain.batches import Examples, Features
from feedmill.domain.errors import InvalidFile
from feedmill.domain.records import Record, Served
from feedmill.stream.features.pack import pack
from feedmill.stream.features.schema import Schema
from feedmill.stream.joining.collected import Collected
from feedmill.stream.joining.config import JoinConfig
from feedmill.stream.joining.disk import Disk
from feedmill.stream.joining.memory import Memory
from feedmill.stream.joining.remembered import Early, Impression, Packed, Page
from feedmill.stream.joining.sampling import NegativeSampling
from feedmill.stream.joining.snapshot import dump, load
from feedmill.stream.joining.windows import windows_of
from feedmill.stream.state.rows import RowKind
from feedmill.stream.state.state import Folded, State, watermark_after

_encode_items = msgspec.msgpack.encode
_NOWHERE = (-1, -1, -1)


class Joiner:
    """Pairs impressions with actions, in log order.

    What came in the last window and `late_hours` is remembered: in memory at most `pages` and, besides those of which a
    window is open, `impressions`; what is older is on disk. Memory, measured with the default features: 3 KB a page of
    20 that has logged them, 0.5 KB an impression, and 0.3 KB more for one of no such page, with the row that the fold
    made. By default that is no more than 150 MB of pages and 250 MB of impressions (400 MB where no features are
    logged). A snapshot takes 1.5 times its own bytes on top while it is made.
    """

    def __init__(
        self,
        config: JoinConfig,
        state: State,
        schema: Schema,
        seed: int = 0,
        *,
        disk: Path | None = None,
        snapshots: int = 1,
    ) -> None:
        """`schema` is that of the features that `push` is given; `seed` chooses the negatives that are learned.

        `disk` is the file for what the memory has no room for, and `snapshots` how many dumps are kept that may be gone
        on from; without a path, a dump is of use only to this joiner as soon as there is something on disk.
        """
        self._state = state
        self._schema = schema
        self._reader = state.reader
        self._everything = [1.0] * len(self._reader.objectives)
        self._windows = windows_of(config, list(self._reader.objectives.values()))
        self._window_of = {
            index: place for place, window in enumerate(self._windows) for index in window.objectives
        }  # fmt: skip
        lengths = [window.length for window in self._windows]
        self._memory = Memory(config, lengths, Disk(disk, snapshots, len(lengths)), state.catalog)
        self._sampling = NegativeSampling(config.negative_rate, seed)
        self._watermark = state.watermark
        self.unreadable_features = 0
        """Impressions whose logged features were damaged or of another schema, and were not used."""

    @property
    def waiting(self) -> int:
        """Impressions of which a window is open."""
        return self._memory.waiting

    @property
    def on_disk(self) -> tuple[int, int]:
        """How many impressions and pages are remembered on disk."""
        return self._memory.disk.impressions, self._memory.disk.pages

    @property
    def pages_dropped(self) -> int:
        """Pages that were forgotten before their time, as there were too many."""
        return self._memory.pages_dropped

    @property
    def impressions_dropped(self) -> int:
        """Closed impressions that were, for the same reason; late actions no longer find them."""
        return self._memory.impressions_dropped

    def push(self, records: Sequence[Record], folded: Folded) -> Examples:
        """Take the rows of these records, and give the examples that are ready now.

        `folded` is what `State.fold` gave for the records, with the features of `examples` as its first view.
        """
        rows, emitted = folded.rows, folded.emitted[0]
        if not self._memory.has_rows and _all_joined(records, folded):
            self._watermark = self._state.watermark
            return self._joined_only(folded)
        collected = Collected()
        place = np.full(len(rows), -1)
        place[emitted.rows] = np.arange(len(emitted.rows))
        first = np.searchsorted(rows.records, np.arange(len(records) + 1)).tolist()
        begun: list[Impression] = []
        for index, record in enumerate(records):
            self._watermark = watermark_after(self._watermark, record)
            self._settle(collected)
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
                    labels = rows.labels[row].tolist()
                    collected.add(come, labels, self._everything, negative=not any(labels))
                elif kind == RowKind.DRAWN:
                    drawn.append(come)
                else:
                    self._act(collected, record, come, drawn)
        examples = collected.examples(self._state, self._sampling)
        self._pack_own(begun, emitted.features)
        self._memory.overflow()
        return examples

    def dump(self) -> bytes:
        """Everything that waits or is remembered, for a snapshot. About a microsecond an impression or page."""
        return dump(self._memory, self._state, self._shape)

    def close(self) -> None:
        """Release the file on disk, which then is as it was at the last `dump`."""
        self._memory.disk.close()

    def load(self, dumped: bytes) -> None:
        """Go on from what `dump` gave; the state must be that of the same place in the log.

        Raises SnapshotError when that is damaged or of another schema; the joiner is then of no further use.
        """
        load(dumped, self._memory, self._state, self._shape)
        self._watermark = self._state.watermark

    @property
    def _shape(self) -> list[int]:
        return [*(slot.number for slot in self._schema.slots), self._state.native.dense_columns]

    def _counting_request(self, record: Record) -> str:
        """The request id of a record, where it is not that of a page that was made for another user."""
        page = self._memory.page(record.request_id)
        return record.request_id if page is None or page.user_id == record.subject else ""

    def _settle(self, collected: Collected) -> None:
        """What the watermark has ended: windows, and what is remembered after them."""
        for impression in self._memory.close(self._watermark):
            window = self._windows[impression.closed - 1]
            labels = self._reader.read(impression.outcomes).labels
            negative = not any(labels[index] for index in window.objectives)
            if negative:
                impression.negative |= 1 << (impression.closed - 1)
            collected.add(impression, labels, window.weights, negative=negative)
        self._memory.forget(self._watermark)

    def _report(self, seen: Impression) -> bool:
        """An impression that a record reports; False where it is known already."""
        if self._memory.of_request(seen.request_id, seen.user, seen.item) is not None:
            return False
        page = self._memory.page(seen.request_id)
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
        self._memory.add_page(request_id, page)
        if page.logged is None or not self._memory.has_rows:
            return
        ids = self._state.catalog.items.ids
        user = self._state.catalog.users.ids.find(record.subject)
        last: tuple[int, int, int] | None = None
        for row, (item_id, position) in enumerate(items):
            item = ids.find(item_id)
            reported = self._memory.of_request(request_id, user, item)
            if reported is not None:
                if not reported.closed:
                    self._use_logged(reported, page.logged, row)
                if reported.outcomes:
                    last = max(last or _NOWHERE, (position, user, reported.sequence))
            for early in self._memory.early_of_pair(user, item):
                if early.request_id == request_id:
                    last = max(last or _NOWHERE, (position, user, early.sequence))
        if last is not None:
            self._open_page(request_id, page, *last)

    def _begin(self, impression: Impression) -> None:
        for early in self._memory.take_early(impression):
            self._reader.combine(impression.outcomes, early.action, early.value)
        self._memory.add(impression)

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

    def _act(self, collected: Collected, record: Record, acted: Impression, drawn: list[Impression]) -> None:
        value = 1.0 if record.value is None else record.value
        request_id = acted.request_id
        page = self._memory.page(request_id)
        if page is not None:
            name = self._state.catalog.items.ids.names[acted.item]
            position = next((position for item_id, position in page.items() if item_id == name), None)
            if position is not None:
                self._open_page(request_id, page, position, acted.user, acted.sequence)
        of_request = self._memory.of_request(request_id, acted.user, acted.item)
        impression = of_request or self._memory.of_pair(acted.user, acted.item)
        about = self._reader.about(record.action)
        # The page of its request may be about to come: a server logs what it served a moment after it was answered.
        overtakes = bool(request_id) and page is None and of_request is None
        if about and (impression is None or overtakes):
            self._memory.add_early(
                Early(
                    acted.user, acted.item, record.timestamp, self._watermark, record.action, value, acted.sequence,
                    request_id, bound=impression is not None,
                )
            )  # fmt: skip
        if impression is not None:
            taught = self._reader.read(impression.outcomes).labels if impression.closed else None
            self._reader.combine(impression.outcomes, record.action, value)
            self._memory.changed(impression)
            if taught is not None:
                self._correct(collected, impression, taught)
            return
        if not about:
            return
        if acted.row >= 0:
            weights = [float(index in about) for index in range(len(self._everything))]
            for other in drawn:
                collected.add(other, self._reader.nothing.labels, weights)
            collected.add(acted, self._reader.read({record.action: value}).labels, weights)

    def _correct(self, collected: Collected, impression: Impression, taught: list[float]) -> None:
        """What an action has changed of the labels that were settled without it.

        The gradient of both examples together is that of the true label less that of the label which was taught, so
        that in the sum the latter was never there: the loss for positive and unlabelled data (du Plessis et al., 2015),
        which Ktena et al. (2019, arXiv 1907.06558) put to delayed feedback.
        """
        labels = self._reader.read(impression.outcomes).labels
        back, true = [0.0] * len(labels), [0.0] * len(labels)
        for index, (new, old) in enumerate(zip(labels, taught, strict=True)):
            if new != old and self._window_of[index] < impression.closed:
                back[index] = -self._weight(impression, index, old)
                true[index] = self._weight(impression, index, new)
        for told, weights in ((taught, back), (labels, true)):
            if any(weights):
                collected.add(impression, told, weights)

    def _weight(self, impression: Impression, objective: int, label: float) -> float:
        """The weight with which a label of an impression is taught."""
        if label or not impression.negative >> self._window_of[objective] & 1:
            return 1.0
        catalog = self._state.catalog
        weights = self._sampling.weights(
            catalog.users.keys[[impression.user]],
            catalog.items.keys[[impression.item]],
            np.array([impression.sequence]),
        )
        return float(weights[0])

    def _open_page(self, request_id: str, page: Page, last: int, user: int, sequence: int) -> None:
        """Impressions of the items down to the position `last`, where they were served with their features."""
        if page.logged is None:
            return
        for row, (item_id, position) in enumerate(page.items()):
            item = self._state.catalog.items.ids.find(item_id)
            if position > last or self._memory.of_request(request_id, user, item) is not None:
                continue
            opened = Impression(
                user, self._state.item(item_id), page.timestamp, sequence, self._watermark, request_id, page.logged, -1
            )
            self._use_logged(opened, page.logged, row)
            if opened.row >= 0:
                self._begin(opened)

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
        users, items = catalog.users.keys[rows.users], catalog.items.keys[rows.items]
        weights = np.ones_like(rows.labels)
        negative = ~rows.labels.any(axis=1)
        weights[negative] *= self._sampling.weights(users, items, rows.sequence)[negative, None]
        examples = Examples(
            folded.emitted[0].features, rows.labels, weights, users, items, rows.timestamps, rows.sequence
        )  # fmt: skip
        return examples if self._sampling.rate == 1 else examples.take(np.flatnonzero(weights.any(axis=1)))


def _all_joined(records: Sequence[Record], folded: Folded) -> bool:
    kinds = folded.rows.kinds
    return len(kinds) > 0 and bool((kinds == RowKind.JOINED).all()) and all(one.kind != "served" for one in records)
