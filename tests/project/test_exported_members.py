"""The public surface: a name that appears or disappears here does so on purpose, and in the changelog."""

from __future__ import annotations

import importlib.metadata
import inspect

import pytest

import feedmill
from feedmill.domain import errors

PUBLIC = ["Client", "EmbeddingBag", "EmbeddingTable", "Engine", "FeedmillError"]


def test_the_package_exports_what_it_promises_and_nothing_else() -> None:
    assert sorted(feedmill.__all__) == PUBLIC
    assert all(getattr(feedmill, name).__name__ == name for name in PUBLIC)
    ours = {name for name, value in vars(feedmill).items() if getattr(value, "__module__", "").startswith("feedmill")}
    assert {name for name in ours if not name.startswith("_")} <= set(PUBLIC)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Feed'"):
        _ = feedmill.Feed


def test_the_package_says_the_version_that_is_installed() -> None:
    assert feedmill.__version__ == importlib.metadata.version("feedmill")


def test_every_error_has_one_root_and_stands_in_the_tree_of_the_module() -> None:
    kinds = {
        name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, BaseException)
    }
    assert set(kinds) == {
        "FeedmillError",
        "ConfigError",
        "HomeError",
        "HomeInUse",
        "HomeVersionError",
        "StorageError",
        "InvalidRecord",
        "InvalidFile",
        "InvalidArgument",
        "NotFound",
        "PortInUse",
        "Conflict",
        "Unavailable",
        "OutOfMemory",
        "SnapshotError",
    }
    assert all(issubclass(kind, errors.FeedmillError) for kind in kinds.values())
    assert all(name in (errors.__doc__ or "") for name in kinds)
