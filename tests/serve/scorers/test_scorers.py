from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.objectives import Objective
from feedmill.domain.records import User
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.scorers.interests import InterestsConfig, InterestsScorer
from feedmill.serve.scorers.ranker import RankerScorer
from feedmill.serve.scorers.weighted import WeightedConfig, WeightedScorer
from feedmill.testing.pipeline_contract import World

OBJECTIVES = {"click": Objective("click", weight=0.5), "hide": Objective("hide", weight=-2.0)}


def test_the_final_score_is_the_weighted_sum_of_the_predictions() -> None:
    world = World()
    predictions = np.array([[0.2, 0.1], [0.8, 0.0]], np.float32)
    candidates = replace(world.candidates(0, 1), predictions=predictions, objectives=("click", "hide"))
    scored = WeightedScorer(OBJECTIVES).score(world.request(), candidates)
    assert scored.scores.tolist() == pytest.approx([0.5 * 0.2 - 2 * 0.1, 0.5 * 0.8])


def test_configured_weights_stand_in_for_those_of_the_objectives() -> None:
    world = World()
    predictions = np.array([[0.2, 0.1]], np.float32)
    candidates = replace(world.candidates(0), predictions=predictions, objectives=("click", "hide"))
    scored = WeightedScorer(OBJECTIVES, WeightedConfig(weights={"click": 10})).score(world.request(), candidates)
    assert scored.scores.tolist() == pytest.approx([10 * 0.2 - 2 * 0.1])


def test_a_weight_of_an_objective_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights\.clik"):
        WeightedScorer(OBJECTIVES, WeightedConfig(weights={"clik": 1}))
    with pytest.raises(ConfigError, match="finite"):
        WeightedConfig(weights={"click": float("inf")})


def test_without_predictions_the_scores_of_the_sources_stay() -> None:
    world = World()
    candidates = world.candidates(3, 4)
    assert WeightedScorer(OBJECTIVES).score(world.request(), candidates).scores.tolist() == [1.0, 0.0]


def test_the_ranker_predicts_each_candidate_from_its_own_features() -> None:
    world = World()
    scorer = world.build(RankerScorer)
    together = scorer.score(world.request(), world.candidates(1, 0, 2))
    alone = [scorer.score(world.request(), world.candidates(item)).predictions[0] for item in (1, 0, 2)]
    assert together.predictions.tolist() == pytest.approx(np.stack(alone))
    assert together.objectives == ("like", "hide")
    assert together.features is not None
    assert together.features.take(together.take(np.array([2])).feature_rows).ids.tolist() == [
        world.catalog.items.keys[2]
    ]


def test_a_ranker_with_another_number_of_objectives_is_refused() -> None:
    class Lonely:
        def predict(self, features: Features) -> Float32s:
            return np.zeros((len(features), 1), np.float32)

    world = World()
    scorer = RankerScorer(world.extractor, Lonely(), OBJECTIVES)
    with pytest.raises(InvalidArgument, match="2 objectives"):
        scorer.score(world.request(), world.candidates(1))


def with_interests(*names: str) -> tuple[World, HydratedRequest]:
    world = World()
    return world, replace(world.request("zoe"), profile=User(interests=names))


@pytest.mark.parametrize("interest", ["category2", "tag2"])
def test_a_newcomers_interests_raise_what_meets_them_by_so_many_standard_deviations(interest: str) -> None:
    world, request = with_interests(interest, "nothing has this")
    # Item 2 is of category 2 and has tag 2.
    candidates = replace(world.candidates(1, 2, 3), objectives=("like",), scores=np.array([3, 1, 2], np.float32))
    scored = InterestsScorer(world.catalog, InterestsConfig(weight=2.0)).score(request, candidates)
    assert scored.scores.tolist() == [3, pytest.approx(1 + 2 * np.sqrt(2 / 3)), 2]


def test_the_more_the_user_has_done_the_less_interests_count() -> None:
    world, request = with_interests("category2")
    candidates = replace(world.candidates(1, 2), objectives=("like",), scores=np.array([2, 0], np.float32))
    request = replace(request, history=world.state.history(world.catalog.users.ids.find("ann")))
    done = len(request.history.items)
    scorer = InterestsScorer(world.catalog, InterestsConfig(weight=1.0, actions=float(done)))
    assert scorer.score(request, candidates).scores.tolist() == [2, 0.5]


def test_interests_have_no_say_without_predictions_or_a_profile_that_names_any() -> None:
    world, request = with_interests("category2")
    scorer = world.build(InterestsScorer)
    assert scorer.score(request, world.candidates(1, 2)).scores.tolist() == [1.0, 0.0]
    assert scorer.enabled(request)
    assert not scorer.enabled(world.request("bob"))
    assert not scorer.enabled(world.request("nobody"))


def test_an_interest_cannot_count_less_than_nothing() -> None:
    with pytest.raises(ConfigError, match="weight"):
        InterestsConfig(weight=-1)
    with pytest.raises(ConfigError, match="actions"):
        InterestsConfig(actions=0)
