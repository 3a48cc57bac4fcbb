"""Logs of impressions as columns, and that of KuaiRand as it is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import HOUR
from feedmill.domain.errors import InvalidArgument, InvalidFile

Bools = npt.NDArray[np.bool_]

ACTIONS = ("click", "long_view", "like", "follow", "comment", "share", "hate")
LONG_SECONDS = 18.0
"""KuaiRand's long view: watched that long, or to the end where the video is shorter."""
BEIJING = 8 * HOUR

_KUAIRAND_FLAGS = ("is_click", "long_view", "is_like", "is_follow", "is_comment", "is_forward", "is_hate")
_KUAIRAND_KEYS = ("user_id", "video_id", "time_ms")


@dataclass(frozen=True, slots=True)
class ImpressionLog:
    """n impressions, in any order."""

    users: Int64s
    """int64 [n]."""
    items: Int64s
    """int64 [n]."""
    times: Int64s
    """int64 [n]: local time where the users live, ms."""
    watched: Float32s
    """float32 [n]: the share of the item's duration, at most 1; NaN where the duration is not known."""
    durations: Float32s
    """float32 [n]: seconds; 0 where it is not known."""
    actions: Mapping[str, Bools]
    """bool [n] for each of ACTIONS."""

    def __len__(self) -> int:
        return len(self.users)

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("items", "times", "watched", "durations")}
        for name, shape in (shapes | {name: column.shape for name, column in self.actions.items()}).items():
            if shape != self.users.shape:
                raise InvalidArgument(f"{name}: shape {shape}, expected {self.users.shape} like users")

    def take(self, kept: Bools) -> ImpressionLog:
        """The impressions at which `kept` (bool [n]) is True."""
        return ImpressionLog(
            self.users[kept],
            self.items[kept],
            self.times[kept],
            self.watched[kept],
            self.durations[kept],
            {name: column[kept] for name, column in self.actions.items()},
        )


def read_kuairand(folder: Path) -> ImpressionLog:
    """The logs of a folder of KuaiRand, in Beijing's time. Of rows with one user, video and time the first counts.

    Raises InvalidFile where the folder holds no log, or one without the published columns.
    """
    paths = sorted(folder.glob("log_*.csv"))
    if not paths:
        raise InvalidFile(f"{folder}: holds no log_*.csv; is it a folder of KuaiRand?")
    columns = [*_KUAIRAND_KEYS, "play_time_ms", "duration_ms", *_KUAIRAND_FLAGS]
    try:
        rows = pl.concat([pl.read_csv(path, columns=columns).select(columns) for path in paths])
    except (PolarsError, OSError) as error:
        raise InvalidFile(f"{folder}: not a log of KuaiRand: {error}") from error
    rows = rows.unique(subset=_KUAIRAND_KEYS, keep="first", maintain_order=True)
    users, items, times, played, durations = (rows[name].to_numpy().astype(np.int64) for name in columns[:5])
    watched = np.full(len(rows), np.nan, dtype=np.float32)
    known = durations > 0
    watched[known] = (played[known] / durations[known]).clip(0, 1)
    return ImpressionLog(
        users,
        items,
        times + BEIJING,
        watched,
        np.where(known, durations / 1000, 0).astype(np.float32),
        {name: rows[flag].to_numpy() == 1 for name, flag in zip(ACTIONS, _KUAIRAND_FLAGS, strict=True)},
    )
