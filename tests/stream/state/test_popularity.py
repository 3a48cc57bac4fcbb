"""Popularity halves with time, and what is very old keeps its order."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.clock import DAY
from feedmill.domain.objectives import Action
from feedmill.domain.records import Record
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig

THEN = 1_651_000_000_000
YEARS = 4 * 365 * DAY


def state_of(*likes: tuple[str, int]) -> State:
    reader = FeedbackReader({"like": Action(meaning="positive")}, {})
    state = State(StateConfig(FeatureConfig(popularity_half_life=24.0), reader))
    state.fold([Record("event", at, f"u{number}", item, "like") for number, (item, at) in enumerate(likes)])
    return state


def popularity(state: State, now: int) -> dict[str, float]:
    return dict(zip(state.catalog.items.ids.names, state.popularity(now).tolist(), strict=True))


def test_a_like_counts_half_after_a_half_life() -> None:
    state = state_of(("a", THEN), ("a", THEN), ("b", THEN + DAY), ("c", THEN + 3 * DAY))
    assert popularity(state, THEN + 3 * DAY) == pytest.approx({"a": 0.25, "b": 0.25, "c": 1.0})


def test_the_items_of_an_old_log_keep_their_order_when_a_new_event_comes() -> None:
    old = [("a", THEN)] * 5 + [("b", THEN)] * 3 + [("c", THEN - DAY)] * 3 + [("d", THEN + DAY)] * 3
    state = state_of(*old, ("new", THEN + YEARS))
    scores = popularity(state, THEN + YEARS)
    assert sorted(scores, key=lambda name: -scores[name]) == ["new", "d", "a", "b", "c"]
    assert scores["new"] == 1.0
    assert all(0 < scores[name] < 1e-25 for name in "abcd")


def test_what_nobody_has_liked_has_no_popularity() -> None:
    state = state_of(("a", THEN))
    state.item("b")
    assert popularity(state, THEN) == {"a": 1.0, "b": 0.0}


def test_it_fades_without_a_step_where_halving_ends() -> None:
    state = state_of(("a", THEN), ("new", THEN + 400 * DAY))
    days = np.array([popularity(state, THEN + day * DAY)["a"] for day in range(90, 130)])
    assert (np.diff(days) < 0).all()
    assert days[10] == pytest.approx(2.0**-100)
    assert days[11] == pytest.approx(2.0**-101)
