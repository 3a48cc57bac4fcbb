"""One comparison of models on a home, from its log to sentences, and everything that is needed to repeat it."""

from __future__ import annotations

import platform
import shlex
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import msgspec

from feedmill.measure.evaluation.comparison import Evaluation, evaluate, summary, verdict
from feedmill.measure.evaluation.protocol import EvaluationProtocol, Recommender
from feedmill.run.engine import Engine
from feedmill.run.evaluation import engine_model
from feedmill.run.evaluation.answered import KeptAnswers
from feedmill.run.evaluation.described import DescribedModel
from feedmill.run.evaluation.engine_model import EngineModel
from feedmill.run.evaluation.logged import Progress, read_log
from feedmill.run.evaluation.models import make_model
from feedmill.run.evaluation.protocols import settings_of

SAMPLES = 2_000
DEFAULT_MODELS = ("popularity", "item-neighbours", "ease", "als")
_LIBRARIES = ("feedmill", "numpy", "scipy", "scikit-learn", "implicit", "lightgbm", "torch")


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill evaluate` says."""

    home: str
    taken: str
    """What counts as taking to an item."""
    events: int
    """Events and impressions in the log."""
    interactions: int
    """Of them, those in which a user took to an item."""
    settings: dict[str, float | int | str | None]
    """Of the protocol."""
    model_settings: dict[str, dict[str, Any]]
    evaluation: Evaluation
    summary: str
    verdict: list[str]
    notes: list[str]
    versions: dict[str, str]
    command: str
    """What repeats it."""
    seconds: float
    report: str = ""
    """The HTML file."""


def run_evaluation(
    engine: Engine,
    protocol: EvaluationProtocol,
    models: Sequence[str],
    *,
    actions: Sequence[str] = (),
    k: int = 10,
    seed: int = 0,
    samples: int = SAMPLES,
    progress: Progress = lambda phase, done, total: None,
) -> EvaluationReport:
    """Read the log, fit every model on every split, and judge them.

    Stopped in any way, the same call goes on from there: answers are kept in `evaluate/` of the home until the end.
    Raises ConfigError for a model that there is not, InvalidArgument where the log cannot bear the protocol.
    """
    started = time.perf_counter()
    makers: dict[str, Callable[[], Recommender]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for text in dict.fromkeys(models):
        if text != engine_model.NAME:
            settings[text] = msgspec.to_builtins(make_model(text, seed).config)
    logged = read_log(engine.log, engine.config, actions, progress)
    for text in settings:
        makers[text] = lambda text=text: DescribedModel(make_model(text, seed), logged)  # type: ignore[misc]
    interactions = logged.interactions
    if engine_model.NAME in models:
        makers[engine_model.NAME] = lambda: EngineModel(engine.log, logged, engine.config, progress)
    kept = KeptAnswers(
        engine.home.path / "evaluate",
        [versions(), engine.config, engine.log.end(), protocol.name, settings_of(protocol), actions, k, seed],
    )  # fmt: skip
    compared = evaluate(
        makers, protocol, interactions,
        k=k, seed=seed, samples=samples, creators=logged.creators, progress=progress, answers=kept,
    )  # fmt: skip
    kept.forget()
    return EvaluationReport(
        home=str(engine.home.path),
        taken=logged.rule,
        events=len(logged.users),
        interactions=len(interactions),
        settings=settings_of(protocol),
        model_settings=settings,
        evaluation=compared,
        summary=summary(compared),
        verdict=verdict(compared),
        notes=_notes(compared, protocol),
        versions=versions(),
        command=_command(engine, protocol, models, actions, k, seed, samples),
        seconds=round(time.perf_counter() - started, 3),
    )


def versions() -> dict[str, str]:
    """Of what the numbers depend on; libraries that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _notes(compared: Evaluation, protocol: EvaluationProtocol) -> list[str]:
    notes = []
    if not protocol.respects_time:
        notes.append(
            "Some of what is learned from happened after what is asked for: these numbers compare models, and are"
            " higher than what a deployment would see. `--protocol temporal` cuts by time."
        )
    if compared.new_users and protocol.name != "user-cold-start":
        notes.append(
            f"{compared.new_users:,} of {compared.users:,} users were not known before: models that learn in batch give"
            " them what is popular."
        )
    if protocol.name == "item-cold-start" and all(
        result.metrics["hit_rate"].estimate == 0 for result in compared.models
    ):
        notes.append("Models that know items by their ids alone have nothing to say of items that are new.")
    if compared.users < 100:
        notes.append(f"Only {compared.users:,} users were asked for: only large differences can be told from chance.")
    return notes


def _command(
    engine: Engine,
    protocol: EvaluationProtocol,
    models: Sequence[str],
    actions: Sequence[str],
    k: int,
    seed: int,
    samples: int,
) -> str:
    words = ["feedmill", "evaluate", "--home", str(engine.home.path), "--protocol", protocol.name]
    words += ["--models", ",".join(models)]
    given = settings_of(protocol)
    for name, value in given.items():
        if value is not None and name != "seed" and not (name == "share" and given.get("at") is not None):
            words += [f"--{name}", str(value)]
    if actions:
        words += ["--actions", ",".join(actions)]
    words += ["--k", str(k), "--seed", str(seed), "--samples", str(samples)]
    return shlex.join(words)
