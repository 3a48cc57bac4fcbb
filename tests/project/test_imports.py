"""The import rule: domain < stream < learn < serve < apps < run, and each imports only what stands to its left."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ORDER = ("domain", "stream", "learn", "serve", "apps", "run")
ASIDE = ("measure", "simulation")
PARTS = (*ORDER, *ASIDE, "testing")
ALONE = "client"
"""One file that applications may copy: it imports nothing of ours."""


def may_import(importer: str, imported: str) -> bool:
    """Whether a part of the house may import another; '' is `feedmill/__init__.py`, `_native` the compiled module."""
    if importer == ALONE:
        return False
    if importer in ("testing", imported):
        return True
    if imported in ("", "testing"):
        return imported == "" and importer == "run"
    if importer == "" or imported == "domain":
        return True
    if importer in (*ASIDE, "domain"):
        return False
    if imported in ("measure", "_native"):
        return True
    if imported == "simulation":
        return importer == "run"
    return ORDER.index(imported) < ORDER.index(importer)


def violations(source: str, path: str) -> Iterator[str]:
    """The imports in a file that break the rule; `path` is relative to the package, as `serve/feed.py`."""
    parts = Path(path).with_suffix("").parts
    importer = "" if parts == ("__init__",) else parts[0]
    if importer not in ("", ALONE, *PARTS):
        yield f"{path}: {importer} is no part of the design"
        return
    for node in ast.walk(ast.parse(source)):
        for module in _imported(node, parts):
            names = module.split(".")
            if names[0] != "feedmill":
                continue
            imported = names[1] if len(names) > 1 and names[1] in (*PARTS, "_native") else ""
            app = parts[1] if importer == "apps" and len(parts) > 1 else None
            if app and imported == "apps" and (len(names) < 3 or names[2] != app):
                yield f"{path}:{node.lineno}: apps do not import each other ({module})"  # type: ignore[attr-defined]
            elif not may_import(importer, imported):
                yield f"{path}:{node.lineno}: {importer or 'feedmill'} may not import {module}"  # type: ignore[attr-defined]


def _imported(node: ast.AST, parts: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = ("feedmill", *parts)[: -node.level] if node.level else ()
        module = ".".join([*package, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def test_every_file_imports_only_what_stands_to_its_left(root: Path) -> None:
    package = root / "src" / "feedmill"
    files = sorted(package.rglob("*.py"))
    assert files
    assert [
        violation
        for file in files
        for violation in violations(file.read_text(encoding="utf-8"), file.relative_to(package).as_posix())
    ] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("domain/ids.py", "import feedmill.stream.files"),
        ("domain/ids.py", "from feedmill import stream"),
        ("domain/ids.py", "from feedmill import _native"),
        ("stream/joining/joiner.py", "from feedmill.learn.table import Table"),
        ("learn/models/ranker.py", "def late():\n    from feedmill.serve.feed import Feed"),
        ("learn/models/ranker.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import feedmill.run.home"),
        ("learn/models/ranker.py", "from ...serve import feed"),
        ("learn/table/native.py", "from feedmill import __version__"),
        ("serve/feed.py", "from feedmill.simulation import world"),
        ("serve/feed.py", "from feedmill.testing import log"),
        ("measure/metrics/auc.py", "from feedmill.stream.files import atomic_write"),
        ("measure/metrics/auc.py", "from feedmill import simulation"),
        ("simulation/world.py", "from feedmill.measure.metrics import auc"),
        ("apps/ads/auction.py", "from feedmill.apps.virality import spread"),
        ("apps/ads/auction.py", "from feedmill import apps"),
        ("apps/ads/auction.py", "from feedmill.run.home import Home"),
        ("client.py", "from feedmill.domain.errors import FeedmillError"),
        ("client.py", "import feedmill"),
        ("utilities/text.py", ""),
        ("__init__.py", "from feedmill.testing import log"),
    ],
)
def test_the_linter_finds_a_violation(path: str, source: str) -> None:
    assert len(list(violations(source, path))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("domain/ids.py", "import numpy\nfrom feedmill.domain.errors import NotFound"),
        ("stream/state/fold.py", "from feedmill._native import State\nfrom feedmill import _native"),
        ("stream/ingest.py", "from feedmill.measure.monitoring import count"),
        ("learn/models/ranker.py", "from .deep import Deep\nfrom ..table import Table\nfrom ...stream import files"),
        ("run/local.py", "import feedmill\nfrom feedmill import simulation, apps\nimport feedmill.serve.feed"),
        ("apps/ads/auction.py", "from feedmill.apps.ads.budget import Budget\nfrom feedmill.serve.feed import Feed"),
        ("simulation/world.py", "from feedmill.domain import records\nfrom feedmill.simulation.items import born"),
        ("testing/log.py", "from feedmill.run.home import Home"),
        ("client.py", "import http.client"),
        ("__init__.py", "from feedmill.run.home import Home"),
        ("__init__.py", "from feedmill.client import Client"),
    ],
)
def test_the_linter_lets_pass_what_the_rule_allows(path: str, source: str) -> None:
    assert list(violations(source, path)) == []
