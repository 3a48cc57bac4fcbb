"""The two-tower model for retrieval: a vector for the user, one for the item, and their product.

Each tower is the sum of the vectors of its slots, so with only `user` and `item` it is matrix factorization, and with
tags and authors a new item has a vector before anyone saw it (as in LightFM; Kula, 2015). It learns from what users
liked, by a softmax over the items of the batch, with the log of an item's popularity taken off (Yi et al., 2019,
"Sampling-bias-corrected neural modeling for large corpus item recommendations", section 3).
"""

from __future__ import annotations

import torch
from torch import nn

from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, SlotRegistry
from feedmill.learn.models.config import TwoTowerConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.schema import Schema, make_schema


def tower_schemas(registry: SlotRegistry, features: FeatureConfig, config: TwoTowerConfig) -> tuple[Schema, Schema]:
    """The slots of the user's and of the item's tower."""
    segments = (Segment(config.dimension, Adagrad(config.learning_rate), config.initial_scale),)
    return (
        make_schema(registry, features, "two_tower", config.user_slots, segments, dense=False),
        make_schema(registry, features, "two_tower", config.item_slots, segments, dense=False),
    )


class TwoTower(nn.Module):
    """The loss of the two towers; all of its parameters are rows of the table."""

    def forward(
        self,
        users: torch.Tensor,  # float32 [n, user slots, dimension]
        items: torch.Tensor,  # float32 [n, item slots, dimension]
        popularity: torch.Tensor,  # float32 [n]: likes of each item
        keys: torch.Tensor,  # int64 [n]: tells which items are the same
    ) -> torch.Tensor:  # float32 scalar: the summed loss
        """The sum of the softmax losses of each liked item against the others of the batch."""
        logits = users.sum(1) @ items.sum(1).T - torch.log1p(popularity)
        same = keys[:, None] == keys[None, :]
        same.fill_diagonal_(False)
        targets = torch.arange(len(keys))
        return nn.functional.cross_entropy(logits.masked_fill(same, -torch.inf), targets, reduction="sum")
