"""Every stage that Feedmill ships passes the contract of stages; they are found by reflection."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from feedmill.serve.pipeline.candidates import Candidates, Retrieved
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Reranker, Source, SourceConfig, StageConfig
from feedmill.testing.pipeline_contract import StageContract, find_stages

STAGES = find_stages("feedmill.serve")


@pytest.mark.parametrize("stage_class", STAGES, ids=lambda stage_class: stage_class.name)
class TestStages(StageContract):
    pass


def test_every_stage_has_a_name_of_its_own() -> None:
    names = [stage_class.name for stage_class in STAGES]
    assert len(set(names)) == len(names)


def test_reflection_finds_the_stages_of_the_for_you_feed() -> None:
    assert {stage_class.name for stage_class in STAGES} == {
        "user", "history", "co_visitation", "liked", "two_tower", "model", "trending", "fresh", "catalogue", "item",
        "excluded", "visibility", "expired", "blocked_authors", "hidden", "negative_feedback", "seen", "ranker",
        "weighted", "interests", "spread", "fresh_positions",
    }  # fmt: skip


class Overwrites(Reranker):
    name: ClassVar[str] = "overwrites"

    config = StageConfig()

    def rerank(self, request: HydratedRequest, candidates: Candidates) -> Candidates:
        candidates.scores[:] = 0
        return candidates


class Stutters(Source):
    name: ClassVar[str] = "stutters"

    config = SourceConfig()

    def fetch(self, request: HydratedRequest) -> Retrieved:
        return Retrieved.of(np.array([0, 0]), np.zeros(2))

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "stutters"


def test_the_contract_catches_a_stage_that_writes_to_what_it_is_given() -> None:
    with pytest.raises(ValueError, match="read-only"):
        StageContract().test_what_it_is_given_is_left_as_it_was(Overwrites)


def test_the_contract_catches_a_source_that_names_an_item_twice() -> None:
    with pytest.raises(AssertionError, match="named twice"):
        StageContract().test_columns_stay_aligned_for_every_kind_of_user(Stutters, "ann")
