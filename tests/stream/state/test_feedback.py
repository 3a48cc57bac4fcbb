"""What outcomes mean."""

from __future__ import annotations

import pytest

from feedmill.domain.objectives import Action, Objective
from feedmill.stream.state.feedback import FeedbackReader

READER = FeedbackReader(
    {
        "click": Action("positive"),
        "rating": Action("positive", repeats="last", threshold=3.5),
        "hide": Action("negative", hides=True),
        "skip": Action("negative"),
        "buy": Action("positive", hides=True, repeats="sum"),
        "view": Action(repeats="sum"),
        "scroll": Action(repeats="first"),
    },
    {"click": Objective("click"), "good": Objective("rating", threshold=3.5), "view": Objective("view", "regression")},
)


@pytest.mark.parametrize(
    ("outcomes", "labels", "weight", "hides"),
    [
        ({}, [0, 0, 0], 0, False),
        ({"click": 1.0}, [1, 0, 0], 1, False),
        ({"rating": 3.5}, [0, 0, 0], 0, False),
        ({"rating": 4.0, "view": 7.0}, [0, 1, 7], 1, False),
        ({"hide": 1.0, "click": 1.0}, [1, 0, 0], -1, True),
        ({"click": 1.0, "hide": 1.0}, [1, 0, 0], -1, True),
        ({"skip": 1.0}, [0, 0, 0], -1, False),
        ({"hide": 0.0}, [0, 0, 0], 0, False),
        ({"buy": 2.0}, [0, 0, 0], 1, True),
        ({"never heard of": 1.0}, [0, 0, 0], 0, False),
    ],
)
def test_outcomes_have_labels_a_weight_and_may_hide(
    outcomes: dict[str, float], labels: list[float], weight: float, hides: bool
) -> None:
    assert READER.read(outcomes) == (labels, weight, hides)


@pytest.mark.parametrize(
    ("action", "values", "combined"),
    [
        ("view", [3.0, 4.0, 1.0], 8.0), ("rating", [5.0, 2.0], 2.0), ("scroll", [5.0, 2.0], 5.0),
        ("click", [1.0, 3.0, 2.0], 3.0), ("never heard of", [1.0, 3.0, 2.0], 3.0),
    ],
)  # fmt: skip
def test_repeats_combine_as_their_action_says(action: str, values: list[float], combined: float) -> None:
    outcomes: dict[str, float] = {}
    for value in values:
        READER.combine(outcomes, action, value)
    assert outcomes == {action: combined}


def test_an_action_is_about_the_objectives_that_name_it() -> None:
    assert [READER.about(action) for action in ("click", "rating", "view", "skip")] == [[0], [1], [2], []]
