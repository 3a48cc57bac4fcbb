"""Learning the two towers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.ids import UInt64s
from feedmill.learn.models.two_tower import TwoTower
from feedmill.learn.parameters import Parameters
from feedmill.learn.training.ranking import LARGEST_GRADIENT


class Liked(NamedTuple):
    """n pairs of a user and an item that the user liked."""

    users: Features
    """Of the user's schema."""
    items: Features
    """Of the item's schema."""
    popularity: Float32s
    """float32 [n]: likes of each item."""
    keys: UInt64s
    """uint64 [n]: of each item."""
    timestamps: Int64s
    """int64 [n]: UTC milliseconds."""


class TwoTowerLearner:
    """The step of the two towers of some parameters."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._model = TwoTower()
        self._dimension = parameters.user_schema.slots[0].dimension
        self.batches_refused = 0
        """Batches that were not learned because their gradient was not finite."""

    def learn(self, liked: Liked) -> None:
        """One step; one pair alone teaches nothing."""
        users, items, popularity, keys, timestamps = liked
        if len(keys) < 2:
            return
        parameters = self.parameters
        parameters.towers_changed()
        user_rows = torch.from_numpy(parameters.rows(users, parameters.user_schema)).requires_grad_()
        item_rows = torch.from_numpy(parameters.rows(items, parameters.item_schema)).requires_grad_()
        loss = self._model(user_rows, item_rows, torch.from_numpy(popularity), torch.from_numpy(keys.view(np.int64)))
        loss.backward()
        gradients = [rows.grad for rows in (user_rows, item_rows) if rows.grad is not None]
        if not nn.utils.get_total_norm(gradients) <= LARGEST_GRADIENT:
            self.batches_refused += 1
            return
        now = int(timestamps.max())
        for features, gradient in zip((users, items), gradients, strict=True):
            flat = gradient.numpy().reshape(-1, self._dimension)
            parameters.table.update(features.ids, features.offsets, flat, "mean", now=now)
