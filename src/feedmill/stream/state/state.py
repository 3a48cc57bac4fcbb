"""State: what records change at once, folded in log order, and the features that are emitted on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from feedmill import _native
from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.clock import HOUR
from feedmill.domain.errors import ConfigError
from feedmill.domain.ids import hash_id
from feedmill.domain.records import Item, Record, Scalar, Served, User
from feedmill.stream.catalog.columns import LONG_AGO, Catalog
from feedmill.stream.features.config import ITEM_COMPONENTS, FeatureConfig
from feedmill.stream.features.context import ContextColumns
from feedmill.stream.features.entities import duration_key, item_bags, user_bags
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.rows import Int32s, RowBuilder, RowKind, Rows

_SHOWN, _HIDES, _SHOWN_IF_UNSEEN, _FEEDBACK, _DRAWN = (
    _native.SHOWN, _native.HIDES, _native.SHOWN_IF_UNSEEN, _native.FEEDBACK, _native.DRAWN,
)  # fmt: skip
_NO_BAGS = (np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32))


def watermark_after(watermark: int, record: Record) -> int:
    """The log's watermark after a record, UTC milliseconds: the latest time at which anything happened.

    What is merely said of an item or a user does not move it: a catalog that is sent today must not end the waiting for
    what happened yesterday.
    """
    return watermark if record.kind in ("item", "user") else max(watermark, record.timestamp)


class Emit(NamedTuple):
    """What to emit while folding: the features of a view, for which rows."""

    view: _native.View
    rows: Literal["examples", "liked"]
    """`examples`: rows that may become examples; `liked`: rows with positive feedback."""


class Emitted(NamedTuple):
    """The features of a view."""

    features: Features
    rows: npt.NDArray[np.intp]
    """intp [n]: which of the folded rows they belong to."""


class Folded(NamedTuple):
    """What one call of `fold` went over."""

    rows: Rows
    emitted: list[Emitted]
    """One for each view asked for."""


class History(NamedTuple):
    """A user's feedbacks, newest first; an item stands here once."""

    items: Int32s
    weights: Float32s
    """Above 0 liked, below 0 disliked."""
    timestamps: Int64s


@dataclass(frozen=True, slots=True)
class StateConfig:
    """What a state is built from."""

    features: FeatureConfig
    reader: FeedbackReader
    served_means_seen: frozenset[str] = frozenset()
    """Surfaces on which what was served counts as seen."""
    seed: int = 0


class State:
    """Catalog, histories, counters, seen sets, co-visits and relations as of a place in the log.

    One writer calls `fold`; any number of threads read beside it, each call seeing the state between two runs of rows.
    Memory: about 70 bytes for each combination of each group of
    counters that has occurred, 20 for each pair of user and item that has met, 20 for each feedback kept.
    """

    def __init__(self, config: StateConfig) -> None:
        """An empty state. Raises ConfigError where there are too many objectives for so many half-lives."""
        self.config = config
        self.reader = config.reader
        self.catalog = Catalog()
        self.context = ContextColumns(config.features)
        self.watermark = 0
        """The log's watermark, UTC milliseconds: see `watermark_after`."""
        self.rows_folded = 0
        self.relations: dict[str, dict[str, set[str]]] = {}
        """Relation to subject to objects: `{"follow": {"user": {"author", ...}}}`."""
        self.native = _make_native(config)

    def fold(self, records: Sequence[Record], emit: Sequence[Emit] = ()) -> Folded:
        """Apply records in order; emit the features of rows as they were just before the row.

        A record about an item or a user takes effect for the rows after it. Cost: about 10 microseconds a row.
        """
        parts: list[Folded] = []
        builder = RowBuilder()
        for index, record in enumerate(records):
            self.watermark = watermark_after(self.watermark, record)
            kind = record.kind
            if kind == "seen" or kind == "event":
                self._add_row(builder, index, record)
            elif kind == "served":
                self._add_served(builder, index, record)
            elif kind == "relation" or (kind == "retraction" and record.action != "delete"):
                self._relate(record)
            elif kind != "heartbeat":
                if len(builder):
                    parts.append(self._run(builder, emit))
                    builder = RowBuilder()
                self._describe(record)
        if len(builder) or not parts:
            parts.append(self._run(builder, emit))
        return parts[0] if len(parts) == 1 else _concatenate(parts)

    def read(self, view: _native.View, user: int, items: Int32s, now: int, context: Mapping[str, Scalar]) -> Features:
        """The features of a user (ordinal, -1 when unknown) with each of some items (ordinals) at a time."""
        n = len(items)
        timestamps = np.full(n, now, dtype=np.int64)
        columns = self.context.columns([self.context.keys(context)] * n, timestamps)
        return Features(*self.native.read(view, np.full(n, user, dtype=np.int32), items, timestamps, columns))

    def views(self, user: int, items: Int32s) -> npt.NDArray[np.uint16]:
        """uint16 [n]: how often the user has been shown (or has acted on) each item."""
        return self.native.views(user, items)

    def hidden(self, user: int, items: Int32s) -> npt.NDArray[np.bool_]:
        """bool [n]: whether the user does not want to see each item again."""
        return self.native.hidden(user, items).astype(np.bool_)

    def history(self, user: int) -> History:
        """The user's last feedbacks; empty for an unknown user (-1)."""
        return History(*self.native.history(user))

    def neighbours(self, item: int, limit: int) -> tuple[Int32s, Float32s]:
        """The items most liked together with an item, best first: (int32 [k], float32 [k]), k at most `limit`.

        The score is the co-visits over the square root of the product of both items' likes (cosine).
        """
        partners, weights = self.native.partners(item)
        positives = self.native.positives(np.append(partners, np.int32(item))).astype(np.float32)
        scores = weights / np.sqrt(np.maximum(positives[:-1] * positives[-1], 1))
        best = np.argsort(-scores, kind="stable")[:limit]
        return partners[best], scores[best]

    def popularity(self, now: int) -> Float32s:
        """float32 [items]: likes of each item, decayed as the configuration says, above 0 where there was one.

        After 100 half-lives an item fades more slowly, so that an old log has an order still when new events come.
        Cost: linear in the items.
        """
        return self.native.popularity(min(now, self.watermark))

    def impressions(self, items: Int32s) -> npt.NDArray[np.uint32]:
        """uint32 [n]: how often each item has been shown, to anyone."""
        return self.native.impressions(items)

    def related(self, user_id: str, relation: str) -> frozenset[str]:
        """The ids to which a user has a relation, such as `follow` or `block`."""
        return frozenset(self.relations.get(relation, {}).get(user_id, ()))

    def user(self, user_id: str) -> int:
        """The ordinal of a user, new or known."""
        users = self.catalog.users
        ordinal = users.ids.find(user_id)
        if ordinal < 0:
            # The fold knows an ordinal before the catalog gives it out, so that who finds one may ask.
            key = np.array([hash_id(user_id)], dtype=np.uint64)
            self.native.set_user(len(users), key, *_NO_BAGS)
            ordinal = users.add(user_id)
        return ordinal

    def item(self, item_id: str) -> int:
        """The ordinal of an item, new or known."""
        items = self.catalog.items
        ordinal = items.ids.find(item_id)
        if ordinal < 0:
            components = np.array([hash_id(item_id), 0, 0, 0], dtype=np.uint64)
            self.native.set_item(len(items), components, *_NO_BAGS, LONG_AGO)
            ordinal = items.add(item_id)
        return ordinal

    def describe_user(self, user_id: str, user: User | None) -> None:
        """Say what is known of a user from now on; None deletes."""
        ordinal = self.user(user_id)
        users = self.catalog.users
        users.put(user_id, user)
        self.native.set_user(ordinal, users.keys[ordinal : ordinal + 1], *user_bags(self.config.features, user))

    def describe_item(self, item_id: str, item: Item | None) -> None:
        """Say what is known of an item from now on; None deletes."""
        ordinal = self.item(item_id)
        items = self.catalog.items
        items.put(item_id, item)
        components = np.array(
            [items.keys[ordinal], items.authors[ordinal], items.categories[ordinal],
             duration_key(item.duration if item else None)],
            dtype=np.uint64,
        )  # fmt: skip
        bags = item_bags(self.config.features, item, items.tags(ordinal))
        self.native.set_item(ordinal, components, *bags, int(items.created_at[ordinal]))

    def _describe(self, record: Record) -> None:
        body, deletes = record.body, record.kind == "retraction"
        if isinstance(body, Item) or (deletes and record.object):
            self.describe_item(record.object, body if isinstance(body, Item) else None)
        elif isinstance(body, User) or deletes:
            self.describe_user(record.subject, body if isinstance(body, User) else None)

    def _relate(self, record: Record) -> None:
        objects = self.relations.setdefault(record.action, {}).setdefault(record.subject, set())
        if record.kind == "relation":
            objects.add(record.object)
        else:
            objects.discard(record.object)

    def _add_row(self, builder: RowBuilder, index: int, record: Record) -> None:
        if record.object_kind != "item" or not record.object or not record.subject:
            return
        user, item = self.user(record.subject), self.item(record.object)
        context = self.context.keys(record.context)
        if record.kind == "seen":
            if record.outcomes is None:
                labels, weight, hides = self.reader.nothing
                kind, flags = RowKind.IMPRESSION, _SHOWN
            else:
                labels, weight, hides = self.reader.read(record.outcomes)
                kind, flags = RowKind.JOINED, _SHOWN | _FEEDBACK
        else:
            labels, weight, hides = self.reader.read({record.action: 1.0 if record.value is None else record.value})
            # Who acts on an item has seen it, also where nobody reported that.
            kind, flags = RowKind.ACTION, _FEEDBACK | _SHOWN_IF_UNSEEN
            action = self.reader.actions.get(record.action)
            if action is not None and action.example_without_impression:
                kind = RowKind.EXAMPLE_ACTION
                nothing = self.reader.nothing.labels
                for drawn in self._draw(item, len(builder), action.negatives):
                    builder.add(RowKind.DRAWN, index, user, drawn, record.timestamp, _DRAWN, nothing, 0.0, context)
        flags |= _HIDES if hides else 0
        builder.add(kind, index, user, item, record.timestamp, flags, labels, weight, context)

    def _add_served(self, builder: RowBuilder, index: int, record: Record) -> None:
        page = record.body
        if not isinstance(page, Served) or page.surface not in self.config.served_means_seen or not record.subject:
            return
        user, context, nothing = self.user(record.subject), self.context.keys(record.context), self.reader.nothing
        for served in page.items:
            item = self.item(served.item_id)
            builder.add(
                RowKind.IMPRESSION, index, user, item, record.timestamp, _SHOWN, nothing.labels, nothing.weight, context
            )

    def _draw(self, item: int, row: int, count: int) -> list[int]:
        """Other items, by a pure function of the seed and the row: a fold that is taken up again draws alike."""
        others = len(self.catalog.items) - 1
        if others == 0:
            return []
        keys = (hash_id(f"{self.config.seed} {self.rows_folded + row} {draw}") for draw in range(count))
        return [drawn + (drawn >= item) for drawn in (key % others for key in keys)]

    def _run(self, builder: RowBuilder, emit: Sequence[Emit]) -> Folded:
        rows = builder.build(self.rows_folded, len(self.reader.objectives))
        self.rows_folded += len(rows)
        wanted = np.zeros((len(rows), len(emit)), dtype=np.uint8)
        for column, request in enumerate(emit):
            if request.rows == "liked":
                wanted[:, column] = rows.weights > 0
            else:
                wanted[:, column] = rows.kinds != RowKind.ACTION
        context = self.context.columns(builder.context, rows.timestamps)
        features = self.native.run(
            rows.users, rows.items, rows.timestamps, context, rows.flags, rows.labels, rows.weights,
            [request.view for request in emit], wanted,
        )  # fmt: skip
        emitted = [Emitted(Features(*arrays), np.flatnonzero(wanted[:, i])) for i, arrays in enumerate(features)]
        return Folded(rows, emitted)


def _make_native(config: StateConfig) -> _native.Fold:
    features = config.features
    try:
        return _native.Fold(
            item_components=len(ITEM_COMPONENTS),
            context_columns=len(features.context_components()),
            binary=[objective.kind == "binary" for objective in config.reader.objectives.values()],
            half_lives=[hours * HOUR for hours in features.half_lives],
            groups=[features.indexes(group) for group in features.groups],
            smoothing=features.smoothing,
            history_length=features.history_length,
            history_features=features.history_features,
            affinity=features.affinity,
            popularity_half_life=features.popularity_half_life * HOUR,
        )
    except ValueError as error:
        raise ConfigError(f"features: {error}") from None


def _concatenate(parts: list[Folded]) -> Folded:
    starts = np.cumsum([0, *(len(part.rows) for part in parts[:-1])])
    names = Rows.__dataclass_fields__
    rows = Rows(**{name: np.concatenate([getattr(part.rows, name) for part in parts]) for name in names})
    emitted = [
        Emitted(
            Features.concatenate([part.emitted[view].features for part in parts]),
            np.concatenate([part.emitted[view].rows + start for part, start in zip(parts, starts, strict=True)]),
        )
        for view in range(len(parts[0].emitted))
    ]
    return Folded(rows, emitted)
