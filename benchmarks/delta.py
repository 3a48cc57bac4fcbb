"""Bytes of parameter deltas, and what rounding them costs (figure L4).

A trainer goes over the KuaiRand log once. After every step its rows are published as float32, as bfloat16 and as int8,
and a copy of each follows. Before a step is learned each copy predicts it: the differences of their AUC over the window
say what rounding costs. Bytes are those of rows, ids and heads included, over those of the touched rows' float32
vectors. The peer is Monolith's sync: float32 vectors and 8 bytes an id, without its heads.

    python benchmarks/delta.py [--data FOLDER] [--json] [--quick]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from feedmill.domain.clock import ManualClock
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.config import SyncConfig
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.follower import Follower
from feedmill.learn.sync.protocol import Delta
from feedmill.learn.sync.publisher import Publisher
from feedmill.learn.table.storage import STORAGES, Storage
from feedmill.learn.training.learner import Step
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.measure.metrics.bootstrap import paired_bootstrap
from feedmill.measure.metrics.classification import auc
from feedmill.run.engine import Engine
from public_data import WINDOW_MS, imported, with_data
from report import Figure, arguments, progress, report

RESAMPLES = 200


class CountingChannel(FileChannel):
    """Counts what it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deltas = self.rows = self.encoded = self.vectors = self.ids = self.dense = 0

    def counted(self) -> dict[str, int]:
        """Deltas and rows, and bytes of what."""
        return {name: getattr(self, name) for name in ("deltas", "rows", "encoded", "vectors", "ids", "dense")}

    def publish(self, delta: Delta) -> None:
        super().publish(delta)
        size = self._delta(delta.header.epoch, delta.header.sequence).stat().st_size
        dense = len(delta.dense or b"")
        self.deltas += 1
        self.dense += dense
        self.encoded += size - dense
        for ids, vectors in delta.rows.values():
            self.rows += len(ids)
            self.ids += ids.nbytes
            self.vectors += vectors.nbytes


class Copy:
    """One that follows a trainer, with rows that are rounded on their way."""

    def __init__(self, folder: Path, storage: Storage, trainer: Trainer, snapshots: Snapshots) -> None:
        learner = trainer.learner
        self.channel = CountingChannel(folder / storage)
        config = SyncConfig(sparse_seconds=0, dense_seconds=0, rows=storage)
        self._clock = ManualClock(WINDOW_MS)
        self._publisher = Publisher(self.channel, trainer, self._clock, config)
        registry, columns = SlotRegistry.load(folder / "home" / "slots.json"), learner.state.native.dense_columns
        self._follower = Follower(
            self.channel, snapshots, lambda: Parameters(learner.config, registry, columns), learner.digest
        )
        self._steps = 0
        self.predictions: list[npt.NDArray[np.float32]] = []

    def after(self, step: Step) -> None:
        self.predictions.append(self._follower.parameters.predict(step.examples.features))
        self._steps += 1
        self._publisher.after_step(self._steps, self._steps, 0)
        if self._publisher.last_error:
            raise SystemExit(self._publisher.last_error)
        self._follower.poll()
        if self._follower.refused:
            raise SystemExit(self._follower.refused[-1])
        for epoch, sequence in self.channel.kept()[:-1]:
            self.channel.remove(epoch, sequence)


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.seed, options.seed + (1 if options.quick else 3))
    runs = [run(options.data, seed) for seed in seeds]
    channels = runs[0]["channels"]
    figures, context = {}, {}
    generator = np.random.default_rng(options.seed)
    for storage in STORAGES:
        channel = channels[storage]
        share = channel["encoded"] / channel["vectors"]
        monolith = (channel["vectors"] + channel["ids"]) / channel["vectors"]
        name = "L4" if storage == SyncConfig().rows else f"L4.{storage}"
        figures[name] = Figure(share, "of float32 vectors", peers={"monolith": monolith}, less_is_better=True)
        context[storage] = channel | {"auc_minus_float32": {}}
        for index, objective in enumerate(runs[0]["objectives"]):
            found = [difference(each, storage, index, generator) for each in runs]
            context[storage]["auc_minus_float32"][objective] = {
                "mean": float(np.mean([each[0] for each in found])),
                "by_seed": [each[0] for each in found],
                "interval_of_first": found[0][1:],
            }
    report(figures, options=options, libraries=("torch",), seeds=len(seeds), default=SyncConfig().rows, **context)


def run(data: Path, seed: int) -> dict[str, Any]:
    """A trainer over the log, and copies of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = imported("kuairand", data, folder / "home")
        settings = [f"training.seed={seed}", "training.snapshot_steps=1000000"]
        with Engine.open(home, arguments=settings, environment={}) as engine:
            trainer = engine.trainer
            snapshots = Snapshots(folder / "none")
            copies = {storage: Copy(folder, storage, trainer, snapshots) for storage in STORAGES}
            examples = []

            def goes_on(step: Step) -> bool:
                for copy in copies.values():
                    copy.after(step)
                examples.append(step.examples)
                if len(examples) % 100 == 0:
                    progress(f"seed {seed}: {trainer.position:,} of {engine.log.end():,} records")
                return True

            trainer.run(goes_on)
            inside = np.concatenate([each.timestamps for each in examples]) >= WINDOW_MS
            return {
                "objectives": list(engine.config.objectives),
                "users": np.concatenate([each.users for each in examples])[inside],
                "labels": np.concatenate([each.labels for each in examples])[inside],
                "predictions": {storage: np.concatenate(copy.predictions)[inside] for storage, copy in copies.items()},
                "channels": {storage: copy.channel.counted() for storage, copy in copies.items()},
            }


def difference(
    run: dict[str, Any], storage: Storage, objective: int, generator: np.random.Generator
) -> tuple[float, float, float]:
    """AUC less that of the float32 copy, and its interval over users."""
    one, other = (run["predictions"][name][:, objective] for name in (storage, "float32"))
    found = paired_bootstrap(auc, run["labels"][:, objective], one, other, run["users"], RESAMPLES, generator)
    return found.estimate, found.low, found.high


if __name__ == "__main__":
    main()
