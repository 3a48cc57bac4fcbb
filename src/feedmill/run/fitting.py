"""Fitting a model of interactions on a home's log, for its feed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from feedmill.learn.models.fitted import FittedModel, model_file
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import Progress, read_log
from feedmill.run.evaluation.models import make_model
from feedmill.stream.files import storage_errors


class FittingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill fit` says."""

    model: str
    taken: str
    """What counts as taking to an item."""
    interactions: int
    users: int
    items: int
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

    Raises ConfigError for a model that there is not, InvalidArgument where nobody took to anything, StorageError.
    """
    started = time.perf_counter()
    model = make_model(text, seed)
    position = engine.log.end()
    logged = read_log(engine.log, engine.config, actions, progress)
    interactions = logged.interactions
    progress(f"fitting {model.name}", 0, 1)
    model.describe(logged.bodies).fit(interactions)
    folder = engine.home.models
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    path = model_file(folder, model.name)
    FittedModel(model, logged.item_ids, position).save(path)
    return FittingReport(
        model=model.name,
        taken=logged.rule,
        interactions=len(interactions),
        users=interactions.n_users,
        items=interactions.n_items,
        position=position,
        written=str(path),
        use=f'feed.model.name = "{model.name}"',
        seconds=round(time.perf_counter() - started, 3),
    )
