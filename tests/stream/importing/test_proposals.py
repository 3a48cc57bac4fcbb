"""Actions are given a meaning by their names and values."""

from __future__ import annotations

import pytest

from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Record
from feedmill.stream.importing.proposals import Tally, propose


def tally(*events: tuple[str, float | None], impressions: int = 0) -> Tally:
    counted = Tally()
    for action, value in events:
        counted.count(Record("event", 1, "u", "i", action, value))
    for _ in range(impressions):
        counted.count(Record("seen", 1, "u", "i"))
    return counted


@pytest.mark.parametrize(
    ("name", "meaning", "hides"),
    [
        ("like", "positive", False),
        ("AddToCart", "positive", False),
        ("add-to-cart", "positive", False),
        ("purchase", "positive", False),
        ("click", "positive", False),
        ("skip", "negative", False),
        ("remove_from_cart", "negative", False),
        ("unfollow", "negative", False),
        ("dislike", "negative", True),
        ("not_interested", "negative", True),
        ("report", "negative", True),
        ("view", "neutral", False),
        ("xyzzy", "neutral", False),
    ],
)
def test_a_name_says_what_an_action_means(name: str, meaning: str, hides: bool) -> None:
    action = propose(tally((name, None), ("bookmark", None), ("bookmark", None)), {}).actions[name]
    assert (action.meaning, action.hides) == (meaning, hides)


@pytest.mark.parametrize(
    ("values", "threshold"),
    [([1, 5], 3.5), ([0.5, 4.5], 3.5), ([1, 10], 7.0), ([3, 90], 70.0), ([0, 1], 0.0), ([-1, 1], 0.0)],
)
def test_a_rating_is_positive_above_seven_tenths_of_its_scale(values: list[float], threshold: float) -> None:
    proposal = propose(tally(*(("rating", value) for value in values)), {})
    assert proposal.actions["rating"].threshold == threshold
    assert proposal.objectives == {"like": Objective("rating", weight=2.0, threshold=threshold)}


def test_actions_of_a_log_without_impressions_are_examples_of_their_own() -> None:
    alone = propose(tally(("like", None), ("hide", None), ("rating", 1), ("rating", 5)), {}).actions
    assert {name: (action.example_without_impression, action.negatives) for name, action in alone.items()} == {
        "like": (True, 4),
        "hide": (True, 0),
        "rating": (True, 4),
    }
    shown = propose(tally(("like", None), impressions=1), {}).actions["like"]
    assert (shown.example_without_impression, shown.negatives) == (False, 0)


def test_watching_counts_above_its_mean() -> None:
    proposal = propose(tally(("view", 10.0), ("view", 30.0)), {})
    assert proposal.actions["view"] == Action(
        "positive", repeats="sum", threshold=20.0, example_without_impression=True, negatives=4
    )


def test_known_actions_keep_their_meaning_and_shape_the_objectives() -> None:
    known = {"view": Action("positive"), "like": Action("negative")}
    proposal = propose(tally(("view", None), ("like", None), ("hide", None)), known)
    assert list(proposal.actions) == ["hide"]
    assert list(proposal.objectives) == ["view"]


def test_where_nothing_is_positive_by_name_the_most_frequent_action_is_taken() -> None:
    proposal = propose(tally(("foo", None), ("bar", None), ("bar", None), ("skip", None)), {})
    assert proposal.objectives == {"bar": Objective("bar")}
    assert proposal.actions["foo"].meaning == "neutral"


def test_the_three_most_frequent_positive_actions_become_objectives() -> None:
    events = [(name, None) for name, n in (("click", 5), ("like", 3), ("share", 4), ("purchase", 1)) for _ in range(n)]
    assert propose(tally(*events), {}).objectives == {
        "click": Objective("click", weight=1.0),
        "share": Objective("share", weight=2.0),
        "like": Objective("like", weight=2.0),
    }
