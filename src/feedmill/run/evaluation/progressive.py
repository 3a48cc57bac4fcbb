"""The progressive protocol: the engine's replay, in which every row is predicted before it is learned.

Beside it stand the same engine whose parameters stay as they were when the judged rows begin, and the rates of items.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from feedmill.domain.clock import DAY, format_time
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.measure.evaluation.popularity import rates_so_far
from feedmill.measure.evaluation.predictions import ObjectiveEvaluation, compare_predictions, prediction_verdict
from feedmill.measure.evaluation.protocol import cut_time
from feedmill.run.config_layers import suggest
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import Progress, read_log
from feedmill.run.evaluation.report import versions
from feedmill.run.replay import Replay, forget
from feedmill.run.replay import replay as run_replay

FEEDMILL, FROZEN, POPULARITY, RECENT = "feedmill", "frozen", "popularity", "recent"
MODELS = {
    FEEDMILL: "the engine, every row predicted before it is learned",
    FROZEN: "the same with parameters as they were when the judged rows begin; counters go on",
    POPULARITY: "the rate of the item so far",
    RECENT: "the rate of the item, halved each day",
}
DEFAULT_MODELS = (FEEDMILL, FROZEN, POPULARITY, RECENT)
RULE = "every row is predicted before it is learned; judged: what came after one moment; thresholds chosen before it"
_GAUC = (
    "GAUC is no fair judge of models that count what a user did before: of a user's few rows, each positive that was"
    " counted is one fewer to come. Compare it only between models that count alike."
)
SAMPLES = 500
"""Resamples: each goes over all judged rows."""
_STEP = 256
"""Rows that rates learn at a time, as many as a step of the engine."""


class ProgressiveReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill evaluate --protocol progressive` says."""

    home: str
    protocol: str
    rule: str
    judged_from: str
    rows: int
    judged: int
    seed: int
    samples: int
    models: dict[str, str]
    objectives: list[ObjectiveEvaluation]
    verdict: list[str]
    notes: list[str]
    versions: dict[str, str]
    command: str
    seconds: float
    report: str = ""


def run_progressive(
    engine: Engine,
    models: Sequence[str] = DEFAULT_MODELS,
    *,
    share: float | None = None,
    at: int | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
    progress: Progress = lambda phase, done, total: None,
    goes_on: Callable[[], bool] = lambda: True,
) -> ProgressiveReport | None:
    """Replay the log, once for each of the engines that is asked for.

    Where `goes_on`, which is asked after each step and before each objective, says no, None is returned; the same call
    goes on from there, and does no replay twice. Judged are the rows of the last `share` (half, unless told), or those
    from `at` on (UTC milliseconds). Raises ConfigError for a model that there is not, InvalidArgument where there is
    nothing to judge.
    """
    started = time.perf_counter()
    for name in models:
        if name not in MODELS:
            known = ", ".join(MODELS)
            raise ConfigError(f"no progressive model is called {name!r}{suggest(name, MODELS)}; they are {known}")
    logged = read_log(engine.log, engine.config, (), progress)
    if not len(logged.users):
        raise InvalidArgument("the log holds no events; `feedmill import events` brings some in")
    rows = Interactions.of(logged.users, logged.items, logged.times)
    cut = cut_time(rows, 0.5 if share is None else share, at)
    online = _replay(engine, None, "replaying", progress, goes_on)
    fixed = _replay(engine, cut, "replaying, frozen", progress, goes_on) if online and FROZEN in models else online
    if online is None or fixed is None:
        return None
    columns, frozen = online.columns(), fixed.columns()
    if not columns:
        raise InvalidArgument("the log holds no examples: nothing was shown, and no action is an example of its own")
    judged = columns["timestamps"] >= cut
    objectives, verdict = [], []
    notes = [_GAUC]
    for index, (name, objective) in enumerate(engine.config.objectives.items()):
        if not goes_on():
            return None
        told = columns["weights"][:, index] > 0
        labels = columns["labels"][:, index]
        _, items = np.unique(columns["items"][told], return_inverse=True)
        told_of = items.ravel(), columns["timestamps"][told], (labels[told] > 0).astype(np.float64), _STEP
        predictions = {
            FEEDMILL: columns["predictions"][told, index],
            FROZEN: frozen["predictions"][told, index],
            POPULARITY: rates_so_far(*told_of),
            RECENT: rates_so_far(*told_of, half_life=float(DAY)),
        }
        progress(f"judging {name}", index, len(engine.config.objectives))
        try:
            found = compare_predictions(
                name, labels[told], columns["users"][told], {model: predictions[model] for model in models},
                judged[told], binary=objective.kind == "binary", samples=samples, seed=seed,
            )  # fmt: skip
        except InvalidArgument as error:
            notes.append(f"Not judged: {error}.")
            continue
        objectives.append(found)
        verdict += prediction_verdict(found)
    if not objectives:
        raise InvalidArgument(f"no objective can be judged from {format_time(cut)} on. {' '.join(notes)}")
    for done in (online, fixed):
        forget(done, engine.home.path / "replay")
    words = ["feedmill", "evaluate", "--home", str(engine.home.path), "--protocol", "progressive"]
    words += ["--models", ",".join(models), "--at", format_time(cut), "--seed", str(seed), "--samples", str(samples)]
    return ProgressiveReport(
        home=str(engine.home.path),
        protocol="progressive",
        rule=RULE,
        judged_from=format_time(cut),
        rows=len(judged),
        judged=int(judged.sum()),
        seed=seed,
        samples=samples,
        models={name: MODELS[name] for name in models},
        objectives=objectives,
        verdict=verdict,
        notes=notes,
        versions=versions(),
        command=shlex.join(words),
        seconds=round(time.perf_counter() - started, 3),
    )


def _replay(
    engine: Engine, frozen_from: int | None, phase: str, progress: Progress, goes_on: Callable[[], bool]
) -> Replay | None:
    """A whole replay, kept in the home; None where it was stopped."""
    end = engine.log.end()

    def start(folder: Path | None) -> Replay:
        learner = Learner(engine.config.learning(), SlotRegistry(), learn_retrieval=False, folder=folder)
        return Replay(engine.log, learner, frozen_from=frozen_from)

    def after_step(running: Replay) -> bool:
        progress(phase, running.position, end)
        return goes_on()

    return run_replay(
        start, engine.home.path / "replay", snapshot_steps=engine.config.training.snapshot_steps,
        after_step=after_step, keep=True,
    )  # fmt: skip
