"""The multi-task ranker: a linear part, field interactions and a small network, with a head an objective.

Every slot's row holds a weight for each objective and a vector. The logit of an objective is the sum of

- its rate over everything (log-odds; the first dense columns), so that a new model predicts base rates,
- the linear weights of all slots and of the dense columns,
- the pairwise interactions of the vectors (factorization machine; Rendle, 2010), weighed for each objective,
- a network over vectors, dense columns and interactions (as in DeepFM; Guo et al., 2017), shared up to its last layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from feedmill.domain.errors import ConfigError
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, Slot, SlotRegistry
from feedmill.learn.models.config import RankerConfig
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.schema import Schema, make_schema, sources


def ranker_schema(registry: SlotRegistry, features: FeatureConfig, config: RankerConfig, objectives: int) -> Schema:
    """The slots of the ranker; raises ConfigError for a slot that the feature configuration does not have."""
    known = sources(features)
    for name in config.slots:
        if name not in known:
            raise ConfigError(f"ranker.slots: {name!r} is no feature; known are {', '.join(known)}")
    segments = (
        Segment(objectives, Adagrad(config.linear_learning_rate)),
        Segment(config.dimension, Adagrad(config.vector_learning_rate), config.initial_scale),
    )
    days = config.time_to_live_days
    return make_schema(
        registry, features, "ranker", config.slots or tuple(known), segments, dense=True, admission=config.admission,
        time_to_live=None if days is None else max(1, round(days * 24 * 3600)),
    )  # fmt: skip


def rate_columns(features: FeatureConfig, objectives: int) -> list[range]:
    """For each objective the dense columns, after the base rates, that have its rate in each group under the first
    half-life. The fold emits a count and all rates for each half-life of each group."""
    part = 1 + objectives
    group = part * len(features.half_lives)
    return [range(1 + objective, group * len(features.groups), group) for objective in range(objectives)]


class Ranker(nn.Module):
    """The dense part of the ranker; the rows come from the table."""

    def __init__(
        self,
        config: RankerConfig,
        slots: tuple[Slot, ...],
        dense_columns: int,
        objectives: int,
        rates: Sequence[Sequence[int]] = (),
    ) -> None:
        """`rates` are the `rate_columns`, which weigh `config.rate_weight` at first."""
        super().__init__()
        self.slots = slots
        self.objectives = objectives
        self.dense_columns = dense_columns
        inputs = dense_columns - objectives
        self.linear = nn.Linear(inputs, objectives)
        self.interactions = nn.Linear(config.dimension, objectives, bias=False)
        layers: list[nn.Module] = []
        width = len(slots) * config.dimension + inputs + config.dimension
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        head = nn.Linear(width, objectives)
        self.network = nn.Sequential(*layers, head)
        # A new model predicts base rates and what rates of groups add: whatever is not learned yet adds nothing.
        for zeroed in (self.linear.weight, self.linear.bias, head.weight, head.bias):
            nn.init.zeros_(zeroed)
        with torch.no_grad():
            for objective, columns in enumerate(rates):
                self.linear.weight[objective, list(columns)] = config.rate_weight
        nn.init.constant_(self.interactions.weight, 0.1)

    def forward(
        self,
        rows: torch.Tensor,  # float32 [n, slots, objectives + dimension]
        dense: torch.Tensor,  # float32 [n, dense_columns]
    ) -> torch.Tensor:  # float32 [n, objectives]
        """Logits of binary objectives, values of regressed ones."""
        base, inputs = dense[:, : self.objectives], dense[:, self.objectives :]
        weights, vectors = torch.split(rows, [self.objectives, rows.shape[2] - self.objectives], dim=2)
        total = vectors.sum(1)
        pairs = 0.5 * (total * total - (vectors * vectors).sum(1))
        logits: torch.Tensor = base + weights.sum(1) + self.linear(inputs) + self.interactions(pairs)
        logits += self.network(torch.cat([vectors.flatten(1), inputs, pairs], 1))
        return logits
