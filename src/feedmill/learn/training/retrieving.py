"""Learning the two towers, and the vectors that retrieval searches by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.ids import UInt64s
from feedmill.learn.models.two_tower import TwoTower
from feedmill.learn.table.protocol import Table
from feedmill.learn.training.ranking import LARGEST_GRADIENT
from feedmill.stream.features.schema import Schema


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
    """The towers of users and items. `learn` is the only thing that changes them."""

    def __init__(self, user_schema: Schema, item_schema: Schema, table: Table) -> None:
        self.user_schema = user_schema
        self.item_schema = item_schema
        self.table = table
        self.model = TwoTower()
        self.dimension = user_schema.slots[0].dimension
        self.version = 0
        """Goes up with every step."""
        self.batches_refused = 0
        """Batches that were not learned because their gradient was not finite."""

    def user_vectors(self, features: Features) -> Float32s:
        """float32 [n, dimension] of features of the user's schema."""
        vectors: Float32s = self._rows(features, self.user_schema).sum(axis=1)
        return vectors

    def item_vectors(self, features: Features) -> Float32s:
        """float32 [n, dimension] of features of the item's schema."""
        vectors: Float32s = self._rows(features, self.item_schema).sum(axis=1)
        return vectors

    def learn(self, liked: Liked) -> None:
        """One step; one pair alone teaches nothing."""
        users, items, popularity, keys, timestamps = liked
        if len(keys) < 2:
            return
        self.version += 1
        user_rows = torch.from_numpy(self._rows(users, self.user_schema)).requires_grad_()
        item_rows = torch.from_numpy(self._rows(items, self.item_schema)).requires_grad_()
        loss = self.model(user_rows, item_rows, torch.from_numpy(popularity), torch.from_numpy(keys.view(np.int64)))
        loss.backward()
        gradients = [rows.grad for rows in (user_rows, item_rows) if rows.grad is not None]
        if not nn.utils.get_total_norm(gradients) <= LARGEST_GRADIENT:
            self.batches_refused += 1
            return
        now = int(timestamps.max())
        for features, gradient in zip((users, items), gradients, strict=True):
            flat = gradient.numpy().reshape(-1, self.dimension)
            self.table.update(features.ids, features.offsets, flat, "mean", now=now)

    def _rows(self, features: Features, schema: Schema) -> Float32s:
        rows = self.table.pooled_lookup(features.ids, features.offsets, "mean", self.dimension)
        return rows.reshape(len(features), len(schema), self.dimension)
