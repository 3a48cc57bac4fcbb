"""Feedmill: the recommendation engine that learns while it serves.

Client            talks to a server that runs, over HTTP; one file, to be copied where only that is needed
EmbeddingBag      such a table as a layer of a torch model
EmbeddingTable    rows by 64-bit feature id, without collisions; usable alone, with NumPy or torch
Engine            a home, open in this process: import into it, learn from it, recommend
FeedmillError     the base of every error that Feedmill raises on purpose
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedmill.client import Client as Client
    from feedmill.domain.errors import FeedmillError as FeedmillError
    from feedmill.learn.table.bag import EmbeddingBag as EmbeddingBag
    from feedmill.learn.table.table import EmbeddingTable as EmbeddingTable
    from feedmill.run.engine import Engine as Engine

__version__ = "0.1.0"

__all__ = ["Client", "EmbeddingBag", "EmbeddingTable", "Engine", "FeedmillError"]

_HOMES = {
    "Client": "feedmill.client",
    "EmbeddingBag": "feedmill.learn.table.bag",
    "EmbeddingTable": "feedmill.learn.table.table",
    "Engine": "feedmill.run.engine",
    "FeedmillError": "feedmill.domain.errors",
}


def __getattr__(name: str) -> Any:
    # On first use: `import feedmill` and `feedmill --help` must not wait for torch.
    if name not in _HOMES:
        raise AttributeError(f"module 'feedmill' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
