from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from feedmill.serve.pipeline.candidates import Candidates, Retrieved, merge
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig, FreshPositionsSelector


def candidates(n: int, fresh: list[int], scores: list[float] | None = None) -> Candidates:
    """n candidates, best first, some of which are new."""
    old = Retrieved.of(np.arange(n), np.zeros(n))
    new = Retrieved.of(np.array(fresh, np.int32), np.zeros(len(fresh)))
    made = merge([old, new], {"trending": 1, "fresh": 0})
    return replace(made, scores=np.array(scores or np.linspace(1, 0, n).tolist(), np.float32))


def request(seed: int = 0, limit: int = 20) -> HydratedRequest:
    return HydratedRequest(user_id="ann", now=0, limit=limit, seed=seed)


def test_new_items_stand_at_the_positions_set_aside_and_nowhere_else_is_there_chance() -> None:
    slate = FreshPositionsSelector().select(request(), candidates(100, [60, 70, 80]))
    explored = np.flatnonzero(~np.isnan(slate.probabilities))
    assert explored.tolist() == [4, 14]
    assert set(slate.chosen[explored].tolist()) <= {60, 70, 80}
    assert slate.chosen[:4].tolist() == [0, 1, 2, 3]
    # The position that exploration took is made up for by the next ones.
    assert slate.chosen[5:14].tolist() == list(range(4, 13))


def test_the_recorded_probability_is_that_of_the_draw_given_the_slate_so_far() -> None:
    config = FreshPositionsConfig(first=1, every=1, temperature=2.0)
    slate = FreshPositionsSelector(config).select(request(limit=2), candidates(2, [0, 1], [3.0, 1.0]))
    # Two scores are one deviation above and below their mean.
    chances = {0: 1 / (1 + math.exp(-1)), 1: 1 / (1 + math.exp(1))}
    assert slate.probabilities[0] == pytest.approx(chances[int(slate.chosen[0])])
    assert slate.probabilities[1] == 1.0


def test_draws_occur_as_often_as_their_probability_says() -> None:
    made = candidates(10, [7, 8, 9])
    drawn = np.zeros(10)
    expected = np.zeros(10)
    selector = FreshPositionsSelector(FreshPositionsConfig(first=1))
    for seed in range(2_000):
        slate = selector.select(request(seed, limit=1), made)
        drawn[slate.chosen[0]] += 1
        expected[slate.chosen[0]] = slate.probabilities[0]
    assert expected.sum() == pytest.approx(1.0)
    # Three standard errors of a share of 2,000 draws.
    assert drawn / 2_000 == pytest.approx(expected, abs=3 * math.sqrt(0.25 / 2_000))


def test_the_same_request_draws_the_same_items_and_others_draw_others() -> None:
    selector, made = FreshPositionsSelector(), candidates(200, list(range(100, 200)))
    first = selector.select(request(1), made).chosen
    assert first.tolist() == selector.select(request(1), made).chosen.tolist()
    assert len({int(selector.select(request(seed), made).chosen[4]) for seed in range(20)}) > 10


def test_a_request_without_a_seed_draws_by_its_id_its_user_and_its_time() -> None:
    def draw(**changes: object) -> float:
        known: dict[str, object] = {"user_id": "ann", "now": 0, "request_id": "r1"}
        return HydratedRequest(**(known | changes)).generator("fresh_positions").random()  # type: ignore[arg-type]

    assert draw() == draw()
    assert len({draw(), draw(request_id="r2"), draw(user_id="bob"), draw(now=1)}) == 4


def test_where_nothing_new_is_eligible_the_next_best_stands_without_a_probability() -> None:
    slate = FreshPositionsSelector().select(request(), candidates(30, []))
    assert slate.chosen.tolist() == list(range(20))
    assert np.isnan(slate.probabilities).all()


def test_a_new_item_that_stands_above_is_not_drawn_again() -> None:
    slate = FreshPositionsSelector().select(request(), candidates(30, [0]))
    assert slate.chosen.tolist() == list(range(20))
    assert np.isnan(slate.probabilities).all()


def test_the_page_is_as_long_as_there_are_candidates() -> None:
    assert len(FreshPositionsSelector().select(request(), candidates(3, [0, 1, 2])).chosen) == 3
    assert len(FreshPositionsSelector().select(request(), candidates(0, [])).chosen) == 0


def test_repetitions_are_not_a_first_audience() -> None:
    made = replace(candidates(30, [29]), repeated=np.arange(30) == 29)
    assert np.isnan(FreshPositionsSelector().select(request(), made).probabilities).all()
