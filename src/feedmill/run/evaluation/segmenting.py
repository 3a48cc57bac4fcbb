"""The segments of a home's users, and what is said of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np

from feedmill.domain.errors import InvalidFile
from feedmill.learn.segments import Segments, SegmentsConfig, find_segments
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import Logged, Progress, read_log
from feedmill.stream.files import atomic_write

_NAMED = 5
"""Items and labels by which a segment is described."""
_DRAWN = 1_500
"""Of users and of items each, on the map: more are a blot."""


class _Kept(msgspec.Struct, frozen=True):
    """What `segments.json` holds."""

    unused: int
    """The first id that no segment has had."""
    users: dict[str, int]


class Segment(msgspec.Struct, frozen=True):
    """A group of users."""

    id: int
    users: int
    kept: float
    """The share of its users who were in it before; NaN where there was no such segment."""
    items: list[str]
    """What its users took to more than others did, by title where there is one."""
    labels: list[str]
    """Tags and categories of the same kind."""


class Dot(msgspec.Struct, frozen=True):
    """A user or item on the map."""

    name: str
    x: float
    y: float
    segment: int
    """-1 for an item."""


class SegmentsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill segments` says."""

    home: str
    taken: str
    users: int
    left_out: int
    """Users who took to nothing."""
    segments: list[Segment]
    silhouettes: dict[int, float]
    explained: tuple[float, float]
    dots: list[Dot]
    written: str
    seconds: float
    report: str = ""


def segment_home(
    engine: Engine,
    config: SegmentsConfig,
    *,
    actions: Sequence[str] = (),
    progress: Progress = lambda phase, done, total: None,
) -> SegmentsReport:
    """Find the segments, keep who is in which in the home, and say what they like.

    Raises InvalidArgument where too few users took to anything, InvalidFile where what is kept cannot be read.
    """
    started = time.perf_counter()
    logged = read_log(engine.log, engine.config, actions, progress)
    interactions = logged.interactions
    path = engine.home.segments
    before = _Kept(0, {})
    if path.exists():
        try:
            before = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except msgspec.MsgspecError as error:
            raise InvalidFile(f"{path}: no segments ({error}); remove it, and ids start anew") from None
    progress("finding segments", 0, 1)
    previous = {user: before.users[name] for user, name in enumerate(logged.user_ids) if name in before.users}
    found = find_segments(interactions, config, previous, before.unused)
    users = {logged.user_ids[user]: int(one) for user, one in enumerate(found.of_users) if one >= 0}
    atomic_write(path, msgspec.json.encode(_Kept(max(before.unused, max(found.ids) + 1), users)))
    return SegmentsReport(
        home=str(engine.home.path),
        taken=logged.rule,
        users=len(users),
        left_out=len(logged.user_ids) - len(users),
        segments=[_described(one, found, logged, previous) for one in found.ids],
        silhouettes={count: round(value, 4) for count, value in found.silhouettes.items()},
        explained=found.explained,
        dots=_dots(found, logged, config.seed),
        written=str(path),
        seconds=round(time.perf_counter() - started, 3),
    )


def _described(one: int, found: Segments, logged: Logged, previous: dict[int, int]) -> Segment:
    own = found.of_users == one
    rows = logged.taken & own[logged.users]
    others = logged.taken & ~own[logged.users]
    size = len(logged.item_ids)
    inside, outside = (np.bincount(logged.items[part], minlength=size).astype(float) for part in (rows, others))
    # More than its share, and that by how many: what one user took to is chance. Users of little activity have tastes
    # too: the share is of what all took to, not of the users.
    excess = inside - outside * inside.sum() / max(outside.sum(), 1)
    lift = excess / np.sqrt(inside + outside + 1)
    typical = [int(item) for item in np.argsort(-lift, kind="stable")[:_NAMED] if lift[item] > 0]
    labels: dict[str, float] = {}
    for item, body in logged.bodies.items():
        for label in dict.fromkeys((*body.categories, *body.tags)):
            labels[label] = labels.get(label, 0.0) + float(excess[item])
    best = sorted(labels, key=lambda label: -labels[label])[:_NAMED]
    before = sum(previous.get(int(user), -1) == one for user in np.flatnonzero(own))
    return Segment(
        id=one,
        users=int(own.sum()),
        kept=before / int(own.sum()) if one in set(previous.values()) else float("nan"),
        items=[_title(logged, item) for item in typical],
        labels=[label for label in best if labels[label] > 0],
    )


def _dots(found: Segments, logged: Logged, seed: int) -> list[Dot]:
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.flatnonzero(found.of_users >= 0))[:_DRAWN]
    met = np.flatnonzero(np.bincount(logged.items[logged.taken], minlength=len(logged.item_ids)))
    items = generator.permutation(met)[:_DRAWN]
    drawn = [(logged.user_ids[user], found.user_places[user], int(found.of_users[user])) for user in users]
    drawn += [(_title(logged, item), found.item_places[item], -1) for item in items]
    return [Dot(name, round(float(place[0]), 4), round(float(place[1]), 4), one) for name, place, one in drawn]


def _title(logged: Logged, item: int) -> str:
    body = logged.bodies.get(item)
    return body.title if body is not None and body.title else logged.item_ids[item]
