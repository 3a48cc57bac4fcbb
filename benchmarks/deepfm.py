"""DeepFM on the embedding table beside the same model on torch's sparse layer (figure L1), in float32 and in bfloat16.

26 slots of 16 columns and a linear weight, and a network of 400-400-400 (Guo et al., 2017). Both see the same batches,
from the same initial weights: the rows learn by Adagrad, the network by Adam. Labels come from a hidden linear model
over ids that follow Zipf's law (the logarithm of the rank is uniform). The peer is `torch.nn.Embedding(sparse=True)`
with `torch.optim.Adagrad`, over positions that somebody else has hashed.

    python benchmarks/deepfm.py [--json] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from feedmill import EmbeddingBag, EmbeddingTable
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, Slot
from feedmill.measure.metrics import auc
from report import Figure, arguments, cores, progress, report

SLOTS = 26
DIMENSION = 16
COLUMNS = 1 + DIMENSION
BATCH = 2048
NOW = 1_651_161_600_000
COMPARED = 200
RATE = 0.05

Look = Callable[[npt.NDArray[np.int64]], torch.Tensor]
"""Positions [n, SLOTS] to rows float32 [n, SLOTS, COLUMNS]."""


class DeepFM(nn.Module):
    """The dense part."""

    def __init__(self, *, halved: bool) -> None:
        """`halved`: the products of the network in bfloat16; its weights and all sums stay float32."""
        super().__init__()
        self._halved = halved
        width = SLOTS * DIMENSION
        layers: list[nn.Module] = []
        for hidden in (400, 400, 400):
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.network = nn.Sequential(*layers, nn.Linear(width, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits, float32 [n]."""
        linear, vectors = rows[:, :, 0].sum(1), rows[:, :, 1:]
        total = vectors.sum(1)
        pairs = 0.5 * (total * total - (vectors * vectors).sum(1)).sum(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._halved):
            deep = self.network(vectors.flatten(1))[:, 0]
        return self.bias + linear + pairs + deep.float()


@dataclass
class Run:
    """What one of the two did."""

    losses: list[float]
    rows_per_second: float
    auc: float


@dataclass
class Data:
    """Examples: which of the slot's values each has, and what followed."""

    positions: npt.NDArray[np.int64]
    """int64 [n, SLOTS], in 0 to all values less one."""
    labels: npt.NDArray[np.float32]


def main() -> None:
    options = arguments((__doc__ or "").splitlines()[0]).parse_args()
    torch.set_num_threads(cores())
    values = 20_000 if options.quick else 200_000
    steps = 60 if options.quick else 1_000
    data = made(values, BATCH * (steps + 20), options.seed)
    weights = initial(values, options.seed)
    rounds: dict[str, list[Run]] = {}
    for number in range(1 if options.quick else 2):
        for kind, halved in (("", False), (", bfloat16", True)):
            for name, learn in (("torch", with_torch), ("table", with_table)):
                runs = rounds.setdefault(name + kind, [])
                runs.append(learn(data, weights, steps, halved=halved))
                progress(f"round {number + 1}, {name}{kind}: {runs[-1].rows_per_second:.0f} rows/s")
    ours, theirs = rounds["table"][0], rounds["torch"][0]
    apart = max(abs(a - b) for a, b in zip(ours.losses[:COMPARED], theirs.losses[:COMPARED], strict=True))
    rates = {name: max(run.rows_per_second for run in runs) for name, runs in rounds.items()}
    report(
        {
            "L1": Figure(rates["table"], "rows/s", peers={"torch, sparse Adagrad": rates["torch"]}),
            "L1.bfloat16": Figure(
                rates["table, bfloat16"],
                "rows/s",
                peers={"torch, sparse Adagrad": rates["torch"], "the same in bfloat16": rates["torch, bfloat16"]},
            ),
        },
        options=options,
        libraries=("numpy", "torch"),
        slots=SLOTS,
        values=values * SLOTS,
        batch=BATCH,
        steps=steps,
        auc={name: round(runs[0].auc, 5) for name, runs in rounds.items()},
        largest_difference_of_loss={"steps": min(COMPARED, steps), "value": apart},
    )


def made(values: int, n: int, seed: int) -> Data:
    """n examples over so many values of each slot."""
    rng = np.random.default_rng(seed)
    ranks = (values ** rng.random((n, SLOTS))).astype(np.int64) % values
    positions = ranks + values * np.arange(SLOTS)
    hidden = rng.normal(scale=0.4, size=values * SLOTS)
    chances = 1 / (1 + np.exp(-(hidden[positions].sum(1) - 1.5)))
    return Data(positions, (rng.random(n) < chances).astype(np.float32))


def initial(values: int, seed: int) -> npt.NDArray[np.float32]:
    """float32 [values of all slots, COLUMNS]."""
    rng = np.random.default_rng([seed, 1])
    return rng.uniform(-0.05, 0.05, size=(values * SLOTS, COLUMNS)).astype(np.float32)


def with_table(data: Data, weights: npt.NDArray[np.float32], steps: int, *, halved: bool) -> Run:
    """The model on Feedmill's table."""
    slots = [Slot(number, f"deepfm/{number}", (Segment(COLUMNS, Adagrad(RATE)),)) for number in range(1, SLOTS + 1)]
    table = EmbeddingTable(slots, threads=cores())
    values = len(weights) // SLOTS
    ids = np.concatenate([feature_ids(slot.number, np.arange(1, values + 1, dtype=np.uint64)) for slot in slots])
    for start in range(0, len(ids), 65_536):
        table.put(ids[start : start + 65_536], weights[start : start + 65_536], now=NOW)
    bag = EmbeddingBag(table)

    def look(positions: npt.NDArray[np.int64]) -> torch.Tensor:
        own: UInt64s = ids[positions.ravel()]
        return bag(own).view(-1, SLOTS, COLUMNS)

    return learn(data, steps, look, lambda: bag.step(now=NOW), halved=halved)


def with_torch(data: Data, weights: npt.NDArray[np.float32], steps: int, *, halved: bool) -> Run:
    """The model on torch's sparse layer."""
    torch.sparse.check_sparse_tensor_invariants.disable()
    layer = nn.Embedding.from_pretrained(torch.from_numpy(weights.copy()), freeze=False, sparse=True)
    optimizer = torch.optim.Adagrad(layer.parameters(), lr=RATE, initial_accumulator_value=0.1, eps=0)

    def step() -> None:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return learn(data, steps, lambda positions: layer(torch.from_numpy(positions)), step, halved=halved)


def learn(data: Data, steps: int, look: Look, step: Callable[[], None], *, halved: bool) -> Run:
    """Go over the batches once, then measure on the rest."""
    torch.manual_seed(0)
    model = DeepFM(halved=halved)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    losses = []
    started = time.perf_counter()
    for number in range(steps):
        some = slice(number * BATCH, (number + 1) * BATCH)
        logits = model(look(data.positions[some]))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(data.labels[some]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step()
        losses.append(loss.item())
    seconds = time.perf_counter() - started
    held_out = slice(steps * BATCH, None)
    with torch.inference_mode():
        scores = torch.cat([model(look(part)) for part in np.array_split(data.positions[held_out], 20)]).numpy()
    return Run(losses, steps * BATCH / seconds, auc(data.labels[held_out] > 0.5, scores))


if __name__ == "__main__":
    main()
