"""Logistic regression and factorisation machine beside Vowpal Wabbit's: quality of predictions, and seconds.

All learn the same examples, those of the engine's joiner, in one pass in the order of the log: ids of all slots, a bag
as its mean, and dense columns as they are. They predict the first objective of what comes after. The rate of each is
chosen from the same grid by the log loss on the last fifth of what is learned. Quality is AUC and log loss, with 95 %
intervals from resampling users, and so is the difference; of a model that draws random numbers under the first seed.
Vowpal Wabbit has two ways to learn and, for the factorisation machine, three scales of ids to choose from as well, and
its pairs are those of slots: it visits pair by pair, and pairs with dense columns take it minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from feedmill.domain.batches import Examples, Float32s
from feedmill.learn.models.factorisation_machine import FactorisationMachine
from feedmill.learn.models.logistic_regression import LogisticRegression
from feedmill.learn.models.on_table import TableClickModel
from feedmill.measure.metrics import auc, log_loss, metric_interval, paired_bootstrap
from feedmill.stream.joining.stored import read_examples
from peers.choosing import best_of
from peers.environment import ask
from report import Figure, progress

CLICK_PEER = "vowpal_wabbit"
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
CLICK_MODELS: dict[type[TableClickModel], str] = {LogisticRegression: "alpha", FactorisationMachine: "learning_rate"}
"""What the rate is called."""
METRICS = {"auc": auc, "log loss": log_loss}
SAMPLES = 1_000
FITS = 3
"""Of a model that draws nothing, and of a peer."""


@dataclass(frozen=True)
class Rows:
    """Examples of one objective in the order of the log, and where those to choose on and those to judge begin."""

    examples: Examples
    chosen: int
    judged: int

    def part(self, start: int, end: int) -> Examples:
        return self.examples.take(np.arange(start, end))


@dataclass(frozen=True)
class Predictions:
    """What one model predicted of the judged rows, fit by fit."""

    probabilities: Sequence[Float32s]
    fit: Sequence[float]
    """Seconds."""
    predict: Sequence[float]
    chosen: Any

    def seconds(self) -> dict[str, float]:
        """Medians over fits."""
        return {"fit": round(float(np.median(self.fit)), 4), "predict": round(float(np.median(self.predict)), 4)}


def rows_of(home: Path, judged_from: int | None) -> Rows:
    """The examples of a home; judged is what was shown from a time on (UTC milliseconds), or the last fifth."""
    stream = home / "examples-of-clicks"
    command = [Path(sys.executable).with_name("feedmill"), "examples", "--home", home, "--output", stream]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    every = Examples.concatenate(list(read_examples(stream)))
    first = Examples(
        every.features, every.labels[:, :1].copy(), every.weights[:, :1].copy(), every.users, every.items,
        every.timestamps, every.sequence,
    )  # fmt: skip
    # What takes a label back is no row for a model that cannot forget.
    rows = first.take(np.flatnonzero(first.weights[:, 0] > 0))
    n = len(rows)
    judged = n - n // 5 if judged_from is None else int(np.searchsorted(rows.timestamps, judged_from))
    return Rows(rows, judged - judged // 5, judged)


def predictions_of(
    kind: type[TableClickModel], rows: Rows, rates: Sequence[float], seeds: Sequence[int]
) -> Predictions:
    """What our model predicts."""
    grid = [{CLICK_MODELS[kind]: rate} for rate in rates]
    learned, between = rows.part(0, rows.chosen), rows.part(rows.chosen, rows.judged)

    def predicted(settings: dict[str, float]) -> Float32s:
        return model_of(kind, settings, seeds[0]).fit(learned).predict(between.features)[:, 0]

    chosen = best_of(grid, predicted, between.labels[:, 0] > 0.5)
    learned, judged = rows.part(0, rows.judged), rows.part(rows.judged, len(rows.examples))
    probabilities, fit, predict = [], [], []
    for seed in seeds if kind is FactorisationMachine else seeds[:1] * FITS:
        model = model_of(kind, chosen, seed)
        started = time.perf_counter()
        model.fit(learned)
        fitted = time.perf_counter()
        probabilities.append(model.predict(judged.features)[:, 0])
        predict.append(time.perf_counter() - fitted)
        fit.append(fitted - started)
    return Predictions(probabilities, fit, predict, chosen)


def model_of(kind: type[TableClickModel], settings: dict[str, float], seed: int) -> TableClickModel:
    return kind(msgspec.convert({**settings, "epochs": 1, "seed": seed}, kind.Config))


def predictions_of_peer(python: Path, rows: Rows, rates: Sequence[float], folder: Path) -> dict[str, Predictions]:
    """What Vowpal Wabbit's models predict, by the names of ours. Raises Unavailable."""
    progress(f"{CLICK_PEER} ...")
    question, answer = folder / "question.npz", folder / "answer.npz"
    np.savez(
        question,
        ids=rows.examples.features.ids,
        offsets=rows.examples.features.offsets,
        dense=rows.examples.features.dense,
        labels=rows.examples.labels[:, 0] > 0.5,
        bounds=[rows.chosen, rows.judged],
        requests=json.dumps({kind.name: {"rates": rates, "fits": FITS} for kind in CLICK_MODELS}),
    )
    ask(CLICK_PEER, python, question, answer)
    found = {}
    with np.load(answer) as file:
        for kind in CLICK_MODELS:
            probabilities, fit, predict, chosen = (
                file[f"{kind.name}.{part}"] for part in ("predicted", "fit", "predict", "chosen")
            )
            found[kind.name] = Predictions([probabilities], fit.tolist(), predict.tolist(), json.loads(str(chosen)))
    return found


def compared_clicks(
    name: str, rows: Rows, ours: dict[str, Predictions], theirs: dict[str, Predictions], seed: int
) -> tuple[dict[str, Any], dict[str, Figure]]:
    """What the models reach on the judged rows, and the figures of it."""
    judged = rows.part(rows.judged, len(rows.examples))
    labels, users = judged.labels[:, 0] > 0.5, judged.users
    generator = np.random.default_rng(seed)

    def bounds(metric: str, own: Float32s, other: Float32s | None = None) -> list[float]:
        found = (
            metric_interval(METRICS[metric], labels, own, users, SAMPLES, generator)
            if other is None
            else paired_bootstrap(METRICS[metric], labels, own, other, users, SAMPLES, generator)
        )
        return [round(value, 5) for value in (found.estimate, found.low, found.high)]

    models: dict[str, Any] = {}
    figures: dict[str, Figure] = {}
    for model, predictions in ours.items():
        own = predictions.probabilities[0]
        known: dict[str, Any] = {metric: bounds(metric, own) for metric in METRICS}
        known["auc of each fit"] = [round(auc(labels, each), 5) for each in predictions.probabilities]
        known |= {"seconds": predictions.seconds(), "chosen": predictions.chosen}
        peers: dict[str, dict[str, float]] = {}
        if model in theirs:
            other = theirs[model]
            its = other.probabilities[0]
            peer: dict[str, Any] = {metric: bounds(metric, its) for metric in METRICS}
            known[CLICK_PEER] = peer | {"seconds": other.seconds(), "chosen": other.chosen}
            known["less the peer's"] = {metric: bounds(metric, own, its) for metric in METRICS}
            known["within the peer's interval or above"] = bool(
                known["auc"][0] >= peer["auc"][1] and known["log loss"][0] <= peer["log loss"][2]
            )
            peers = {metric: {CLICK_PEER: peer[metric][0]} for metric in METRICS}
            peers["fit"] = {CLICK_PEER: other.seconds()["fit"]}
        key = f"{name}, {model}"
        figures[f"{key}, AUC"] = Figure(known["auc"][0], "AUC", peers=peers.get("auc", {}))
        figures[f"{key}, log loss"] = Figure(
            known["log loss"][0], "nats", peers=peers.get("log loss", {}), less_is_better=True
        )
        figures[f"{key}, fit"] = Figure(known["seconds"]["fit"], "s", peers=peers.get("fit", {}), less_is_better=True)
        models[model] = known
        progress(f"{key}: {json.dumps(known)}")
    about = {"learned": rows.judged, "judged": len(judged), "users": len(np.unique(users)), "clicked": labels.mean()}
    return about | {"models": models}, figures
