"""How sure one can be of what is said of all users' lists as a whole, as how much of the catalogue they show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from feedmill.measure.metrics.bootstrap import Interval


def jackknife_interval(
    estimate: float,
    without_each: npt.NDArray[np.float64],  # [users]: the same without each one of them
    confidence: float = 0.95,
) -> Interval:
    """The interval of what as many other users would show, from leaving out one at a time.

    For statistics that more users change, of which a bootstrap is biased: it draws some lists twice and others never.
    The jackknife's variance is on average not below the true one (Efron and Stein, 1981), so it is wide rather than
    narrow. NaN bounds for fewer than two users, and where the others alone show nothing.
    """
    n = len(without_each)
    if n < 2 or not np.isfinite(without_each).all():
        return Interval(estimate, math.nan, math.nan, confidence, math.nan)
    gaps = without_each - without_each.mean()
    error = math.sqrt((n - 1) / n * float(gaps @ gaps))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    statistic = abs(estimate) / error if error > 0 else (math.inf if estimate else 0.0)
    return Interval(estimate, estimate - half, estimate + half, confidence, 2 * float(stdtr(n - 1, -statistic)))
