"""Models by name, as the command line and configurations name them, with settings where they are to differ."""

from __future__ import annotations

from typing import Any

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.learn.models.als import Als
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.bpr import Bpr
from feedmill.learn.models.ease import Ease
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.matrix_factorisation import MatrixFactorisation
from feedmill.learn.models.popularity import Popularity
from feedmill.learn.models.svd import Svd
from feedmill.learn.models.user_neighbours import UserNeighbours
from feedmill.run.config_layers import suggest

BATCH_MODELS: dict[str, type[BatchModel]] = {
    model.name: model
    for model in (Popularity, ItemNeighbours, UserNeighbours, Ease, Als, Bpr, Svd, MatrixFactorisation)
}


def make_model(text: str, seed: int) -> BatchModel:
    """The model that a text names: `ease`, or with settings `als:factors=32:iterations=10`.

    `seed` is that of models that have one. Raises ConfigError for a name, setting or value that there is not.
    """
    name, *settings = text.split(":")
    kind = BATCH_MODELS.get(name)
    if kind is None:
        known = ", ".join(BATCH_MODELS)
        raise ConfigError(f"no model is called {name!r}{suggest(name, BATCH_MODELS)}; the models are {known}")
    fields = kind.Config.__struct_fields__
    chosen: dict[str, Any] = {"seed": seed} if "seed" in fields else {}
    for part in settings:
        key, equals, value = part.partition("=")
        if not equals or key not in fields:
            raise ConfigError(f"{text}: {part!r} is no setting of {name}; these are {', '.join(fields)}, as KEY=VALUE")
        chosen[key] = None if value == "none" else value
    try:
        return kind(msgspec.convert(chosen, kind.Config, strict=False))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text}: {error}") from None
