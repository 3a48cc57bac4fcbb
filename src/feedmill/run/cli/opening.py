"""Opening a home to learn from it or to be served by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from feedmill.run.engine import Engine


def open_engine(home: Path, settings: Sequence[str] | None) -> Engine:
    """The home, under the settings, with one thread for torch."""
    # More threads would make sums depend on the machine, and gain nothing on networks this small.
    torch.set_num_threads(1)
    return Engine.open(home, arguments=settings or ())
