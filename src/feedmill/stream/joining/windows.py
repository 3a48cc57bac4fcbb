"""The windows of an impression: when which of its labels are settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from feedmill.domain.objectives import Objective
from feedmill.stream.joining.config import JoinConfig


class Window(NamedTuple):
    """A time after which some labels are settled."""

    length: int
    """Milliseconds on the log's watermark."""
    objectives: tuple[int, ...]
    """The indexes of those that wait so long."""
    weights: list[float]
    """1 for each of these, 0 for the others."""


def windows_of(config: JoinConfig, objectives: Sequence[Objective]) -> list[Window]:
    """One for each length that there is, the shortest first; every objective is in one."""
    lengths = [config.window(objective) for objective in objectives]
    return [
        Window(
            length,
            tuple(index for index, other in enumerate(lengths) if other == length),
            [float(other == length) for other in lengths],
        )
        for length in sorted(set(lengths))
    ]
