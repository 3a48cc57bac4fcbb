"""A joiner with the state before it, and records in few words: for tests of what is joined.

Objectives are click, share and view (seconds over 10); the window is 10 minutes, and an hour is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feedmill.domain.batches import Examples
from feedmill.domain.clock import MINUTE
from feedmill.domain.ids import hash_id
from feedmill.domain.objectives import Objective
from feedmill.domain.records import Record, Served, ServedItem
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.ranker import ranker_schema
from feedmill.stream.features.pack import pack
from feedmill.stream.features.schema import Schema
from feedmill.stream.joining.config import JoinConfig
from feedmill.stream.joining.joiner import Joiner
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import Emit, State, StateConfig
from feedmill.testing.small_log import ACTIONS, FEATURES, OBJECTIVES, SMALL, START

EVERYTHING = [1.0, 1.0, 1.0]
NAMES = {hash_id(f"{kind}{number}"): f"{kind}{number}" for kind in "ui" for number in range(20)}
SCHEMA = ranker_schema(SlotRegistry(), FEATURES, SMALL.ranker, len(OBJECTIVES))


class Example(NamedTuple):
    """What an example says, with names for keys and minutes for times."""

    user: str
    item: str
    labels: list[float]
    weights: list[float]
    minute: float


class Feed:
    """A state with a joiner behind it."""

    def __init__(
        self,
        schema: Schema = SCHEMA,
        config: JoinConfig = SMALL.join,
        objectives: Mapping[str, Objective] = OBJECTIVES,
        disk: Path | None = None,
    ) -> None:
        self.schema = schema
        reader = FeedbackReader(ACTIONS, objectives)
        self.state = State(StateConfig(FEATURES, reader, frozenset(config.served_means_seen)))
        self.joiner = Joiner(config, self.state, schema, disk=disk)

    def push(self, *records: Record) -> Examples:
        return self.joiner.push(records, self.state.fold(records, [Emit(self.schema.view, "examples")]))

    def examples(self, *records: Record) -> list[Example]:
        return readable(self.push(*records))

    def logged(self, items: Sequence[str], minute: float, mark: float = 0.0, user: str = "u0") -> bytes:
        """The features of a page as a server would log them; the rows are marked `mark`, `mark` + 1, ..."""
        ordinals = np.array([self.state.item(item) for item in items], dtype=np.int32)
        features = self.state.read(self.schema.view, self.state.user(user), ordinals, at(minute), {})
        features.dense[:, 0] = mark + np.arange(len(items))
        return pack(features)


def readable(examples: Examples) -> list[Example]:
    return [
        Example(NAMES[user], NAMES[item], labels, weights, (time - START) / MINUTE)
        for user, item, labels, weights, time in zip(
            examples.users.tolist(), examples.items.tolist(), examples.labels.tolist(), examples.weights.tolist(),
            examples.timestamps.tolist(), strict=True,
        )
    ]  # fmt: skip


def corrected(
    old: list[float], new: list[float], weights: list[float], minute: float, item: str = "i0"
) -> list[Example]:
    """What was taught, taken back, and what is true."""
    return [
        Example("u0", item, old, [-weight for weight in weights], minute),
        Example("u0", item, new, weights, minute),
    ]


def bytes_of(examples: Examples) -> list[tuple[object, ...]]:
    rows = (examples.features.take(np.array([row])) for row in range(len(examples)))
    return [
        (row.ids.tobytes(), row.offsets.tobytes(), row.dense.tobytes(), sequence, *example)
        for row, sequence, example in zip(rows, examples.sequence.tolist(), readable(examples), strict=True)
    ]


def at(minute: float) -> int:
    return START + round(minute * MINUTE)


def seen(minute: float, item: str = "i0", request: str = "", user: str = "u0") -> Record:
    return Record("seen", at(minute), user, item, request_id=request)


def act(minute: float, action: str, item: str = "i0", request: str = "", value: float | None = None) -> Record:
    return Record("event", at(minute), "u0", item, action, value, request_id=request)


def heartbeat(minute: float) -> Record:
    return Record("heartbeat", at(minute))


def page(
    minute: float, items: Sequence[str], features: bytes | None = None, request: str = "r", surface: str = "feed"
) -> Record:
    served = tuple(ServedItem(item, place + 1) for place, item in enumerate(items))
    body = Served(served, surface, features=features)
    return Record("served", at(minute), "u0", request_id=request, body=body)


def marks(examples: Examples) -> dict[str, float]:
    """By item, what stands where `Feed.logged` marks a row."""
    rows = zip(readable(examples), examples.features.dense[:, 0].tolist(), strict=True)
    return {example.item: mark for example, mark in rows}
