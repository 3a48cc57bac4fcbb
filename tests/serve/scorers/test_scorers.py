from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.objectives import Objective
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
