"""What a user does with what is shown: watches a share of it, and sometimes acts.

With utility u in probits and a spread s, one impression has the latent interest x = sqrt(1 + s^2) * u + s * z, z
standard normal. The watched share is 1 - exp(-exp(1.5 x - 1)), stretched so that what lies under `floor` is nothing and
what lies above `ceiling` is all. The curve is not symmetric: who does not care still takes a glance (there shares fall
by e for each 2/3 of a probit), and who cares soon stays to the end. So shares are distributed as in the log of a real
app: many small ones, and a hump at the end. Their mean at each utility is integrated beforehand, so what a slate is
worth is known and not estimated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s
from feedmill.simulation.config import ActionConfig, WorldConfig

Bools = npt.NDArray[np.bool_]

_STEEPNESS, _RESERVE = np.float32(1.5), np.float32(1.0)
"""Of the curve from interest to the share: at no interest 1 - exp(-exp(-1)) = 31 % is watched."""
_UTILITIES = np.linspace(-8, 8, 801)
_NODES = np.linspace(-8, 8, 401)
_WEIGHTS = np.exp(-(_NODES**2) / 2) / np.exp(-(_NODES**2) / 2).sum()


class Watching:
    """How long people look, given what it is to them."""

    def __init__(self, config: WorldConfig) -> None:
        self._spread = np.float32(config.noise)
        self._scale = np.float32(np.sqrt(1 + config.noise**2))
        self._floor = np.float32(config.floor)
        self._stretch = np.float32(1 / (config.ceiling - config.floor))
        self._means = np.zeros(len(_UTILITIES))
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            self._means += weight * self._curve(float(self._scale) * _UTILITIES + config.noise * node)

    def expected(self, utility: Float32s) -> Float32s:
        """The mean watched share at a utility; any shape. To 1e-5."""
        share: Float32s = np.interp(utility, _UTILITIES, self._means).astype(np.float32)
        return share

    def share(
        self,
        utility: Float32s,  # float32, any shape
        noise: Float32s,  # standard normal, the same shape
    ) -> Float32s:
        """One draw of the watched share, in [0, 1]."""
        share: Float32s = self._curve(self._scale * utility + self._spread * noise)
        return share

    def _curve(self, interest: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        share = -np.expm1(-np.exp(_STEEPNESS * interest - _RESERVE))
        stretched: npt.NDArray[np.floating] = ((share - self._floor) * self._stretch).clip(0, 1)
        return stretched


@dataclass(frozen=True, slots=True)
class Actions:
    """What followed impressions: bool each, of one shape."""

    clicked: Bools
    liked: Bools
    shared: Bools
    commented: Bools
    saved: Bools
    followed: Bools
    hidden: Bools
    reported: Bools
    skipped: Bools


CHANCES = 8
"""Uniform draws that one impression needs."""


def act(
    config: ActionConfig,
    share: Float32s,  # float32, any shape: watched
    expected: Float32s,  # float32: what the user would watch on average
    durations: Float32s,  # float32: seconds
    expressive: Float32s,  # float32: how readily the user acts, 1 on average
    chances: list[Float32s],  # CHANCES of them, uniform in (0, 1)
) -> Actions:
    """The actions after impressions: more of them the longer it was watched and the more it is to the user's taste."""
    pleased = expressive * share * expected
    displeased = expressive * ((1 - share) * (1 - expected)) ** 2
    return Actions(
        clicked=chances[0] < -config.click * np.expm1(-share / np.float32(max(config.click_within, 1e-6))),
        liked=chances[1] < config.like * pleased,
        shared=chances[2] < config.share * pleased,
        commented=chances[3] < config.comment * pleased,
        saved=chances[4] < config.save * pleased,
        followed=chances[5] < config.follow * pleased,
        hidden=chances[6] < config.hide * displeased,
        reported=chances[7] < config.report * displeased,
        skipped=(share * durations < config.skip_seconds) & (share < np.float32(0.5)),
    )
