"""Libraries that only some models need: imported when one of them is fitted."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from feedmill.domain.errors import ConfigError


def implicit_module(name: str) -> ModuleType:
    """A module of `implicit`; raises ConfigError, saying how to install it, where it is missing."""
    try:
        return import_module(f"implicit.{name}")
    except ImportError:
        raise ConfigError("als and bpr need the library implicit: pip install 'feedmill[models]'") from None
