"""How settings are chosen, ours and a peer's alike: on rows that are neither learned nor judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Settings = TypeVar("Settings")


def best_of(
    grid: Sequence[Settings],
    predicted: Callable[[Settings], np.ndarray],  # to the probabilities of the rows, [n]
    labels: np.ndarray,  # bool [n]
) -> Settings:
    """Of the grid what has the least log loss."""
    losses = []
    for settings in grid:
        positive = predicted(settings)
        likelihood = np.where(labels, positive, 1 - positive)
        losses.append(-np.log(np.clip(likelihood, 1e-7, 1)).mean())
    return grid[int(np.argmin(losses))]
