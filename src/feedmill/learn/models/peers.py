"""Libraries that only some models need: imported when one of them is fitted."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from feedmill.domain.errors import ConfigError


def implicit_module(name: str) -> ModuleType:
    """A module of `implicit`; raises ConfigError, saying how to install it, where it is missing."""
    return _module(f"implicit.{name}", "als and bpr need the library implicit")


def sklearn_module(name: str) -> ModuleType:
    """A module of scikit-learn; raises ConfigError, saying how to install it, where it is missing."""
    return _module(f"sklearn.{name}", "this needs the library scikit-learn")


def lightgbm_module() -> ModuleType:
    """LightGBM; raises ConfigError, saying how to install it, where it is missing."""
    return _module("lightgbm", "boosted-trees needs the library lightgbm")


def _module(name: str, need: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(f"{need}: pip install 'feedmill[models]'") from None
