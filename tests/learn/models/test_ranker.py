"""The ranker's logit, worked out by hand, and its slots."""

from __future__ import annotations

import pytest
import torch

from feedmill.domain.errors import ConfigError
from feedmill.domain.slots import Segment, Slot, SlotRegistry
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.ranker import Ranker, ranker_schema, rate_columns
from feedmill.stream.features.config import FeatureConfig

SLOTS = tuple(Slot(number, f"ranker/{number}", (Segment(1), Segment(2))) for number in (1, 2))


def test_the_logit_is_base_rate_linear_part_interactions_and_network() -> None:
    model = Ranker(RankerConfig(dimension=2, hidden=()), SLOTS, dense_columns=2, objectives=1)
    with torch.no_grad():
        model.linear.weight.fill_(0.5)
        model.linear.bias.fill_(0.25)
        model.interactions.weight.copy_(torch.tensor([[2.0, 3.0]]))
        head = model.network[0]
        assert isinstance(head, torch.nn.Linear)
        # Its inputs are both vectors, the dense column and the interactions.
        head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0, 10.0, 0.0, 100.0]]))
    rows = torch.tensor([[[0.1, 1.0, 2.0], [0.2, 3.0, 4.0]]])
    logit = model(rows, torch.tensor([[-1.0, 4.0]]))
    # Interactions are 1 * 3 = 3 and 2 * 4 = 8.
    expected = -1.0 + (0.1 + 0.2) + (0.5 * 4.0 + 0.25) + (2.0 * 3 + 3.0 * 8) + (1.0 * 1 + 10.0 * 4 + 100.0 * 8)
    assert logit.tolist() == [[pytest.approx(expected)]]


def test_other_seeds_draw_other_parameters() -> None:
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(Ranker(RankerConfig(dimension=2, hidden=(3,)), SLOTS, 2, 1).state_dict())
    assert not all(torch.equal(made[0][name], made[1][name]) for name in made[0])


def test_it_reads_every_feature_unless_told_which() -> None:
    features = FeatureConfig()
    every = ranker_schema(SlotRegistry(), features, RankerConfig(dimension=4), objectives=3)
    assert [slot.name for slot in every.slots] == [
        "ranker/user", "ranker/item", "ranker/author", "ranker/category", "ranker/duration", "ranker/surface",
        "ranker/hour", "ranker/weekday", "ranker/durationxsurface", "ranker/interests", "ranker/user_attributes",
        "ranker/tags", "ranker/item_attributes", "ranker/age", "ranker/history",
    ]  # fmt: skip
    config = RankerConfig(slots=("item", "user"), dimension=4, admission=2, time_to_live_days=0.5)
    some = ranker_schema(SlotRegistry(), features, config, objectives=3)
    assert [(slot.name, slot.dimension) for slot in some.slots] == [("ranker/item", 7), ("ranker/user", 7)]
    assert [(slot.admission, slot.time_to_live) for slot in some.slots] == [(2, 43_200)] * 2


def test_a_slot_that_is_no_feature_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'colour' is no feature"):
        ranker_schema(SlotRegistry(), FeatureConfig(), RankerConfig(slots=("user", "colour")), objectives=1)


def test_a_new_model_adds_what_the_rates_of_groups_say() -> None:
    features = FeatureConfig(context=(), groups=(("user",), ("user", "category")), crosses=(), half_lives=(0.0, 24.0))
    # Behind 2 base rates: for each of 2 groups and 2 half-lives a count and 2 rates.
    assert [list(columns) for columns in rate_columns(features, objectives=2)] == [[1, 7], [2, 8]]
    config = RankerConfig(dimension=2, hidden=(), rate_weight=0.5)
    model = Ranker(config, SLOTS, dense_columns=14, objectives=2, rates=rate_columns(features, 2))
    dense = torch.tensor([[-1.0, -2.0, 9.0, 1.0, 0.2, 9.0, 9.0, 9.0, 9.0, 3.0, 0.4, 9.0, 9.0, 9.0]])
    logits = model(torch.zeros(1, 2, 4), dense)
    assert logits.tolist() == [[pytest.approx(-1.0 + 0.5 * (1.0 + 3.0)), pytest.approx(-2.0 + 0.5 * (0.2 + 0.4))]]
