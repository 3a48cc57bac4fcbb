"""The predictions of a replay as a Parquet file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feedmill.domain.ids import UInt64s
from feedmill.run.replay import Replay
from feedmill.stream.catalog.columns import ItemColumns, UserColumns
from feedmill.stream.files import atomic_write


def write_scores(replay: Replay, path: Path) -> None:
    """A row an example, in log order: `user_id`, `item_id`, `timestamp`, and of each objective label and prediction.

    `OBJECTIVE_label` is null where a row says nothing about the objective. Raises StorageError when the file cannot be
    written; an older one is then still there.
    """
    columns = replay.columns()
    catalog = replay.learner.state.catalog
    frame: dict[str, Any] = {"user_id": [], "item_id": [], "timestamp": []}
    objectives = list(replay.learner.config.objectives)
    if columns:
        frame["user_id"] = _ids(catalog.users, columns["users"])
        frame["item_id"] = _ids(catalog.items, columns["items"])
        frame["timestamp"] = columns["timestamps"]
    for index, name in enumerate(objectives):
        if columns:
            said = columns["weights"][:, index] > 0
            labels = pl.Series(columns["labels"][:, index])
            frame[f"{name}_label"] = pl.select(pl.when(pl.Series(said)).then(labels)).to_series()
            frame[f"{name}_prediction"] = columns["predictions"][:, index]
        else:
            frame[f"{name}_label"] = frame[f"{name}_prediction"] = np.empty(0, np.float32)
    table = pl.DataFrame(frame).with_columns(
        pl.col("user_id", "item_id").cast(pl.String),
        pl.col("timestamp").cast(pl.Int64).cast(pl.Datetime("ms", "UTC")),
    )
    content = io.BytesIO()
    table.write_parquet(content)
    atomic_write(path, content.getvalue())


def _ids(known: UserColumns | ItemColumns, keys: UInt64s) -> pl.Series:
    """The application's ids of some keys, all of which are known."""
    order = np.argsort(known.keys)
    ordinals = order[np.searchsorted(known.keys, keys, sorter=order)]
    return pl.Series(list(known.ids.names), dtype=pl.String).gather(ordinals)
