"""What sampled negatives and late labels do to calibration, and what sampling saves.

On KuaiRand (progressive predictions of every row, sampled or not): predicted over observed clicks, long views and likes
with one in ten negatives learned, divided by the same without sampling. Beside the weights that Feedmill uses stand a
constant shift of the log-odds, the same where each objective samples its own negatives, and no correction.

In a made-up log in which the probability of a click is known and two fifths of the clicks come after the window:
predicted over true probability, with Feedmill's correction and with others.

    python benchmarks/calibration.py [--data FOLDER] [--json] [--quick]
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from feedmill.domain.batches import Examples, Float32s
from feedmill.domain.clock import MINUTE, SECOND
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.ranking import RankerLearner
from feedmill.measure.metrics.classification import auc, calibration
from feedmill.run.config import load_config
from feedmill.stream.joining.sampling import NegativeSampling
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.state.state import Emit
from public_data import imported, with_data
from report import Figure, arguments, progress, report

RATE = 0.1
OBJECTIVES = ("click", "long_view", "like")
Change = Callable[[Examples, Float32s], Examples]
"""What is learned of some examples, for which this was predicted."""


class ShiftedRanker(RankerLearner):
    """Learns as if every logit were higher by a constant: what a sample of the negatives makes of the log-odds."""

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return super()._loss(logits - math.log(RATE), labels, weights)


@dataclass
class Run:
    """A pass over a log."""

    predictions: Float32s
    """float32 [n, O]: of every impression, before it was learned."""
    examples: Examples
    learned: int
    seconds: float


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.seed, options.seed + (1 if options.quick else 5))
    figures: dict[str, Figure] = {}
    context: dict[str, Any] = {"rate": RATE, "seeds": len(seeds)}
    with tempfile.TemporaryDirectory() as folder:
        home = imported("kuairand", options.data, Path(folder))
        log = SqliteLog(home / "log.sqlite", read_only=True)
        config = load_config(home / "feedmill.toml").learning()
        sampled(log, config, seeds, figures, context)
        log.close()
    late(seeds, figures, context)
    report(figures, options=options, libraries=("torch",), **context)


def sampled(
    log: SqliteLog, config: LearningConfig, seeds: range, figures: dict[str, Figure], context: dict[str, Any]
) -> None:
    """One in ten negatives of KuaiRand."""
    kinds: dict[str, Callable[[int], Run]] = {
        "all": lambda seed: over(log, seeded(config, seed)),
        "weights": lambda seed: over(log, seeded(config, seed, negative_rate=RATE)),
        "log-odds": lambda seed: over(log, seeded(config, seed), alike(seed, 1.0), ShiftedRanker),
        "log-odds, each its own": lambda seed: over(log, seeded(config, seed), apart(seed), ShiftedRanker),
        "nothing": lambda seed: over(log, seeded(config, seed), alike(seed, 1.0)),
    }
    found: dict[str, list[Run]] = {}
    for kind, run in kinds.items():
        found[kind] = [run(seed) for seed in seeds]
        progress(f"{kind}: {[round(run.seconds, 2) for run in found[kind]]} s")
    for index, name in enumerate(OBJECTIVES):
        calibrations = {
            kind: [calibration(run.examples.labels[:, index], run.predictions[:, index]) for run in runs]
            for kind, runs in found.items()
        }
        ratios = {
            kind: float(np.mean([ours / full for ours, full in zip(values, calibrations["all"], strict=True)]))
            for kind, values in calibrations.items()
        }
        figures[f"sampled.{name}"] = Figure(ratios["weights"], "predicted over observed, over that of all negatives")
        context[f"sampled.{name}"] = {
            "ratios": ratios,
            "by_seed": calibrations,
            "auc": {
                kind: float(np.mean([auc(run.examples.labels[:, index], run.predictions[:, index]) for run in runs]))
                for kind, runs in found.items()
            },
        }
    passes = 1 if len(seeds) == 1 else 5
    for name, chosen in (("", config), (".like_alone", msgspec.structs.replace(config, objectives=only(config)))):
        runs = [[timed(log, seeded(chosen, 0, negative_rate=rate)) for rate in (RATE, 1.0)] for _ in range(passes)]
        seconds = np.median([[taken for taken, _ in pair] for pair in runs], axis=0).tolist()
        figures[f"sampled.seconds{name}"] = Figure(seconds[0], "CPU s", peers={"all": seconds[1]}, less_is_better=True)
        context[f"sampled.learned{name}"] = {"sampled": runs[0][0][1], "all": runs[0][1][1]}


def late(seeds: range, figures: dict[str, Figure], context: dict[str, Any]) -> None:
    """Two fifths of the clicks come after the window."""
    kinds: dict[str, Change] = {
        "correction": lambda examples, predictions: examples,
        "late ones are ignored": lambda examples, predictions: replace(
            examples, weights=np.where(is_late(examples), 0, examples.weights)
        ),
        "late ones are added": lambda examples, predictions: replace(examples, weights=np.maximum(examples.weights, 0)),
        "fake negative weighted": fake_negative_weighted,
    }
    of_kind: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for seed in seeds:
        world = Clicks(np.random.default_rng(seed))
        for kind, change in kinds.items():
            predicted, true = world.learned(change, seed)
            error = float(np.mean(np.abs(predicted - true)))
            of_kind[kind].append((float(predicted.mean() / true.mean()), error))
        progress(f"late, seed {seed}: { ({kind: values[-1] for kind, values in of_kind.items()}) }")
    means = {kind: np.mean(values, axis=0).tolist() for kind, values in of_kind.items()}
    figures["late"] = Figure(means["correction"][0], "predicted over true probability")
    context["late"] = {
        kind: {"predicted_over_true": ratio, "mean_absolute_error": error} for kind, (ratio, error) in means.items()
    }


def seeded(config: LearningConfig, seed: int, **join: Any) -> LearningConfig:
    return msgspec.structs.replace(
        config,
        training=msgspec.structs.replace(config.training, seed=seed),
        join=msgspec.structs.replace(config.join, **join),
    )


def only(config: LearningConfig) -> dict[str, Objective]:
    return {"like": config.objectives["like"]}


def batches(log: SqliteLog, size: int) -> Iterator[list[Record]]:
    position, end = 0, log.end()
    while position < end:
        records, position = log.read(position, size)
        yield records


def over(
    log: SqliteLog,
    config: LearningConfig,
    change: Change = lambda examples, predictions: examples,
    ranker: type[RankerLearner] = RankerLearner,
) -> Run:
    """Every row of the log is predicted; what is learned of it is what the configuration keeps, changed."""
    every = Learner(msgspec.structs.replace(config, join=msgspec.structs.replace(config.join, negative_rate=1.0)),
                    SlotRegistry())  # fmt: skip
    every.frozen = True
    learner = Learner(config, SlotRegistry())
    learner.ranker = ranker(learner.parameters)
    emit = [Emit(learner.parameters.ranker_schema.view, "examples")]
    predictions, parts, learned, seconds = [], [], 0, 0.0
    for records in batches(log, config.training.batch):
        rows = every.step(records).examples
        predicted = learner.parameters.predict(rows.features) if len(rows) else np.empty((0, len(config.objectives)))
        predictions.append(predicted)
        parts.append(rows)
        joined = learner.joiner.push(records, learner.state.fold(records, emit))
        told = change(joined, predicted)
        told = told.take(np.flatnonzero(told.weights.any(axis=1)))
        started = time.perf_counter()
        if len(told):
            learner.ranker.learn(told)
        seconds += time.perf_counter() - started
        learned += len(told)
    return Run(np.concatenate(predictions), concatenated(parts), learned, seconds)


def timed(log: SqliteLog, config: LearningConfig) -> tuple[float, int]:
    """CPU seconds of a pass, as `feedmill train` makes it, and the examples that it learned."""
    learner, learned = Learner(config, SlotRegistry()), 0
    started = time.process_time()
    for step in learner.run(batches(log, config.training.batch)):
        learned += len(step.examples)
    return time.process_time() - started, learned


def concatenated(parts: list[Examples]) -> Examples:
    """The labels of all parts; the features are those of the first."""
    return replace(parts[0], labels=np.concatenate([part.labels for part in parts]))


def alike(seed: int, weight: float) -> Change:
    """Impressions without anything positive are kept or left out, all objectives alike."""
    sampling = NegativeSampling(RATE, seed)

    def change(examples: Examples, predictions: Float32s) -> Examples:
        kept = sampling.weights(examples.users, examples.items, examples.sequence) > 0
        weights = (examples.labels.any(axis=1) | kept) * np.float32(weight)
        return replace(examples, weights=examples.weights * weights[:, None])

    return change


def apart(seed: int) -> Change:
    """Every objective keeps or leaves out its own negatives, though another may have been positive."""
    sampling = NegativeSampling(RATE, seed)

    def change(examples: Examples, predictions: Float32s) -> Examples:
        kept = sampling.weights(examples.users, examples.items, examples.sequence) > 0
        return replace(examples, weights=examples.weights * ((examples.labels > 0) | kept[:, None]))

    return change


def is_late(examples: Examples) -> npt.NDArray[np.bool_]:
    """bool [n, 1]: which rows take back what was taught, or teach what is true instead; they come in pairs."""
    back = (examples.weights < 0).any(axis=1)
    return np.asarray((back | np.concatenate([[False], back[:-1]]))[:, None])


def fake_negative_weighted(examples: Examples, predictions: Float32s) -> Examples:
    """Negatives count (1 - p)(1 + p), positives 1 + p, with p as it is predicted (Ktena et al., 2019)."""
    weight = np.where(examples.labels > 0, 1 + predictions, (1 - predictions) * (1 + predictions))
    return replace(examples, weights=np.maximum(examples.weights, 0) * weight.astype(np.float32))


class Clicks:
    """A log in which the probability of every click is known, and two fifths of the clicks come late."""

    USERS, ITEMS, SIZE = 300, 60, 40_000

    def __init__(self, generator: np.random.Generator) -> None:
        users, items = generator.integers(self.USERS, size=self.SIZE), generator.integers(self.ITEMS, size=self.SIZE)
        taste = generator.normal(-1.5, 0.7, self.USERS)[users] + generator.normal(0, 0.7, self.ITEMS)[items]
        self.true = 1 / (1 + np.exp(-taste))
        records = [Record("item", 0, object=f"i{item}", body=Item(author_id=f"a{item % 7}")) for item in range(60)]
        happened: list[tuple[int, Record]] = []
        for number, (user, item) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
            now = number * SECOND
            happened.append((now, Record("seen", now, f"u{user}", f"i{item}", request_id=f"r{number}")))
            if generator.random() < self.true[number]:
                delay = 11 + generator.exponential(60) if generator.random() < 0.4 else 9 * generator.random()
                then = now + round(delay * MINUTE)
                happened.append((then, Record("event", then, f"u{user}", f"i{item}", "click", request_id=f"r{number}")))
        self.records = records + [record for _, record in sorted(happened, key=lambda pair: pair[0])]

    def learned(self, change: Change, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What was predicted of the impressions of the second half before they were learned, and what is true."""
        config = LearningConfig({"click": Action("positive")}, {"click": Objective("click")})
        config = seeded(config, seed)
        learner = Learner(config, SlotRegistry())
        emit = [Emit(learner.parameters.ranker_schema.view, "examples")]
        predicted, true = [], []
        for start in range(0, len(self.records), config.training.batch):
            records = self.records[start : start + config.training.batch]
            folded = learner.state.fold(records, emit)
            shown = [int(record.request_id[1:]) for record in records if record.kind == "seen"]
            if shown:
                predicted.append(learner.parameters.predict(folded.emitted[0].features)[:, 0])
                true.append(self.true[shown])
            joined = learner.joiner.push(records, folded)
            if len(joined):
                learner.ranker.learn(change(joined, learner.parameters.predict(joined.features)))
        half = self.SIZE // 2
        return np.concatenate(predicted)[half:].astype(np.float64), np.concatenate(true)[half:]


if __name__ == "__main__":
    main()
