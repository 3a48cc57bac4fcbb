"""The fold against a plain one in Python, which keeps every row and works everything out anew each time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.ids import VALUE_MASK, hash_id
from feedmill.domain.objectives import Objective
from feedmill.domain.records import Item, Record, Served, User
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.ranker import ranker_schema
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.rows import RowKind
from feedmill.stream.state.state import Emit, State, StateConfig
from feedmill.testing.small_log import ACTIONS, FEATURES, OBJECTIVES, SMALL, small_log

M64 = 2**64 - 1


def mix(x: int) -> int:
    """The finalizer of MurmurHash3."""
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD & M64
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53 & M64
    return x ^ (x >> 33)


def combine(a: int, b: int) -> int:
    return mix((a * 0x9E3779B97F4A7C15 + mix((b + 0x632BE59BD9B4E019) & M64)) & M64)


def combined(keys: Sequence[int]) -> int:
    key = keys[0]
    for other in keys[1:]:
        key = combine(key, other) if key and other else 0
    return key


def log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))


class Reference:
    """Everything that happened, in a list; features by going over the whole of it."""

    def __init__(self, features: FeatureConfig) -> None:
        self.features = features
        self.items: dict[str, Item] = {}
        self.users: dict[str, User] = {}
        self.counted: dict[object, list[tuple[int, float, list[float]]]] = defaultdict(list)
        self.views: dict[tuple[str, str], int] = defaultdict(int)
        self.hidden: set[tuple[str, str]] = set()
        self.history: dict[str, list[tuple[str, float, int]]] = defaultdict(list)
        self.likes: list[tuple[str, int]] = []
        self.together: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.impressions: dict[str, int] = defaultdict(int)

    def components(self, user: str, item: str, time: int, context: dict[str, object]) -> dict[str, int]:
        body = self.items.get(item, Item())
        labels = (*body.categories, *body.tags)
        surface = context.get("surface")
        return {
            "user": hash_id(user),
            "item": hash_id(item),
            "author": hash_id(body.author_id) if body.author_id else 0,
            "category": hash_id(labels[0]) if labels else 0,
            "duration": hash_id(str(math.floor(2 * math.log2(body.duration)))) if body.duration else 0,
            "surface": hash_id(str(surface)) if surface else 0,
            "hour": hash_id(f"hour {time // HOUR % 24}"),
            "weekday": hash_id(f"weekday {(time // DAY + 3) % 7}"),
        }

    def slots(self, user: str, item: str, time: int, context: dict[str, object]) -> dict[str, list[int]]:
        keys = self.components(user, item, time, context)
        named = {name: [key] if key else [] for name, key in keys.items()}
        for cross in self.features.crosses:
            key = combined([keys[name] for name in cross])
            named["x".join(cross)] = [key] if key else []
        named |= {"age": [], "tags": [], "item_attributes": [], "item.format": []}
        named |= {"interests": [], "user_attributes": [], "user.country": []}
        if (body := self.items.get(item)) is not None:
            if body.created_at is not None:
                hours = (time - body.created_at) / HOUR
                bucket = 0 if hours <= 1 else math.floor(2 * math.log2(hours))
                named["age"] = [mix(bucket + 1)]
            named["tags"] = [hash_id(tag) for tag in dict.fromkeys((*body.categories, *body.tags))]
            views = int(body.attributes["views"] or 0)
            named["item_attributes"] = [
                hash_id(f"views={views}"), hash_id(f"views~{math.floor(2 * math.log2(1 + views))}")
            ]  # fmt: skip
            named["item.format"] = [hash_id("format=clip")]
        if (known := self.users.get(user)) is not None:
            named["interests"] = [hash_id(interest) for interest in known.interests]
            named["user.country"] = [hash_id(f"country={known.attributes['country']}")]
        liked = [item for item, weight, _ in reversed(self.history[user]) if weight > 0]
        named["history"] = [hash_id(item) for item in liked[: self.features.history_features]]
        return named

    def counter(self, key: object, time: int, half_life: float) -> list[float]:
        """Impressions and sums of outcomes, each decayed since it happened, at the latest of all times known."""
        at = max([time, *(when for when, _, _ in self.counted[key])])
        total = [0.0] * (1 + len(OBJECTIVES))
        for when, count, outcomes in self.counted[key]:
            keep = 0.5 ** ((at - when) / half_life) if half_life else 1.0
            total = [a + keep * b for a, b in zip(total, [count, *outcomes], strict=True)]
        return total

    def dense(self, user: str, item: str, time: int, context: dict[str, object]) -> list[float]:
        keys = self.components(user, item, time, context)
        binary = [objective.kind == "binary" for objective in OBJECTIVES.values()]
        count, *sums = self.counter("all", time, self.features.half_lives[0] * HOUR)
        priors = [(total + 2.0 * is_binary) / (count + 20.0) for total, is_binary in zip(sums, binary, strict=True)]
        priors = [clamp(p, 1e-4, 1 - 1e-4) if b else p for p, b in zip(priors, binary, strict=True)]
        columns = [log_odds(p) if b else p for p, b in zip(priors, binary, strict=True)]
        for group in self.features.groups:
            known = all(keys[name] for name in group)
            for hours in self.features.half_lives:
                key = (group, *(keys[name] for name in group))
                empty = [0.0] * (1 + len(OBJECTIVES))
                count, *sums = self.counter(key, time, hours * HOUR) if known else empty
                columns.append(0.5 * math.log(1 + count) - 0.5)
                for total, prior, is_binary in zip(sums, priors, binary, strict=True):
                    rate = (total + self.features.smoothing * prior) / (count + self.features.smoothing)
                    value = rate - prior
                    if is_binary:
                        value = log_odds(clamp(rate, 1e-4, 1 - 1e-4)) - log_odds(prior)
                    columns.append(clamp(value, -4, 4))
        return columns + ([self.affinity(user, item)] if self.features.affinity else [])

    def affinity(self, user: str, item: str) -> float:
        liked = [other for other, weight, _ in reversed(self.history[user]) if weight > 0 and other != item]
        likes = Counter(other for other, _ in self.likes)
        total = 0.0
        for place, other in enumerate(liked[: self.features.affinity]):
            total += 0.9**place * self.together[other][item] / math.sqrt(max(1, likes[other] * likes[item]))
        return math.log(1 + total / 0.02)

    def feedback(self, outcomes: dict[str, float]) -> tuple[list[float], float, bool]:
        done = {name for name, value in outcomes.items() if value > 0}
        labels = [float("click" in done), float("share" in done), outcomes.get("view", 0.0) / 10]
        weight = -1.0 if "hide" in done else float(bool(done & {"click", "like", "share"}))
        return labels, weight, "hide" in done

    def draw(self, record: Record, item: str) -> None:
        """An item drawn against an action: an impression without any outcome, for the counters alone."""
        self.count(record, record.subject, item, 1.0, [0.0] * len(OBJECTIVES))

    def count(self, record: Record, user: str, item: str, shown: float, labels: list[float]) -> None:
        keys = self.components(user, item, record.timestamp, record.context)
        known = [("all",)] + [group for group in self.features.groups if all(keys[name] for name in group)]
        for group in known:
            key = "all" if group == ("all",) else (group, *(keys[name] for name in group))
            self.counted[key].append((record.timestamp, shown, labels))

    def apply(self, record: Record, user: str, item: str, outcomes: dict[str, float] | None, reported: bool) -> None:
        shown = reported or self.views[user, item] == 0
        labels, weight, hides = self.feedback(outcomes or {})
        self.count(record, user, item, float(shown), labels)
        self.views[user, item] += shown
        self.impressions[item] += shown
        if hides:
            self.hidden.add((user, item))
        if weight == 0:
            return
        history = self.history[user]
        if weight > 0 and not (history and history[-1][0] == item and history[-1][1] > 0):
            self.likes.append((item, record.timestamp))
            rank = 0
            for other, liked, when in reversed(history):
                if record.timestamp - when > DAY or rank == 10:
                    break
                if liked > 0 and other != item:
                    rank += 1
                    self.together[item][other] += 1 / rank
                    self.together[other][item] += 1 / rank
        history[:] = [entry for entry in history if entry[0] != item]
        history.append((item, weight, record.timestamp))
        del history[: -self.features.history_length]

    def rows(self, record: Record) -> list[tuple[str, str, dict[str, float] | None, bool]]:
        """User, item, outcomes and whether it was shown, of the rows of a record that are not drawn."""
        if record.kind == "seen":
            return [(record.subject, record.object, record.outcomes, True)]
        if record.kind == "event":
            value = 1.0 if record.value is None else record.value
            return [(record.subject, record.object, {record.action: value}, False)]
        if isinstance(record.body, Served) and record.body.surface == "wall":
            return [(record.subject, served.item_id, None, True) for served in record.body.items]
        return []

    def describe(self, record: Record) -> None:
        if isinstance(record.body, Item):
            self.items[record.object] = record.body
        elif isinstance(record.body, User):
            self.users[record.subject] = record.body
        elif record.kind == "retraction" and record.action == "delete":
            (self.items if record.object else self.users).pop(record.object or record.subject, None)


def run_both(seed: int, features: FeatureConfig, size: int = 100) -> tuple[State, Reference]:
    """Fold a log both ways, comparing every row's features on the way."""
    schema = ranker_schema(SlotRegistry(), features, SMALL.ranker, len(OBJECTIVES))
    names = [slot.name.removeprefix("ranker/") for slot in schema.slots]
    reader = FeedbackReader(ACTIONS, OBJECTIVES)
    state = State(StateConfig(features, reader, frozenset(SMALL.join.served_means_seen)))
    reference = Reference(features)
    for record in small_log(np.random.default_rng(seed), size):
        rows, ((found, emitted),) = state.fold([record], [Emit(schema.view, "examples")])
        for row in np.flatnonzero(rows.kinds == RowKind.DRAWN):
            reference.draw(record, state.catalog.items.ids.names[rows.items[row]])
        undrawn = np.flatnonzero(rows.kinds != RowKind.DRAWN)
        for row, (user, item, outcomes, shown) in zip(undrawn, reference.rows(record), strict=True):
            if row in emitted:
                one = found.take(np.flatnonzero(emitted == row))
                expected = reference.slots(user, item, record.timestamp, record.context)
                assert names == list(dict.fromkeys(names))
                for slot, name in enumerate(names):
                    ids = one.ids[one.offsets[slot] : one.offsets[slot + 1]]
                    assert (ids >> 52).tolist() == [schema.slots[slot].number] * len(ids)
                    assert (ids & VALUE_MASK).tolist() == [key & VALUE_MASK for key in expected[name]], name
                dense = reference.dense(user, item, record.timestamp, record.context)
                np.testing.assert_allclose(one.dense[0], dense, atol=3e-5)
            reference.apply(record, user, item, outcomes, shown)
        reference.describe(record)
    return state, reference


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32))
def test_state_and_features_are_those_of_the_reference(seed: int) -> None:
    state, reference = run_both(seed, FEATURES)
    items, users = state.catalog.items.ids.names, state.catalog.users.ids.names
    everything = np.arange(len(items), dtype=np.int32)
    assert state.impressions(everything).tolist() == [reference.impressions[name] for name in items]
    for ordinal, user in enumerate(users):
        assert state.views(ordinal, everything).tolist() == [reference.views[user, item] for item in items]
        assert state.hidden(ordinal, everything).tolist() == [(user, item) in reference.hidden for item in items]
        history = state.history(ordinal)
        found = zip(history.items.tolist(), history.weights.tolist(), history.timestamps.tolist(), strict=True)
        assert [(items[item], weight, when) for item, weight, when in found] == reference.history[user][::-1]
    latest = max([0, *(when for _, when in reference.likes)])
    popular = [
        sum(0.5 ** ((latest - when) / DAY) for liked, when in reference.likes if liked == item) for item in items
    ]
    np.testing.assert_allclose(state.popularity(latest), popular, rtol=1e-5)
    likes = [sum(liked == item for liked, _ in reference.likes) for item in items]
    for ordinal, item in enumerate(items):
        partners, scores = state.neighbours(ordinal, 100)
        expected = {
            other: weight / math.sqrt(max(1, likes[ordinal] * likes[items.index(other)]))
            for other, weight in reference.together[item].items()
        }
        assert {items[partner] for partner in partners} == expected.keys()
        np.testing.assert_allclose(scores, [expected[items[partner]] for partner in partners], rtol=1e-5)
        assert (np.diff(scores) <= 0).all()


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_the_affinity_is_that_of_the_reference(seed: int, affinity: int) -> None:
    run_both(seed, msgspec.structs.replace(FEATURES, affinity=affinity))


def test_a_rate_worked_out_by_hand() -> None:
    reader = FeedbackReader(ACTIONS, {"click": Objective("click"), "view": Objective("view", "regression", scale=10)})
    features = FeatureConfig(context=(), groups=(("user",),), crosses=(), half_lives=(0.0, 24.0), smoothing=3.0)
    state = State(StateConfig(features, reader))
    schema = ranker_schema(SlotRegistry(), features, SMALL.ranker, 2)
    outcomes = ({"click": 1.0, "view": 20.0}, {}, {"click": 1.0}, {})
    state.fold([Record("seen", 0, "u", f"i{n}", outcomes=one) for n, one in enumerate(outcomes)])
    dense = state.read(schema.view, 0, np.array([0], dtype=np.int32), DAY, {}).dense[0]
    # Four impressions, two clicks: (2 + 20 * 0.1) / (4 + 20) = 1/6; a day later the second half-life has halved both.
    assert dense[0] == pytest.approx(math.log((1 / 6) / (5 / 6)), abs=1e-6)
    assert dense[1] == pytest.approx(2.0 / 24, abs=1e-6)
    assert dense[2] == pytest.approx(0.5 * math.log(5) - 0.5, abs=1e-6)
    rate = (2 + 3 / 6) / (4 + 3)
    assert dense[3] == pytest.approx(math.log(rate / (1 - rate)) - math.log(1 / 5), abs=1e-6)
    assert dense[4] == pytest.approx((2 + 3 / 12) / 7 - 1 / 12, abs=1e-6)
    assert dense[5] == pytest.approx(0.5 * math.log(3) - 0.5, abs=1e-6)
    rate = (1 + 3 / 6) / (2 + 3)
    assert dense[6] == pytest.approx(math.log(rate / (1 - rate)) - math.log(1 / 5), abs=1e-6)
    assert dense[7] == pytest.approx((1 + 3 / 12) / 5 - 1 / 12, abs=1e-6)


def test_counters_stay_exact_where_floats_no_longer_count() -> None:
    reader = FeedbackReader(ACTIONS, {"click": Objective("click")})
    state = State(StateConfig(FeatureConfig(context=(), groups=(("item",),), crosses=(), half_lives=(0.0,)), reader))
    state.fold([Record("seen", 0, "u", "i", outcomes={"click": 1.0})])
    keys, times, _ = state.native.dump_counters()
    full = np.array([[2.0**23, 2.0**21]] * len(keys), dtype=np.float32)
    state.native.load_counters(keys, times, full)
    state.fold([Record("seen", 0, "u", "i", outcomes={"click": 1.0})])
    # One more would no longer be counted exactly for long: both are halved, which keeps the rate.
    expected = [(2.0**23 + 1) / 2, (2.0**21 + 1) / 2]
    assert state.native.dump_counters()[2].tolist() == [expected] * len(keys)
