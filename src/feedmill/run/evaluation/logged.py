"""What a log says of who took to what, as interactions: the part of a home that batch models and protocols work on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.domain.records import Item, Record
from feedmill.run.config import Config
from feedmill.stream.log.protocol import Log
from feedmill.stream.state.feedback import FeedbackReader

_AT_ONCE = 10_000

Progress = Callable[[str, int, int], None]
Taken = Callable[[Record], bool]
"""Whether a record says that its subject took to its object."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Every event and impression of a log, by ordinals of the users and items that it names."""

    users: Int32s
    """int32 [n]"""
    items: Int32s
    """int32 [n]"""
    times: Int64s
    """int64 [n], UTC milliseconds"""
    values: Float32s
    """float32 [n]; NaN where the record has none"""
    taken: npt.NDArray[np.bool_]
    """bool [n]: whether the user took to the item."""
    shown: int
    """How many of them are impressions."""
    actions: dict[str, int]
    """How often each action occurs; `impression` for what was shown and not acted on."""
    user_ids: list[str]
    item_ids: list[str]
    """Items that are described and never met stand here, too."""
    descriptions: dict[int, list[tuple[int, Item]]]
    """By ordinal, what was said of an item and when (UTC milliseconds), in the order of the log."""
    rule: str
    """What counts as taking to an item, in words."""

    @property
    def interactions(self) -> Interactions:
        """The rows in which users took to items. Raises InvalidArgument where there are none."""
        rows = np.flatnonzero(self.taken)
        if not len(rows):
            known = ", ".join(self.actions) or "none"
            raise InvalidArgument(
                f"nothing in the log counts as taking to an item ({self.rule}); name actions that do with --actions"
                f" (the log has {known})"
            )
        return Interactions.of(
            self.users[rows], self.items[rows], self.times[rows],
            n_users=len(self.user_ids), n_items=len(self.item_ids),
        )  # fmt: skip

    @property
    def bodies(self) -> dict[int, Item]:
        """What is known of items in the end, by ordinal."""
        return {item: said[-1][1] for item, said in self.descriptions.items()}

    def bodies_at(self, moment: int) -> dict[int, Item]:
        """What was known of items at a moment; of those that were described only after it, the first description."""
        return {
            item: next((body for time, body in reversed(said) if time <= moment), said[0][1])
            for item, said in self.descriptions.items()
        }

    @property
    def creators(self) -> npt.NDArray[np.int64]:
        """int64 [items]: an ordinal for each creator; -1 where none is known."""
        found = np.full(len(self.item_ids), -1, dtype=np.int64)
        ordinals: dict[str, int] = {}
        for item, body in self.bodies.items():
            if body.author_id:
                found[item] = ordinals.setdefault(body.author_id, len(ordinals))
        return found


def taking(config: Config, actions: Sequence[str]) -> Taken:
    """What counts as taking to an item: any of the `actions`, whatever its value.

    Without them, what the configuration calls positive, above its threshold.
    """
    if actions:
        wanted = frozenset(actions)

        def named(record: Record) -> bool:
            return record.action in wanted or bool(wanted & (record.outcomes or {}).keys())

        return named
    reader = FeedbackReader(config.actions, config.objectives)

    def liked(record: Record) -> bool:
        outcomes = record.outcomes or {}
        if record.kind == "event":
            outcomes = {record.action: 1.0 if record.value is None else record.value}
        return reader.read(outcomes).weight > 0

    return liked


def in_words(config: Config, actions: Sequence[str], occurring: Collection[str]) -> str:
    """The rule of `taking`, by the actions that occur."""
    if actions:
        return f"{' or '.join(actions)}, whatever its value"
    positive = [
        f"{name} above {action.threshold:g}" if action.threshold else name
        for name, action in config.actions.items()
        if action.meaning == "positive" and name in occurring
    ]
    return " or ".join(positive) or "nothing, for no action that occurs is positive in the configuration"


def is_of_an_item(record: Record) -> bool:
    """Whether a record says what a user did with an item, or that it was shown."""
    return record.kind in ("event", "seen") and record.object_kind == "item" and bool(record.subject)


def read_log(
    log: Log, config: Config, actions: Sequence[str] = (), progress: Progress = lambda phase, done, total: None
) -> Logged:
    """Read a log from its beginning to its end; `actions` as for `taking`."""
    taken = taking(config, actions)
    user_of: dict[str, int] = {}
    item_of: dict[str, int] = {}
    rows: list[tuple[int, int, int, float, bool]] = []
    counts: dict[str, int] = {}
    descriptions: dict[int, list[tuple[int, Item]]] = {}
    shown, position, end = 0, 0, log.end()
    while position < end:
        records, position = log.read(position, _AT_ONCE)
        for record in records:
            if record.kind == "item" and isinstance(record.body, Item):
                said = descriptions.setdefault(item_of.setdefault(record.object, len(item_of)), [])
                said.append((record.timestamp, record.body))
            if not is_of_an_item(record):
                continue
            shown += record.kind == "seen"
            user = user_of.setdefault(record.subject, len(user_of))
            item = item_of.setdefault(record.object, len(item_of))
            value = np.nan if record.value is None else record.value
            rows.append((user, item, record.timestamp, value, taken(record)))
            for action in _actions(record):
                counts[action] = counts.get(action, 0) + 1
        progress("reading the log", position, end)
    users, items, times, values, took = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Logged(
        np.array(users, dtype=np.int32), np.array(items, dtype=np.int32), np.array(times, dtype=np.int64),
        np.array(values, dtype=np.float32), np.array(took, dtype=np.bool_), shown, counts, list(user_of), list(item_of),
        descriptions, in_words(config, actions, counts),
    )  # fmt: skip


def _actions(record: Record) -> list[str]:
    if record.kind == "event":
        return [record.action]
    return [action for action, value in (record.outcomes or {}).items() if value] or ["impression"]
