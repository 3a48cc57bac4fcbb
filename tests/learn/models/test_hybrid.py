"""Hybrids: what parts count, and which part answers whom."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item
from feedmill.learn.models.content import Content
from feedmill.learn.models.hybrid import Stacked, StackedConfig, Switching, SwitchingConfig, Weighted, WeightedConfig
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.popularity import Popularity
from feedmill.measure.evaluation.temporal import LeaveLastOut
from feedmill.measure.metrics import hits_in_arrays
from feedmill.testing.batch_model_contract import ITEMS, taste_interactions

LOG = taste_interactions()
USERS = np.arange(20)


@pytest.mark.parametrize(("first", "alone"), [(1.0, ItemNeighbours), (0.0, Popularity)])
def test_a_blend_in_which_one_counts_alone_ranks_as_it_does(first, alone) -> None:
    blend = Weighted(WeightedConfig(models=("item-neighbours", "popularity"), first=first)).fit(LOG)
    assert blend.recommend(USERS, 10)[0].tolist() == alone().fit(LOG).recommend(USERS, 10)[0].tolist()


def test_a_blend_weighs_scores_that_go_from_0_to_1() -> None:
    blend = Weighted(WeightedConfig(models=("item-neighbours", "popularity"), first=0.6)).fit(LOG)
    known = np.flatnonzero(np.bincount(LOG.items, minlength=ITEMS))
    users = np.zeros(len(known), dtype=int)
    parts = [kind().fit(LOG).predict(users, known) for kind in (ItemNeighbours, Popularity)]
    scaled = [(part - part.min()) / (part.max() - part.min()) for part in parts]
    np.testing.assert_allclose(blend.predict(users, known), 0.6 * scaled[0] + 0.4 * scaled[1], atol=1e-5)


def test_stacking_gives_no_weight_to_a_part_that_knows_nothing() -> None:
    """Content without descriptions scores everything 0."""
    stacked = Stacked(StackedConfig(models=("item-neighbours", "content"))).fit(LOG)
    assert stacked.weights.tolist() == [1.0, 0.0]


def test_a_stack_of_what_is_like_and_what_is_popular_is_ahead_of_both() -> None:
    topics = {item: Item(tags=(f"topic {item % 4}",)) for item in range(78)}
    rates: dict[str, list[float]] = {}
    for seed in range(3):
        (split,) = LeaveLastOut().splits(taste_interactions(seed))
        for model in (Stacked(StackedConfig(models=("content", "popularity"))), Content(), Popularity()):
            lists, _ = model.describe(topics).fit(split.train).recommend(split.users, 5)
            hits = hits_in_arrays(lists, np.searchsorted(split.users, split.test.users), split.test.items)
            rates.setdefault(model.name, []).append(hits.means().hit_rate)
    found = {name: np.mean(values) for name, values in rates.items()}
    assert found["stacked"] >= found["content"] > found["popularity"] + 0.1


def test_where_nothing_can_be_held_out_the_parts_count_alike() -> None:
    stacked = Stacked(StackedConfig(models=("svd", "popularity"))).fit(Interactions.of([0, 1, 2], [0, 1, 2]))
    assert stacked.weights.tolist() == [0.5, 0.5]


def test_who_took_to_few_items_is_answered_by_the_first_and_the_others_by_the_second() -> None:
    switching = Switching(SwitchingConfig(models=("popularity", "item-neighbours"), few=3)).fit(LOG)
    history = Interactions.of([0, 0, 1, 1, 1], [4, 8, 5, 9, 13], n_users=2, n_items=ITEMS)
    lists = switching.recommend([0, 1], 10, history=history)[0]
    for user, kind in enumerate((Popularity, ItemNeighbours)):
        assert lists[user].tolist() == kind().fit(LOG).recommend([0, 1], 10, history=history)[0][user].tolist()


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (WeightedConfig, {"models": ("ease",)}),
        (WeightedConfig, {"models": ("ease", "ease")}),
        (WeightedConfig, {"models": ("ease", "nothing")}),
        (WeightedConfig, {"first": 1.5}),
        (StackedConfig, {"negatives": 0}),
        (SwitchingConfig, {"models": ("ease", "als", "svd")}),
        (SwitchingConfig, {"few": 0}),
    ],
)
def test_settings_that_make_no_hybrid_are_refused_by_name(config, settings) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        config(**settings)
