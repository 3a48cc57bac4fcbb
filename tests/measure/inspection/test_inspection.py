"""What a log is like: shapes by hand, machines that behave as none of us, drift beside chance, protocols that fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from feedmill.domain.clock import DAY, HOUR, MINUTE, SECOND
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.temporal import LeaveLastOut, Temporal
from feedmill.measure.inspection.drift import drift_of
from feedmill.measure.inspection.fitness import fitness
from feedmill.measure.inspection.machines import find_machines
from feedmill.measure.inspection.shape import shape_of


def test_the_shape_of_a_small_log_by_hand() -> None:
    log = Interactions.of([0, 0, 0, 1, 2, 2], [0, 0, 1, 0, 0, 0], [1, 2, 3, 4, 5, 5], n_users=9, n_items=9)
    shape = shape_of(log)
    assert (shape.rows, shape.users, shape.items, shape.pairs) == (6, 3, 2, 4)
    assert shape.density == 4 / 6
    # Users 0 and 2 come back to item 0; user 2 at the same time.
    assert (shape.repeats, shape.doubled) == (2, 1)
    assert (shape.by_user.median, shape.by_user.mean, shape.by_user.most, shape.by_user.one) == (2, 2, 3, 1 / 3)
    assert (shape.by_item.most, shape.by_item.one) == (5, 0.5)
    assert shape.head == {"1%": 5 / 6, "10%": 5 / 6, "20%": 5 / 6}
    assert shape.concentration[0] == (0, 0)
    assert shape.concentration[-1] == (1, 1)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
@settings(deadline=None)
def test_gini_is_the_mean_gap_between_two_items_over_twice_the_mean(items: list[int]) -> None:
    shape = shape_of(Interactions.of(np.arange(len(items)), items))
    counts = np.bincount(items)
    counts = counts[counts > 0]
    assert shape.gini == pytest.approx(np.abs(counts[:, None] - counts[None]).mean() / (2 * counts.mean()))


def test_a_log_of_nothing_has_a_shape_too() -> None:
    shape = shape_of(Interactions.of([], []))
    assert (shape.rows, shape.users, shape.repeats, shape.concentration) == (0, 0, 0, [])
    assert math.isnan(shape.density)


def signs(times: list[float], items: list[int] | None = None) -> list[str]:
    """Of one user's events, among those of another who shows no sign."""
    n = len(times)
    machine = np.zeros(n, dtype=np.int32), np.array(items or range(n), dtype=np.int32), np.array(times, dtype=np.int64)
    generator = np.random.default_rng(0)
    person = np.cumsum(generator.exponential(3 * MINUTE, 80)) % (9 * HOUR)
    columns = [np.append(one, other) for one, other in zip(machine, (np.ones(80), np.arange(80), person), strict=True)]
    found = find_machines(columns[0].astype(np.int32), columns[1].astype(np.int32), columns[2].astype(np.int64))
    assert all(sign.user == 0 for sign in found)
    return [sign.sign for sign in found]


def test_a_user_with_an_event_each_ten_seconds_acts_like_a_clock() -> None:
    assert signs([10 * SECOND * n for n in range(60)]) == ["acts like a clock: an event each 10 seconds"]
    assert signs([10 * SECOND * n + n % 2 for n in range(60)]) == ["acts like a clock: an event each 10 seconds"]


def test_a_user_with_two_events_a_second_is_too_fast() -> None:
    generator = np.random.default_rng(1)
    found = signs(sorted(generator.uniform(0, 59 * SECOND, 150)))
    assert found == ["too fast: 150 events within a minute"]


def test_a_user_who_is_there_in_every_hour_never_sleeps() -> None:
    generator = np.random.default_rng(2)
    assert signs([HOUR * n + generator.integers(HOUR) for n in range(24)]) == [
        "never sleeps: events in 24 hours of one day"
    ]


def test_a_user_who_wants_one_item_only_does_one_thing() -> None:
    generator = np.random.default_rng(3)
    times = np.cumsum(generator.exponential(2 * MINUTE, 120)).tolist()
    assert signs(times, [7] * 110 + list(range(10, 20))) == ["does one thing: 110 of 120 events are on one item"]


def test_people_show_no_sign() -> None:
    generator = np.random.default_rng(4)
    times = np.concatenate([day * DAY + np.cumsum(generator.exponential(2 * MINUTE, 60)) for day in range(5)])
    assert signs(times.tolist()) == []
    assert find_machines(*(np.zeros(0, dtype=np.int32),) * 2, np.zeros(0, dtype=np.int64)) == []


def test_drift_is_the_jensen_shannon_distance_of_the_halves() -> None:
    generator = np.random.default_rng(5)
    items = np.append(generator.integers(0, 6, 300), generator.integers(3, 9, 300))
    drift = drift_of(Interactions.of(generator.integers(50, size=600), items, np.arange(600) * HOUR), generator)
    assert drift is not None
    shares = [np.bincount(half, minlength=9) / 300 for half in (items[:300], items[300:])]
    assert drift.distance == pytest.approx(jensenshannon(*shares, base=2))
    assert drift.new_items == np.isin(items[300:], items[:300], invert=True).mean()
    assert drift.by_chance < 0.3 * drift.distance
    assert drift.middle == 300 * HOUR
    assert drift.faster == pytest.approx(1, abs=0.01)


def test_what_does_not_drift_is_no_further_apart_than_chance() -> None:
    generator = np.random.default_rng(6)
    items = generator.integers(20, size=2_000)
    drift = drift_of(Interactions.of(np.zeros(2_000, dtype=int), items, np.arange(2_000)), generator)
    assert drift is not None
    assert drift.distance == pytest.approx(drift.by_chance, rel=0.5)


def test_a_log_of_one_moment_has_no_halves() -> None:
    assert drift_of(Interactions.of([0, 1], [0, 1], [5, 5]), np.random.default_rng(0)) is None


def test_a_protocol_fits_where_somebody_can_be_asked_and_says_what_to_mind() -> None:
    users, items = np.repeat(np.arange(150), 3), np.tile([0, 1, 2], 150)
    log = Interactions.of(users, items, np.tile(np.arange(3), 150) * 1_000 + users)
    # Everybody ends with item 2, which nobody has met before.
    (last,) = fitness(log, [LeaveLastOut()])
    assert (last.bears, last.users, last.why) == (False, 0, "No: nothing would be left to ask for.")
    mixed = Interactions.of(users, (items + users) % 5, log.times)
    last, temporal = fitness(mixed, [LeaveLastOut(), Temporal()])
    assert (last.bears, last.users, last.test) == (True, 150, 150)
    assert last.why.startswith("Yes, to compare models")
    assert temporal.bears
    assert temporal.why == "With care: 90 users would be asked for; only large differences can be told from chance."
    (none,) = fitness(Interactions.of([0, 1], [0, 1], [5, 5]), [Temporal()])
    assert none.why.startswith("No: the interactions have no two different times")
