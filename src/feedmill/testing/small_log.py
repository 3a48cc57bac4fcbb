"""Small made-up logs, and a configuration to learn them by: for tests of whatever folds, joins or learns.

`small_log` has everything that can stand in a log, in no sensible order; `taste_log` has users whose tastes can be
learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from feedmill.domain.clock import HOUR, MINUTE, SECOND
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record, Scalar, Served, ServedItem, User
from feedmill.learn.models.config import RankerConfig, TwoTowerConfig
from feedmill.learn.training.config import LearningConfig, TrainingConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.joining.config import JoinConfig

START = 1_700_000_000_000
ACTIONS = {
    "click": Action("positive"),
    "like": Action("positive"),
    "hide": Action("negative", hides=True),
    "view": Action(repeats="sum"),
    "share": Action("positive", example_without_impression=True, negatives=2),
}
OBJECTIVES = {
    "click": Objective("click"),
    "share": Objective("share"),
    "view": Objective("view", kind="regression", scale=10.0),
}
FEATURES = FeatureConfig(
    user_attributes=("country",),
    item_attributes=("format",),
    groups=(("user",), ("item",), ("author", "hour"), ("user", "category"), ("surface",)),
    crosses=(("user", "category"), ("duration", "surface")),
    half_lives=(0.0, 2.0),
    history_length=6,
    history_features=3,
)
SMALL = LearningConfig(
    ACTIONS,
    OBJECTIVES,
    FEATURES,
    JoinConfig(window_minutes=10.0, late_hours=1.0, served_means_seen=("wall",)),
    RankerConfig(dimension=4, hidden=(8,)),
    TwoTowerConfig(dimension=4),
    TrainingConfig(batch=32, snapshot_steps=10_000),
)
"""Everything small: four-dimensional models, batches of 32, and no snapshot unless asked for."""


def small_config(seed: int = 0, **training: int) -> LearningConfig:
    """`SMALL` with another seed and other fields of its training."""
    changed = msgspec.structs.replace(SMALL.training, seed=seed, **training)
    return msgspec.structs.replace(SMALL, training=changed)


def small_log(generator: np.random.Generator, size: int) -> list[Record]:
    """`size` records of every kind: edits of the catalog in between, actions with no impression, times out of order."""
    records: list[Record] = []
    now = START
    for number in range(size):
        now += int(generator.exponential(20 * SECOND))
        record = _random_record(generator, now, number)
        if generator.random() < 0.1:
            record = msgspec.structs.replace(record, timestamp=now - int(generator.integers(2 * HOUR)))
        records.append(record)
    return records


def _random_record(generator: np.random.Generator, now: int, number: int) -> Record:
    user, item = f"u{generator.integers(8)}", f"i{generator.integers(15)}"
    request = f"r{generator.integers(max(1, number // 4), number // 4 + 3)}" if generator.random() < 0.5 else ""
    context: dict[str, Scalar] = {}
    if generator.random() < 0.8:
        context["surface"] = str(generator.choice(["feed", "search"]))
    kind = generator.choice(["seen", "joined", "event", "item", "user", "page", "other"],
                            p=[0.25, 0.2, 0.3, 0.08, 0.05, 0.04, 0.08])  # fmt: skip
    if kind == "seen":
        return Record("seen", now, user, item, request_id=request, context=context)
    if kind == "joined":
        outcomes = {name: _value(generator, name) for name in ACTIONS if generator.random() < 0.25}
        return Record("seen", now, user, item, context=context, outcomes=outcomes)
    if kind == "event":
        action = str(generator.choice([*ACTIONS, "unheard of"]))
        value = _value(generator, action) if action == "view" else None
        return Record("event", now, user, item, action, value, request_id=request, context=context)
    if kind == "item":
        return Record("item", now, object=item, body=_random_item(generator, now))
    if kind == "user":
        body = User(None, ("sport", "news")[: generator.integers(3)], {"country": str(generator.choice(["de", "fr"]))})
        return Record("user", now, user, body=body)
    if kind == "page":
        page = tuple(ServedItem(f"i{generator.integers(15)}", place, sources=("fresh",)) for place in range(3))
        surface = str(generator.choice(["wall", "feed"]))
        return Record("served", now, user, request_id=request, context=context, body=Served(page, surface))
    return [
        Record("relation", now, user, "a1", "follow", object_kind="user"),
        Record("retraction", now, user, "a1", "follow", object_kind="user"),
        Record("retraction", now, object=item, action="delete"),
        Record("retraction", now, user, action="delete"),
        Record("heartbeat", now + int(generator.integers(10 * MINUTE))),
    ][generator.integers(5)]


def _value(generator: np.random.Generator, action: str) -> float:
    return float(generator.integers(60)) if action == "view" else 1.0


def _random_item(generator: np.random.Generator, now: int) -> Item:
    tags = tuple(f"t{tag}" for tag in generator.choice(6, generator.integers(3), replace=False))
    return Item(
        author_id=f"a{generator.integers(4)}" if generator.random() < 0.9 else None,
        created_at=now - int(generator.integers(48 * HOUR)) if generator.random() < 0.8 else None,
        categories=tags[:1],
        tags=tags,
        duration=float(generator.integers(5, 300)) if generator.random() < 0.8 else None,
        attributes={"format": "clip", "views": int(generator.integers(1000))},
    )


@dataclass(frozen=True, slots=True)
class Tastes:
    """A log of users who click on what is of their topic, and what they would click on next."""

    records: list[Record]
    topic_of_user: dict[str, int]
    topic_of_item: dict[str, int]


def taste_log(generator: np.random.Generator, size: int, users: int = 40, items: int = 60, topics: int = 4) -> Tastes:
    """`size` joined impressions of random items; a user clicks on 3 of 4 items of one topic and 1 of 20 others."""
    topic_of_user = {f"u{user}": int(generator.integers(topics)) for user in range(users)}
    topic_of_item = {f"i{item}": item % topics for item in range(items)}
    records = [
        Record("item", START, object=item, body=Item(author_id=f"a{index % 12}", created_at=START, tags=("any",)))
        for index, item in enumerate(topic_of_item)
    ]
    for number in range(size):
        user, item = f"u{generator.integers(users)}", f"i{generator.integers(items)}"
        clicks = generator.random() < (0.75 if topic_of_user[user] == topic_of_item[item] else 0.05)
        outcomes = {"click": 1.0, "view": 20.0} if clicks else {}
        records.append(Record("seen", START + number * SECOND, user, item, outcomes=outcomes))
    return Tastes(records, topic_of_user, topic_of_item)
