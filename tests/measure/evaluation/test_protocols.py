"""Every protocol keeps its declared rules, on whatever interactions there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.cold_start import KNOWN_ALREADY, ItemColdStart, UserColdStart
from feedmill.measure.evaluation.folds import InteractionFolds, UserFolds
from feedmill.measure.evaluation.protocol import NO_TEST, REPEATS, UNKNOWN_ITEMS, EvaluationProtocol, Split
from feedmill.measure.evaluation.temporal import LeaveLastOut, Temporal

USERS, ITEMS = 6, 8
PROTOCOLS: list[EvaluationProtocol] = [
    Temporal(), LeaveLastOut(), UserFolds(folds=3), InteractionFolds(folds=3), UserColdStart(known=1),
    UserColdStart(known=0), ItemColdStart(),
]  # fmt: skip
IN_TIME = [protocol for protocol in PROTOCOLS if protocol.respects_time]

early = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 12))
late = st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(13, 20))
logs = st.builds(list.__add__, st.lists(early, min_size=12, max_size=40), st.lists(late, min_size=3, max_size=12))


def interactions(rows: list[tuple[int, int, int]]) -> Interactions:
    users, items, times = zip(*rows, strict=True)
    return Interactions.of(users, items, times, n_users=USERS, n_items=ITEMS)


def cuts(protocol: EvaluationProtocol, log: Interactions) -> list[Split]:
    """The splits; none of a log that cannot bear the protocol."""
    try:
        return list(protocol.splits(log))
    except InvalidArgument:
        return []


def pairs(part: Interactions | None) -> set[int]:
    return set() if part is None else set(part.pairs().tolist())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_no_pair_stands_in_two_parts_and_none_twice_in_one(protocol, rows) -> None:
    log = interactions(rows)
    for split in cuts(protocol, log):
        parts = [part for part in (split.train, split.test, split.history) if part is not None]
        found = [pair for part in parts for pair in part.pairs().tolist()]
        assert len(found) == len(set(found))
        assert set(found) <= pairs(log)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_every_row_is_in_a_part_or_left_out_by_a_named_rule(protocol, rows) -> None:
    log = interactions(rows)
    for split in cuts(protocol, log):
        used = sum(len(part) for part in (split.train, split.test, split.history) if part is not None)
        assert used + sum(split.left_out.values()) == len(log)
        assert set(split.left_out) <= {REPEATS, UNKNOWN_ITEMS, NO_TEST, KNOWN_ALREADY}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_what_is_asked_for_can_be_recommended(protocol, rows) -> None:
    for split in cuts(protocol, interactions(rows)):
        known = set(split.train.items.tolist())
        possible = known if split.candidates is None else set(np.flatnonzero(split.candidates).tolist())
        assert set(split.test.items.tolist()) <= possible


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_what_is_given_of_a_user_happened_before_what_is_asked_for(protocol, rows) -> None:
    for split in cuts(protocol, interactions(rows)):
        if split.history is None:
            continue
        for user in split.users:
            given_times = split.history.times[split.history.users == user]
            assert given_times.max(initial=-1) <= split.test.times[split.test.users == user].min()


@pytest.mark.parametrize("protocol", IN_TIME, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_nothing_that_is_learned_from_happened_after_the_first_that_is_asked_for(protocol, rows) -> None:
    for split in cuts(protocol, interactions(rows)):
        if len(split.test):
            assert split.train.times.max(initial=-1) < split.test.times.min()


@pytest.mark.parametrize("kind", [Temporal, UserColdStart, ItemColdStart])
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(early, min_size=5), later=st.lists(late, min_size=1), others=st.lists(late, min_size=1))
def test_whatever_happens_after_the_moment_changes_nothing_that_is_learned_from(kind, rows, later, others) -> None:
    protocol = kind(at=13)
    learned = [
        [(split.train.pairs().tolist(), split.train.times.tolist()) for split in cuts(protocol, interactions(log))]
        for log in (rows + later, rows + others)
    ]
    if all(learned):
        assert learned[0] == learned[1]


def test_there_are_logs_that_bear_every_protocol() -> None:
    rows = [(user, item, 3 * item + user) for user in range(4) for item in range(4)]
    rows += [(user, item, 20 + item) for user in (0, 5) for item in (1, 2, 6)]
    for protocol in PROTOCOLS:
        assert all(len(split.test) and len(split.train) for split in protocol.splits(interactions(rows)))


@pytest.mark.parametrize("protocol", [UserFolds(folds=3), InteractionFolds(folds=3)], ids=lambda p: p.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_folds_ask_for_each_row_once_at_most_and_differ_by_one_at_most(protocol, rows) -> None:
    splits = cuts(protocol, interactions(rows))
    asked = [pair for split in splits for pair in split.test.pairs().tolist()]
    assert len(asked) == len(set(asked))
    if protocol.name == "user-folds":
        for split in splits:
            assert not set(split.users.tolist()) & set(split.train.users.tolist())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=40, deadline=None)
@given(rows=logs)
def test_the_same_settings_cut_the_same_way(protocol, rows) -> None:
    log = interactions(rows)
    for one, other in zip(cuts(protocol, log), cuts(protocol, log), strict=True):
        assert one.train.pairs().tolist() == other.train.pairs().tolist()
        assert one.test.pairs().tolist() == other.test.pairs().tolist()


def test_the_temporal_split_by_hand() -> None:
    log = Interactions.of([0, 0, 1, 1, 2, 2, 0, 1, 2, 2, 1], [0, 1, 0, 1, 2, 0, 2, 0, 3, 1, 2], range(11))
    (split,) = Temporal(share=0.3).splits(log)
    # User 1 meets item 0 again at 7. Of the ten others the last three happen from 8 on; nobody met item 3 before.
    assert split.left_out == {REPEATS: 1, UNKNOWN_ITEMS: 1}
    assert split.train.times.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert list(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True)) == [(2, 1), (1, 2)]


def test_leave_last_out_by_hand() -> None:
    log = Interactions.of([0, 0, 0, 1, 2, 2], [0, 1, 2, 0, 0, 1], [3, 1, 2, 0, 0, 0])
    (split,) = LeaveLastOut().splits(log)
    # User 0 came to item 0 last; of user 2's rows at the same time the later one in the log counts as last.
    assert sorted(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True)) == [(0, 0), (2, 1)]
    # User 1 has nothing else.
    assert split.left_out == {NO_TEST: 1}


def test_a_log_that_cannot_bear_a_protocol_is_refused_with_the_reason() -> None:
    at_once = Interactions.of([0, 1, 2], [0, 1, 2], [5, 5, 5])
    with pytest.raises(InvalidArgument, match="no two different times"):
        list(Temporal().splits(at_once))
    with pytest.raises(InvalidArgument, match="no user has two"):
        list(LeaveLastOut().splits(at_once))
    with pytest.raises(InvalidArgument, match="3 users cannot be dealt into 5 folds"):
        list(UserFolds().splits(at_once))
    everybody_early = Interactions.of([0, 1, 0, 1, 0], [0, 0, 1, 1, 2], range(5))
    with pytest.raises(InvalidArgument, match="no user who came after"):
        list(UserColdStart().splits(everybody_early))
    with pytest.raises(InvalidArgument, match="no user known before"):
        list(ItemColdStart().splits(Interactions.of([0, 0, 1], [0, 1, 0], [0, 1, 2])))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Temporal(share=0),
        lambda: Temporal(share=1.5),
        lambda: UserFolds(folds=1),
        lambda: InteractionFolds(folds=0),
        lambda: UserFolds(known=1.0),
        lambda: UserColdStart(known=-1),
        lambda: list(Temporal(at=99).splits(Interactions.of([0, 0], [0, 1], [1, 2]))),
    ],
)
def test_settings_that_leave_nothing_are_refused(make) -> None:
    with pytest.raises(InvalidArgument):
        make()
