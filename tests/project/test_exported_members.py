"""The public surface: a name that appears or disappears here does so on purpose, and in the changelog."""

from __future__ import annotations

import importlib.metadata
import inspect

import feedmill
from feedmill.domain import errors

PUBLIC: list[str] = []


def test_the_package_exports_what_it_promises_and_nothing_else() -> None:
    exported = [
        name
        for name, value in vars(feedmill).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    ]
    assert sorted(exported) == PUBLIC
    assert sorted(getattr(feedmill, "__all__", [])) == PUBLIC


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
        "HomeVersionError",
        "StorageError",
        "InvalidRecord",
        "InvalidFile",
        "InvalidArgument",
        "NotFound",
        "SnapshotError",
    }
    assert all(issubclass(kind, errors.FeedmillError) for kind in kinds.values())
    assert all(name in (errors.__doc__ or "") for name in kinds)
