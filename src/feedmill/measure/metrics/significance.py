"""Whether one model is ahead of another, or whether that could be chance: users are what is resampled, always."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics.bootstrap import Interval

Float64s = npt.NDArray[np.float64]

_BLOCK = 4_000_000
"""Numbers that are drawn at a time."""


class Difference(msgspec.Struct, frozen=True):
    """Two models on the same users."""

    first: str
    second: str
    interval: Interval
    """The first's mean less the second's, with users resampled."""
    p_value: float
    """Of a randomisation test: how often models that are the same would differ as much."""
    corrected: float
    """The same, corrected for how many pairs are compared (Holm)."""

    def significant(self, level: float = 0.05) -> bool:
        """Whether the difference is not chance, at that level over all pairs."""
        return self.corrected < level


def user_interval(values: Float64s, samples: int, generator: np.random.Generator, confidence: float = 0.95) -> Interval:
    """The mean of users' values [users] with a percentile bootstrap interval; NaN values are left out.

    NaN bounds for fewer than two users (Efron and Tibshirani, 1993, chapter 13).
    """
    value = values[~np.isnan(values)]
    return ratio_interval(value, np.ones(len(value)), samples, generator, confidence)


def ratio_interval(
    numerators: Float64s,  # [users]
    denominators: Float64s,  # [users]
    samples: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Interval:
    """The sum of the numerators over that of the denominators, with users resampled.

    So for every mean over rows: a user brings the sum over his or her rows and their number. Resamples without a
    denominator are left out; NaN bounds for fewer than two users.
    """
    return ratio_intervals(numerators[:, None], denominators[:, None], samples, generator, confidence)[0]


def ratio_intervals(
    numerators: Float64s,  # [users, m]
    denominators: Float64s,  # [users, m]
    samples: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> list[Interval]:
    """`ratio_interval` of m columns, all under the same resamples, so that shares of one whole add up in each."""
    n, columns = numerators.shape
    sums, wholes = numerators.sum(axis=0), denominators.sum(axis=0)
    if n < 2:
        estimates = np.divide(sums, wholes, out=np.full(columns, np.nan), where=wholes > 0)
        return [Interval(float(estimate), math.nan, math.nan, confidence, math.nan) for estimate in estimates]
    both = np.ascontiguousarray(np.concatenate([numerators, denominators], axis=1).T)
    parts = [[column[draw].sum(axis=1) for column in both] for draw in _draws(n, n, samples, generator)]
    drawn = np.concatenate([np.stack(part, axis=1) for part in parts])
    return [
        _ratio(float(sums[i]), float(wholes[i]), drawn[:, i], drawn[:, columns + i], confidence) for i in range(columns)
    ]


def _ratio(top: float, bottom: float, tops: Float64s, bottoms: Float64s, confidence: float) -> Interval:
    """The interval of one ratio, from its resamples."""
    if not bottom > 0:
        return Interval(math.nan, math.nan, math.nan, confidence, math.nan)
    ratios = tops[bottoms > 0] / bottoms[bottoms > 0]
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    tail = 1 + min(int((ratios <= 0).sum()), int((ratios >= 0).sum()))
    return Interval(top / bottom, float(low), float(high), confidence, min(1.0, 2 * tail / (len(ratios) + 1)))


def randomisation_test(first: Float64s, second: Float64s, samples: int, generator: np.random.Generator) -> float:
    """The two-sided p-value of "both models are the same to every user", from swapping them for users at random.

    Fisher's randomisation test on paired values [users] (Smucker, Allan and Carterette, 2007). One is added to both
    counts, since the observed one is itself a draw.
    """
    if first.shape != second.shape:
        raise InvalidArgument(f"first and second: {len(first)} and {len(second)} users, expected the same ones")
    gaps = first - second
    gaps = gaps[~np.isnan(gaps) & (gaps != 0)]
    if not len(gaps):
        return 1.0
    observed = abs(float(gaps.sum()))
    # Sums of the same numbers in another order differ in the last bits.
    least = observed - 1e-9 * float(np.abs(gaps).sum())
    extreme = 0
    for draw in _draws(len(gaps), 2, samples, generator):
        extreme += int((np.abs((2 * draw - 1) @ gaps) >= least).sum())
    return (1 + extreme) / (1 + samples)


def holm(p_values: npt.ArrayLike) -> Float64s:
    """p-values corrected for their number, so that any wrong finding among them is as rare as one was (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    raised = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def compare(values: Mapping[str, Float64s], samples: int, generator: np.random.Generator) -> list[Difference]:
    """Every pair of models by their values [users], the same users in the same order, the better one first."""
    pairs = []
    for one, other in combinations(values, 2):
        ahead, behind = (one, other) if np.nanmean(values[one]) >= np.nanmean(values[other]) else (other, one)
        p_value = randomisation_test(values[ahead], values[behind], samples, generator)
        interval = user_interval(values[ahead] - values[behind], samples, generator)
        pairs.append((ahead, behind, interval, p_value))
    corrected = holm([p_value for *_, p_value in pairs])
    return [Difference(*pair, float(value)) for pair, value in zip(pairs, corrected, strict=True)]


def _draws(n: int, below: int, samples: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """`samples` rows of n numbers below `below`, some rows at a time."""
    if samples < 1:
        raise InvalidArgument(f"samples: {samples}, expected at least 1")
    at_once = max(1, _BLOCK // max(n, 1))
    for start in range(0, samples, at_once):
        yield generator.integers(below, size=(min(at_once, samples - start), n))
