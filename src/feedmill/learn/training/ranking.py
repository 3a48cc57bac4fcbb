"""Learning the ranker: the step between its network and its rows in the table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from feedmill.domain.batches import Examples, Float32s
from feedmill.learn.guards.set_aside import Refusal
from feedmill.learn.parameters import Parameters

LARGEST_GRADIENT = 1e15
"""The norm of the gradient up to which a batch is learned; beyond, or where it is no number, it is set aside."""
_SLOWING = 50
"""Steps after which the learning rate of the dense part is half-way between its first and its last."""


def unfit(loss: torch.Tensor, gradients: Sequence[torch.Tensor]) -> str:
    """Why a batch must not be learned; empty where it may be."""
    if not torch.isfinite(loss):
        return f"the loss is {float(loss.detach()):g}"
    norm = float(nn.utils.get_total_norm(gradients))
    # Not `>`: that lets a norm pass that is no number.
    return "" if norm <= LARGEST_GRADIENT else f"the norm of the gradient is {norm:g}, above {LARGEST_GRADIENT:g}"


class RankerLearner:
    """The optimizer of the ranker of some parameters. While it lives nothing else may change these."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        config = parameters.config
        binary = [objective.kind == "binary" for objective in config.objectives.values()]
        self._binary = torch.tensor(binary, device=parameters.device)
        self._dimension = parameters.ranker_schema.slots[0].dimension
        self._network = parameters.network
        self._last_rate = config.ranker.dense_learning_rate
        self._first_rate = max(config.ranker.first_dense_learning_rate, self._last_rate)
        self.optimizer = torch.optim.Adam(self._network.parameters(), lr=self._first_rate, fused=True)

    def learn(self, examples: Examples) -> tuple[Float32s, Refusal | None]:
        """One step on a batch, or none where its loss or a gradient is not finite: all is then as it was.

        Gives the predictions of the parameters from before it, float32 [n, O].
        """
        features, parameters = examples.features, self.parameters
        rows = self._tensor(parameters.rows(features, parameters.ranker_schema)).requires_grad_()
        logits = self._network(rows, self._tensor(features.dense))
        loss = self._loss(logits, self._tensor(examples.labels), self._tensor(examples.weights))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        predictions = parameters.predictions(logits.detach())
        dense = [parameter.grad for parameter in self._network.parameters() if parameter.grad is not None]
        if reason := unfit(loss, [rows.grad, *dense]):
            return predictions, Refusal("ranker", len(examples), reason)
        gradients = rows.grad.cpu().numpy().reshape(-1, self._dimension)
        now = int(examples.timestamps.max())
        parameters.table.update(features.ids, features.offsets, gradients, "mean", now=now)
        self.optimizer.param_groups[0]["lr"] = self._rate()
        self.optimizer.step()
        return predictions, None

    def _rate(self) -> float:
        """The learning rate of the next step of the dense part: high at first, and half-way down after `_SLOWING`."""
        steps = next((float(state["step"]) for state in self.optimizer.state.values()), 0.0)
        return self._last_rate + (self._first_rate - self._last_rate) / (1 + steps / _SLOWING)

    def _tensor(self, column: Float32s) -> torch.Tensor:
        return torch.from_numpy(column).to(self.parameters.device)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        # The sum, not the mean: a row of the table learns as much from an example in a small batch as in a large one.
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        distance = nn.functional.smooth_l1_loss(logits, labels, reduction="none")
        return (torch.where(self._binary, entropy, distance) * weights).sum()
