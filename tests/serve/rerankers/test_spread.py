from __future__ import annotations

from dataclasses import replace

import numpy as np

from feedmill.serve.pipeline.candidates import Candidates, Retrieved, merge
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.rerankers.spread import SpreadConfig, SpreadReranker


def candidates(scores: list[float], authors: list[int], categories: list[int] | None = None) -> Candidates:
    """Items 0, 1, 2 ... with these scores, best first; author 0 is unknown."""
    n = len(scores)
    return replace(
        merge([Retrieved.of(np.arange(n), np.zeros(n))], {"a": 1}),
        scores=np.array(scores, np.float32),
        authors=np.array(authors, np.uint64),
        categories=np.array(categories or [0] * n, np.uint64),
    )


def order(config: SpreadConfig, made: Candidates, limit: int = 20) -> list[int]:
    return SpreadReranker(config).rerank(HydratedRequest(user_id="ann", now=0, limit=limit), made).items.tolist()


def test_a_second_item_of_an_author_gives_way_to_one_that_is_nearly_as_good() -> None:
    made = candidates([1.0, 0.9, 0.8, 0.0], [1, 1, 2, 3])
    # The second of author 1 counts 0.9 - 0.25 = 0.65 beside the first, less than 0.8.
    assert order(SpreadConfig(author_penalty=0.25), made) == [0, 2, 1, 3]


def test_the_penalty_is_soft() -> None:
    made = candidates([1.0, 0.9, 0.6, 0.0], [1, 1, 2, 3])
    assert order(SpreadConfig(author_penalty=0.25), made) == [0, 1, 2, 3]


def test_each_further_item_of_an_author_is_penalised_more() -> None:
    made = candidates([1.0, 0.95, 0.9, 0.5, 0.0], [1, 1, 1, 2, 3])
    # 0.95 - 0.25 = 0.7 is above 0.5; 0.9 - 2 * 0.25 = 0.4 is not.
    assert order(SpreadConfig(author_penalty=0.25), made) == [0, 1, 3, 2, 4]


def test_an_author_is_free_again_when_the_window_has_passed() -> None:
    made = candidates([1.0, 0.99, 0.5, 0.49, 0.48, 0.0], [1, 1, 2, 3, 4, 5])
    # With a window of three, the two positions before are looked at.
    assert order(SpreadConfig(window=3, author_penalty=1.0), made) == [0, 2, 3, 1, 4, 5]


def test_categories_are_spread_once_there_are_more_than_their_share() -> None:
    made = candidates([1.0, 0.9, 0.8, 0.75, 0.0], [0] * 5, [1, 1, 1, 2, 3])
    assert order(SpreadConfig(categories=2, category_penalty=0.1), made) == [0, 1, 3, 2, 4]


def test_unknown_authors_and_categories_are_nobodys() -> None:
    made = candidates([1.0, 0.9, 0.8, 0.7], [0, 0, 0, 0])
    assert order(SpreadConfig(author_penalty=1.0, category_penalty=1.0), made) == [0, 1, 2, 3]


def test_the_scale_of_the_scores_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    scores = np.sort(generator.normal(size=50))[::-1]
    authors = generator.integers(1, 6, 50).tolist()
    small = order(SpreadConfig(), candidates(scores.tolist(), authors))
    assert small == order(SpreadConfig(), candidates((1_000 * scores - 7_000).tolist(), authors))
    assert small != list(range(50))


def test_what_is_out_of_reach_of_the_page_stays_where_it_is() -> None:
    made = candidates([1.0] * 10, [1] * 10)
    assert order(SpreadConfig(depth=1), made, limit=2) == list(range(10))


def test_repetitions_stay_behind_what_is_new() -> None:
    made = candidates([0.9, 0.8, 1.0], [1, 1, 2])
    made = replace(made, repeated=np.array([False, False, True]))
    assert order(SpreadConfig(author_penalty=1.0), made) == [0, 1, 2]


def test_equal_scores_of_many_authors_are_dealt_out_in_turn() -> None:
    made = candidates([1.0] * 6, [1, 1, 1, 2, 2, 3])
    assert order(SpreadConfig(window=3), made) == [0, 3, 5, 1, 4, 2]
