"""Predicting and learning with the ranker: its dense part, its rows in the table, and the step between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from feedmill.domain.batches import Examples, Features, Float32s
from feedmill.domain.objectives import Objective
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.ranker import Ranker
from feedmill.learn.table.protocol import Table
from feedmill.stream.features.schema import Schema

LARGEST_GRADIENT = 1e15
"""The norm of the gradient up to which a batch is learned; beyond, or where it is no number, the batch is refused."""


class RankerLearner:
    """One ranker and its optimizer. `predict` reads; `learn` is the only thing that changes it."""

    def __init__(
        self, config: RankerConfig, schema: Schema, objectives: Sequence[Objective], dense_columns: int, table: Table,
        seed: int,
    ) -> None:  # fmt: skip
        self.schema = schema
        self.table = table
        self._binary = torch.tensor([objective.kind == "binary" for objective in objectives])
        self._dimension = schema.slots[0].dimension
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = Ranker(config, schema.slots, dense_columns, len(objectives))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.dense_learning_rate, fused=True)
        self.batches_refused = 0
        """Batches that were not learned because their gradient was not finite."""

    def predict(self, features: Features) -> Float32s:
        """float32 [n, O]: probabilities of binary objectives, values of regressed ones."""
        with torch.inference_mode():
            return self._predictions(self.model(self._rows(features), torch.from_numpy(features.dense)))

    def learn(self, examples: Examples) -> Float32s:
        """One step on a batch; gives the predictions of the parameters from before it: float32 [n, O]."""
        features = examples.features
        rows = self._rows(features).requires_grad_()
        logits = self.model(rows, torch.from_numpy(features.dense))
        loss = self._loss(logits, torch.from_numpy(examples.labels), torch.from_numpy(examples.weights))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        if self._finite(rows.grad):
            gradients = rows.grad.numpy().reshape(-1, self._dimension)
            self.table.update(features.ids, features.offsets, gradients, "mean", now=int(examples.timestamps.max()))
            self.optimizer.step()
        else:
            self.batches_refused += 1
        return self._predictions(logits.detach())

    def _rows(self, features: Features) -> torch.Tensor:
        rows = self.table.pooled_lookup(features.ids, features.offsets, "mean", self._dimension)
        return torch.from_numpy(rows).view(len(features), len(self.schema), self._dimension)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        # The sum, not the mean: a row of the table learns as much from an example in a small batch as in a large one.
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        distance = nn.functional.smooth_l1_loss(logits, labels, reduction="none")
        return (torch.where(self._binary, entropy, distance) * weights).sum()

    def _finite(self, rows_gradient: torch.Tensor) -> bool:
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        return bool(nn.utils.get_total_norm([rows_gradient, *gradients]) <= LARGEST_GRADIENT)

    def _predictions(self, logits: torch.Tensor) -> Float32s:
        predictions: Float32s = torch.where(self._binary, torch.sigmoid(logits), logits).numpy()
        return np.ascontiguousarray(predictions)
