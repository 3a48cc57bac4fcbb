"""Tuning: a model's settings chosen on a validation part, then judged, once, on a test part that no trial saw."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import tomli_w
import xxhash

from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.named import BATCH_MODELS
from feedmill.learn.models.space import Range
from feedmill.measure.evaluation.comparison import Evaluation, evaluate, verdict
from feedmill.measure.evaluation.protocol import EvaluationProtocol, Recommender, Split
from feedmill.measure.metrics import hits_in_arrays
from feedmill.run.engine import Engine
from feedmill.run.evaluation.described import DescribedModel
from feedmill.run.evaluation.logged import Progress, read_log
from feedmill.run.evaluation.models import make_model
from feedmill.run.evaluation.protocols import settings_of
from feedmill.stream.files import atomic_write, storage_errors

if TYPE_CHECKING:
    import optuna

DEFAULT, TUNED = "default", "tuned"


class TuningReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill tune` says."""

    model: str
    protocol: str
    rule: str
    trials: int
    """That were made, those of earlier runs among them."""
    failed: int
    """Of them, those whose settings the model refused."""
    config: dict[str, Any]
    """The settings that won on the validation part."""
    validation: float
    """Their NDCG there."""
    validation_default: float
    evaluation: Evaluation
    """The defaults beside them, on the test part."""
    verdict: list[str]
    use: str
    """How `feedmill evaluate --models` names the model with these settings."""
    written: str
    """The file with the settings."""
    command: str
    seconds: float


def tune(
    engine: Engine,
    name: str,
    protocol: EvaluationProtocol,
    *,
    trials: int,
    actions: Sequence[str] = (),
    k: int = 10,
    seed: int = 0,
    progress: Progress = lambda phase, done, total: None,
) -> TuningReport:
    """Choose the settings of a model: the training part is cut again by the same protocol, the test part stays apart.

    Trials are kept in `tune/` of the home as they end: stopped in any way, the same call goes on from there. Raises
    ConfigError for a model that there is not, or without optuna; InvalidArgument where the log cannot bear the protocol
    twice, or the protocol has several splits.
    """
    started = time.perf_counter()
    kind = type(make_model(name, seed))
    if name not in BATCH_MODELS:
        raise ConfigError(f"{name}: name the model alone, as {kind.name}; its settings are what is looked for")
    logged = read_log(engine.log, engine.config, actions, progress)
    interactions = logged.interactions
    outer = _only(protocol, list(protocol.splits(interactions)))
    again: Any = protocol
    inside: EvaluationProtocol = msgspec.structs.replace(again, at=None) if hasattr(again, "at") else protocol
    inner = _only(inside, list(inside.splits(outer.train)))
    digest = xxhash.xxh3_64_hexdigest(
        msgspec.json.encode([name, protocol.name, settings_of(protocol), list(actions), k, seed, engine.log.end()])
    )
    place = engine.home.path / "tune"
    with storage_errors(place):
        place.mkdir(exist_ok=True)
    study = _study(place / f"{name}.sqlite", digest, seed)
    fields = {field: getattr(kind.Config(), field) for field in kind.space}
    study.enqueue_trial({field: value for field, value in fields.items() if value is not None}, skip_if_exists=True)

    def make(given: dict[str, Any]) -> DescribedModel:
        return DescribedModel(_make(kind, given, seed), logged)

    def quality(given: dict[str, Any]) -> float:
        return _quality(make(given), inner, k)

    def objective(trial: optuna.Trial) -> float:
        return quality({f: _suggest(trial, f, span) for f, span in kind.space.items()})

    while (done := sum(trial.state.is_finished() for trial in study.trials)) < trials:
        progress(f"tuning {name}", done, trials)
        study.optimize(objective, n_trials=1, catch=(InvalidArgument,))
    complete = [trial for trial in study.trials if trial.value is not None]
    if not complete:
        raise InvalidArgument(
            f"{name}: refused all of its settings on this log; see `feedmill evaluate --models {name}`"
        )
    config = msgspec.to_builtins(make(study.best_params).model.config)
    compared = evaluate(
        {DEFAULT: lambda: make({}), TUNED: lambda: make(study.best_params)},
        protocol, interactions, k=k, seed=seed, progress=progress,
    )  # fmt: skip
    path = place / f"{name}.toml"
    atomic_write(path, tomli_w.dumps({name: {key: v for key, v in config.items() if v is not None}}).encode())
    words = ["feedmill", "tune", name, "--home", str(engine.home.path), "--protocol", protocol.name]
    words += ["--trials", str(trials), "--k", str(k), "--seed", str(seed)]
    words += ["--actions", ",".join(actions)] if actions else []
    return TuningReport(
        model=name,
        protocol=protocol.name,
        rule=protocol.rule,
        trials=done,
        failed=done - len(complete),
        config=config,
        validation=float(study.best_value),
        validation_default=quality({}),
        evaluation=compared,
        verdict=verdict(compared),
        use=":".join([name, *(f"{key}={value}" for key, value in study.best_params.items())]),
        written=str(path),
        command=shlex.join(words),
        seconds=round(time.perf_counter() - started, 3),
    )


def _only(protocol: EvaluationProtocol, splits: list[Split]) -> Split:
    if len(splits) != 1:
        raise InvalidArgument(f"{protocol.name} has {len(splits)} splits; tune by one that has one, as temporal")
    if not len(splits[0].test):
        raise InvalidArgument(f"{protocol.name}: nothing is left to ask for; there are too few interactions")
    return splits[0]


def _study(path: Path, digest: str, seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError:
        raise ConfigError("tuning needs the library optuna: pip install 'feedmill[models]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with storage_errors(path):
        study = optuna.create_study(
            storage=f"sqlite:///{path}", study_name=digest, direction="maximize", load_if_exists=True
        )
    # What was drawn before is not drawn again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _suggest(trial: optuna.Trial, name: str, span: Range) -> float:
    if span.whole:
        return trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
    return trial.suggest_float(name, span.low, span.high, log=span.log)


def _make(kind: type[BatchModel], settings: dict[str, Any], seed: int) -> BatchModel:
    fields = kind.Config.__struct_fields__
    return kind(msgspec.convert({**({"seed": seed} if "seed" in fields else {}), **settings}, kind.Config))


def _quality(model: Recommender, split: Split, k: int) -> float:
    """The mean NDCG on the validation part."""
    model.fit(split.train)
    lists, _ = model.recommend(split.users, k, history=split.history, candidates=split.candidates)
    hits = hits_in_arrays(lists, np.searchsorted(split.users, split.test.users), split.test.items)
    return hits.means().ndcg
