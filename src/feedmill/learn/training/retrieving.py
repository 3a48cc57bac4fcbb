"""Learning the two towers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.ids import UInt64s
from feedmill.learn.guards.set_aside import Refusal
from feedmill.learn.models.two_tower import TwoTower
from feedmill.learn.parameters import Parameters
from feedmill.learn.training.ranking import unfit


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

    def learn(self, liked: Liked) -> Refusal | None:
        """One step, or none where the loss or a gradient is not finite; one pair alone teaches nothing."""
        users, items, popularity, keys, timestamps = liked
        if len(keys) < 2:
            return None
        parameters = self.parameters
        user_rows = torch.from_numpy(parameters.rows(users, parameters.user_schema)).requires_grad_()
        item_rows = torch.from_numpy(parameters.rows(items, parameters.item_schema)).requires_grad_()
        loss = self._model(user_rows, item_rows, torch.from_numpy(popularity), torch.from_numpy(keys.view(np.int64)))
        loss.backward()
        gradients = [rows.grad for rows in (user_rows, item_rows) if rows.grad is not None]
        if reason := unfit(loss, gradients):
            return Refusal("towers", len(keys), reason)
        parameters.towers_changed()
        now = int(timestamps.max())
        for features, gradient in zip((users, items), gradients, strict=True):
            flat = gradient.numpy().reshape(-1, self._dimension)
            parameters.table.update(features.ids, features.offsets, flat, "mean", now=now)
        return None
