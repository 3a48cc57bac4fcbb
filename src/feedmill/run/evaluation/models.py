"""Models by name, as the command line and configurations name them, with settings where they are to differ."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from feedmill.domain.errors import ConfigError
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.click import ClickModel
from feedmill.learn.models.kept import KeptModel
from feedmill.learn.models.named import BATCH_MODELS, CLICK_MODELS
from feedmill.run.config_layers import suggest

M = TypeVar("M", bound=KeptModel)


def make_model(text: str, seed: int) -> BatchModel:
    """The model of interactions that a text names: `ease`, or with settings `als:factors=32:iterations=10`.

    Settings that hold several values have a `+` between them: `content:attributes=year=median+length=mean`. `seed` is
    that of models that have one. Raises ConfigError for a name, setting or value that there is not.
    """
    return _made(BATCH_MODELS, text, seed)


def make_click_model(text: str, seed: int) -> ClickModel:
    """The same for models of click-through."""
    return _made(CLICK_MODELS, text, seed)


def _made(kinds: dict[str, type[M]], text: str, seed: int) -> M:
    name, *settings = text.split(":")
    kind = kinds.get(name)
    if kind is None:
        known = ", ".join(kinds)
        raise ConfigError(f"no model is called {name!r}{suggest(name, kinds)}; the models are {known}")
    fields = kind.Config.__struct_fields__
    chosen: dict[str, Any] = {"seed": seed} if "seed" in fields else {}
    for part in settings:
        key, equals, value = part.partition("=")
        if not equals or key not in fields:
            raise ConfigError(f"{text}: {part!r} is no setting of {name}; these are {', '.join(fields)}, as KEY=VALUE")
        chosen[key] = _read(value, getattr(kind.Config(), key))
    try:
        return kind(msgspec.convert(chosen, kind.Config, strict=False))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text}: {error}") from None


def _read(text: str, default: object) -> object:
    """A setting as what its default is: one value, several, or several by name."""
    if isinstance(default, tuple):
        return text.split("+")
    if isinstance(default, dict):
        return dict(part.partition("=")[::2] for part in text.split("+"))
    return None if text == "none" else text
