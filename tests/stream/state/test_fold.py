"""Features come out of the fold alike however they are asked for, and know nothing of what comes later."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.batches import Features
from feedmill.domain.clock import HOUR, MINUTE
from feedmill.domain.objectives import Action
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.ranker import ranker_schema
from feedmill.learn.models.two_tower import tower_schemas
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.rows import RowKind
from feedmill.stream.state.state import Emit, Folded, State, StateConfig
from feedmill.testing.small_log import ACTIONS, FEATURES, OBJECTIVES, SMALL, START, small_log

SCHEMA = ranker_schema(SlotRegistry(), FEATURES, SMALL.ranker, len(OBJECTIVES))
TOWERS = tower_schemas(SlotRegistry(), FEATURES, SMALL.retrieval)
EMIT = [Emit(SCHEMA.view, "examples"), Emit(TOWERS[0].view, "liked")]


def new_state(actions: dict[str, Action] = ACTIONS, seed: int = 0) -> State:
    reader = FeedbackReader(actions, OBJECTIVES)
    return State(StateConfig(FEATURES, reader, frozenset(SMALL.join.served_means_seen), seed))


def log(seed: int, size: int = 120) -> list[Record]:
    return small_log(np.random.default_rng(seed), size)


def bytes_of(features: Features) -> tuple[bytes, bytes, bytes]:
    return features.ids.tobytes(), features.offsets.tobytes(), features.dense.tobytes()


def one_by_one(folded: Folded, view: int = 0) -> list[tuple[bytes, bytes, bytes]]:
    features = folded.emitted[view].features
    return [bytes_of(features.take(np.array([row]))) for row in range(len(features))]


def fold_in_parts(state: State, records: Sequence[Record], cuts: Sequence[int]) -> list[Folded]:
    ends = [*sorted(min(cut, len(records)) for cut in cuts), len(records)]
    return [state.fold(records[begin:end], EMIT) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def state_of(state: State) -> list[bytes]:
    native = state.native
    items = np.arange(len(state.catalog.items), dtype=np.int32)
    dumps = (
        native.dump_counters(), native.dump_popularity(), native.dump_histories(), native.dump_partners(),
        native.dump_seen(), (native.impressions(items), native.positives(items)),
    )  # fmt: skip
    return [array.tobytes() for dumped in dumps for array in dumped]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 120), max_size=12))
def test_features_of_rows_in_batches_are_those_of_rows_one_by_one(seed: int, cuts: list[int]) -> None:
    records = log(seed)
    whole, cut, single = new_state(), new_state(), new_state()
    at_once = whole.fold(records, EMIT)
    in_parts = fold_in_parts(cut, records, cuts)
    alone = [single.fold([record], EMIT) for record in records]
    for view in range(len(EMIT)):
        expected = one_by_one(at_once, view)
        assert [row for part in in_parts for row in one_by_one(part, view)] == expected
        assert [row for part in alone for row in one_by_one(part, view)] == expected
    for name in ("users", "items", "timestamps", "flags", "labels", "weights", "kinds", "sequence"):
        expected_column = getattr(at_once.rows, name).tobytes()
        assert b"".join(getattr(part.rows, name).tobytes() for part in in_parts) == expected_column
        assert b"".join(getattr(part.rows, name).tobytes() for part in alone) == expected_column
    assert state_of(whole) == state_of(cut) == state_of(single)
    assert at_once.rows.sequence.tolist() == list(range(whole.rows_folded))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_what_is_read_at_a_place_is_what_the_fold_emits_for_the_row_there(seed: int) -> None:
    state = new_state()
    compared = 0
    for record in log(seed):
        if record.kind == "seen":
            user, items = state.user(record.subject), np.array([state.item(record.object)], dtype=np.int32)
            read = state.read(SCHEMA.view, user, items, record.timestamp, record.context)
            assert [bytes_of(read)] == one_by_one(state.fold([record], EMIT))
            compared += 1
        else:
            state.fold([record])
    assert compared > 20


def test_reading_changes_nothing() -> None:
    state = new_state()
    state.fold(log(1))
    before = state_of(state)
    items = np.arange(len(state.catalog.items), dtype=np.int32)
    for user in (-1, 0):
        state.read(SCHEMA.view, user, items, START + HOUR, {"surface": "never seen"})
    state.popularity(START)
    state.neighbours(0, 5)
    assert state_of(state) == before


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 119), st.randoms(use_true_random=False))
def test_no_row_sees_the_future(seed: int, cut: int, random) -> None:  # type: ignore[no-untyped-def]
    records = log(seed)
    past, future = records[:cut], records[cut:]
    expected = one_by_one(new_state().fold(past, EMIT))
    injected = log(seed + 1)
    random.shuffle(future)
    assert one_by_one(new_state().fold(past + injected + future, EMIT))[: len(expected)] == expected


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.data())
def test_no_row_sees_itself(seed: int, data: st.DataObject) -> None:
    records = log(seed)
    place = data.draw(st.sampled_from([i for i, one in enumerate(records) if one.outcomes is not None]))
    state, other = new_state(), new_state()
    state.fold(records[:place])
    other.fold(records[:place])
    changed = msgspec.structs.replace(records[place], outcomes={"click": 1.0, "view": 55.0, "hide": 1.0})
    unchanged = msgspec.structs.replace(records[place], outcomes={})
    assert one_by_one(state.fold([changed], EMIT)) == one_by_one(other.fold([unchanged], EMIT))


def test_a_record_about_an_item_takes_effect_for_the_rows_after_it() -> None:
    records = log(3, 60)
    described = next(record for record in records if record.kind == "item")
    seen = Record("seen", START + HOUR, "u1", described.object)
    before, after = one_by_one(new_state().fold([seen, described, seen], EMIT))
    assert before != after
    state = new_state()
    state.fold([seen])
    assert one_by_one(state.fold([described, seen], EMIT)) == [after]


def test_negatives_are_drawn_by_seed_and_row_never_the_item_itself_and_change_only_rates() -> None:
    base = [Record("seen", START, "u", f"i{n}", outcomes={}) for n in range(5)]
    shares = [Record("event", START + n, "u", f"i{n % 5}", "share") for n in range(60)]
    state = new_state()
    rows = state.fold(base + shares, EMIT).rows
    drawn = rows.kinds == RowKind.DRAWN
    own = np.repeat(rows.items[rows.kinds == RowKind.EXAMPLE_ACTION], 2)
    assert drawn.sum() == 120
    assert (rows.items[drawn] != own).all()
    assert np.bincount(rows.items[drawn], minlength=5).min() > 10
    again = new_state().fold(base + shares, EMIT).rows
    assert rows.items.tolist() == again.items.tolist()
    assert rows.items.tolist() != new_state(seed=1).fold(base + shares, EMIT).rows.items.tolist()
    without = new_state(ACTIONS | {"share": Action("positive", example_without_impression=True)})
    without.fold(base + shares, EMIT)
    counters = len(state.native.dump_counters())
    assert state_of(state)[counters:] == state_of(without)[counters:]
    assert state_of(state)[:counters] != state_of(without)[:counters]


def test_no_negative_is_drawn_while_there_is_no_other_item() -> None:
    rows = new_state().fold([Record("event", START, "u", "i", "share")]).rows
    assert rows.kinds.tolist() == [RowKind.EXAMPLE_ACTION]


def test_what_is_no_item_or_has_no_user_makes_no_row() -> None:
    records = [
        Record("event", START, "u", "v", "click", object_kind="user"),
        Record("event", START, "", "i", "click"),
        Record("event", START, "u", "", "click"),
    ]
    assert len(new_state().fold(records).rows) == 0


def test_the_watermark_is_the_latest_time_at_which_anything_happened() -> None:
    state = new_state()
    state.fold([Record("seen", START, "u", "i")])
    assert state.watermark == START
    state.fold([Record("seen", START - MINUTE, "u", "i"), *(one for one in log(1, 60) if one.kind in ("item", "user"))])
    assert state.watermark == START
    state.fold([Record("heartbeat", START + MINUTE)])
    assert state.watermark == START + MINUTE


def test_relations_hold_until_they_are_retracted() -> None:
    state = new_state()
    follow = [Record("relation", START, "u", author, "follow", object_kind="user") for author in ("a", "b", "a")]
    state.fold(follow)
    assert state.related("u", "follow") == {"a", "b"}
    assert state.related("u", "block") == state.related("v", "follow") == frozenset()
    state.fold([Record("retraction", START, "u", "a", "follow", object_kind="user")])
    assert state.related("u", "follow") == {"b"}


@pytest.mark.parametrize("empty", [[], [Record("heartbeat", START)]])
def test_a_fold_of_no_rows_gives_no_features(empty: list[Record]) -> None:
    folded = new_state().fold(empty, EMIT)
    assert len(folded.rows) == 0
    assert [len(emitted.features) for emitted in folded.emitted] == [0, 0]
    assert folded.emitted[0].features.dense.shape == (0, new_state().native.dense_columns)
