"""Fitting a model on a home's log, for its feed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from feedmill.domain.batches import Examples
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.click import ClickModel
from feedmill.learn.models.fitted import FittedModel, FittedRanker, model_file
from feedmill.learn.models.named import CLICK_MODELS
from feedmill.learn.training.learner import Learner
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import Progress, read_log
from feedmill.run.evaluation.models import make_click_model, make_model
from feedmill.stream.files import storage_errors
from feedmill.stream.state.state import Emit


class FittingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill fit` says."""

    model: str
    learned: str
    """What it learned from, in words."""
    rows: int
    """Interactions, or examples."""
    position: int
    """Of the log, up to which it was learned."""
    written: str
    use: str
    """The setting that has the feed ask it."""
    seconds: float


def fit_model(
    engine: Engine,
    text: str,
    *,
    actions: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = lambda phase, done, total: None,
) -> FittingReport:
    """Fit the model that a text names, as for `feedmill evaluate`, and put it where the feed looks for it.

    Models of click-through learn from the joined examples of the log, the others from who took to what. Raises
    ConfigError for a model that there is not, InvalidArgument where the log has nothing to learn from, StorageError.
    """
    started = time.perf_counter()
    name = text.partition(":")[0]
    position = engine.log.end()
    fitted: FittedModel | FittedRanker
    if name in CLICK_MODELS:
        if actions:
            raise InvalidArgument(f"{name} learns the objectives of the configuration; --actions has no meaning for it")
        fitted, rows = _ranker(engine, make_click_model(text, seed), position, progress)
        learned, use = f"examples of {', '.join(fitted.objectives)}", f'feed.ranker.model = "{name}"'
    else:
        model = make_model(text, seed)
        logged = read_log(engine.log, engine.config, actions, progress)
        progress(f"fitting {name}", 0, 1)
        fitted = FittedModel(model.describe(logged.bodies).fit(logged.interactions), tuple(logged.item_ids), position)
        rows, learned, use = len(logged.interactions), f"interactions ({logged.rule})", f'feed.model.name = "{name}"'
    folder = engine.home.models
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    path = model_file(folder, name)
    fitted.save(path)
    seconds = round(time.perf_counter() - started, 3)
    return FittingReport(
        model=name, learned=learned, rows=rows, position=position, written=str(path), use=use, seconds=seconds
    )


def _ranker(engine: Engine, model: ClickModel, until: int, progress: Progress) -> tuple[FittedRanker, int]:
    """The model, fitted on the examples that the trainer makes of the log, and how many these are."""
    learner = Learner(engine.config.learning(), SlotRegistry.load(engine.home.slots))
    schema, objectives = learner.parameters.ranker_schema, engine.config.objectives
    emit, parts, position = [Emit(schema.view, "examples")], [], 0
    while position < until:
        records, position = engine.log.read(position, engine.config.training.batch)
        examples = learner.joiner.push(records, learner.state.fold(records, emit))
        if len(examples):
            parts.append(examples)
        progress("joining", position, until)
    learner.close()
    if not parts:
        raise InvalidArgument("the log holds no examples: nothing was shown, and no action is an example of its own")
    progress(f"fitting {model.name}", 0, 1)
    examples = Examples.concatenate(parts)
    model.fit(examples, [objective.kind == "binary" for objective in objectives.values()])
    return FittedRanker(model, tuple(objectives), tuple(slot.name for slot in schema.slots), until), len(examples)
