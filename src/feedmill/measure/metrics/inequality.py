"""How unevenly something is shared out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def gini_index(amounts: npt.NDArray[np.number]) -> float:
    """0 where all [n] have as much, near 1 where one has it all; NaN where there is nothing (Gini, 1912).

    >>> gini_index(np.array([1, 1])), gini_index(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    ordered = np.sort(amounts)
    n, total = len(ordered), ordered.sum()
    return float(gini_ranks(n) @ ordered / (n * total)) if total else math.nan


def gini_ranks(n: int) -> npt.NDArray[np.int64]:
    """int64 [n]: what each amount, by its place from the smallest on, weighs in the index."""
    return 2 * np.arange(1, n + 1) - n - 1
