"""Ages of events: measured at the fold, and when parameters come that have learned them."""

from __future__ import annotations

import pytest

from feedmill.domain.clock import ManualClock, ScaledClock
from feedmill.run.local.ages import BOUNDS, NO_AGES, Age, Ages

START = 1_700_000_000_000


def counted(ages: Ages) -> dict[str, int]:
    return {name: counts[-1] for name, counts, _ in ages.histograms()}


def test_each_event_is_counted_once_where_it_has_come_to() -> None:
    clock = ManualClock(START + 40)
    ages = Ages(clock)
    assert ages.now() == NO_AGES
    ages.folded(2, START, 2)
    ages.folded(1, START + 30, 5)
    ages.folded(0, START + 30, 6)
    assert counted(ages) == {"state": 3, "trained": 0, "served": 0}
    clock.set(START + 1_040)
    ages.applied(4, START + 540)
    assert counted(ages) == {"state": 3, "trained": 2, "served": 2}
    ages.applied(4, START + 540)
    ages.applied(9, 0)
    assert counted(ages) == {"state": 3, "trained": 2, "served": 3}


def test_ages_are_what_the_clock_says() -> None:
    clock = ManualClock(START + 40)
    ages = Ages(clock)
    ages.folded(99, START, 99)
    ages.folded(1, START + 30, 100)
    clock.set(START + 3_000)
    ages.applied(100, START + 540)
    found = ages.now()
    assert found.to_state == Age(40.0, 40.0)
    assert found.to_trained == Age(540.0, 540.0)
    assert found.to_served == Age(3_000.0, 3_000.0)
    sums = {name: total for name, _, total in ages.histograms()}
    assert sums == pytest.approx({"state": 3.97, "trained": 53.97, "served": 299.97})
    state = next(counts for name, counts, _ in ages.histograms() if name == "state")
    by_bound = dict(zip(BOUNDS, state, strict=False))
    assert (by_bound[0.005], by_bound[0.01], by_bound[0.025], by_bound[0.05], state[-1]) == (0, 1, 1, 100, 100)


def test_quantiles_are_of_the_last_events() -> None:
    clock = ManualClock(START)
    ages = Ages(clock)
    ages.folded(500, START - 9_000, 500)
    ages.folded(2_000, START - 10, 2_500)
    assert ages.now().to_state == Age(10.0, 10.0)


def test_a_clock_that_was_set_back_makes_no_age_below_zero() -> None:
    ages = Ages(ManualClock(START))
    ages.folded(1, START + 5_000, 1)
    assert ages.now().to_state == Age(0.0, 0.0)


def test_a_world_that_goes_faster_is_measured_by_the_machine() -> None:
    system = ManualClock(1_000)
    clock = ScaledClock(START, 1_000, 1_440.0, system)
    received = clock.now()
    system.advance(50)
    ages = Ages(clock)
    ages.folded(1, received, 1)
    assert ages.now().to_state == Age(50.0, 50.0)


def test_of_what_waits_too_long_the_oldest_is_not_measured() -> None:
    ages = Ages(ManualClock(START))
    for number in range(1, 22):
        ages.folded(10_000, START, 10_000 * number)
    ages.applied(1_000_000, START)
    assert counted(ages) == {"state": 210_000, "trained": 200_000, "served": 200_000}
