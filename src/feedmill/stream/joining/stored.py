"""Joined examples as files: a stream that batch training reads.

    examples/
      stream.json                          what the columns mean
      000000000000-000000065536.parquet    the examples that these positions of the log completed, a row each
      000000065536-...

A row holds `step` (the number of the step that the trainer makes of it), `user` and `item` (64-bit keys), `timestamp`
(UTC milliseconds), `sequence` (rows that were folded before it), of each objective `NAME_label` and `NAME_weight`, and
the features: `ids` (all of them, slot after slot), `lengths` (how many ids each slot has) and `dense`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from feedmill.domain.batches import Examples, Features
from feedmill.domain.errors import InvalidFile
from feedmill.stream.files import atomic_write, storage_errors

FORMAT_VERSION = 1
_ABOUT = "stream.json"
_ROWS = 50_000
"""A file ends with the first step that makes so many."""


class ExampleStream(msgspec.Struct, frozen=True):
    """What a stream of examples is of."""

    objectives: tuple[str, ...]
    slots: tuple[str, ...]
    """The names of the slots, in the order of the features."""
    slot_numbers: tuple[int, ...]
    """In the highest 12 bits of an id."""
    dense_columns: int
    batch: int
    """A step of the trainer has at most so many examples; one with more is learned in parts."""
    first: int
    """The log position from which on examples were written."""
    until: int
    """Where the log was left: training goes on from here."""
    rows: int
    format_version: int = FORMAT_VERSION


class ExampleWriter:
    """Writes a stream; there is none until `close`, which says what it is of."""

    def __init__(self, folder: Path, about: ExampleStream) -> None:
        """Makes the folder, and removes the stream that is there."""
        self._folder = folder
        self._about = about
        self._parts: list[tuple[int, Examples]] = []
        self._rows = self._waiting = 0
        self._start = self._end = about.first
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _ABOUT).unlink(missing_ok=True)
            for old in folder.glob("*.parquet"):
                old.unlink()

    def add(self, step: int, examples: Examples, position: int) -> None:
        """Take the examples of a step, which has read up to a position. Raises StorageError when the disk refuses."""
        self._end = position
        if len(examples):
            self._parts.append((step, examples))
        self._waiting += len(examples)
        self._rows += len(examples)
        if self._waiting >= _ROWS:
            self._flush()

    def close(self) -> ExampleStream:
        """The stream is whole, and on disk, when this returns."""
        if self._waiting:
            self._flush()
        about = msgspec.structs.replace(self._about, until=self._end, rows=self._rows)
        atomic_write(self._folder / _ABOUT, msgspec.json.format(msgspec.json.encode(about)))
        return about

    def _flush(self) -> None:
        content = io.BytesIO()
        pl.concat([self._frame(step, examples) for step, examples in self._parts]).write_parquet(content)
        atomic_write(self._folder / f"{self._start:012d}-{self._end:012d}.parquet", content.getvalue())
        self._parts, self._waiting, self._start = [], 0, self._end

    def _frame(self, step: int, examples: Examples) -> pl.DataFrame:
        n, slots, features = len(examples), len(self._about.slots), examples.features
        bounds = features.offsets[:: slots or 1].tolist()
        columns = {
            "step": pl.Series(np.full(n, step)),
            "user": pl.Series(examples.users),
            "item": pl.Series(examples.items),
            "timestamp": pl.Series(examples.timestamps),
            "sequence": pl.Series(examples.sequence),
        }
        for index, name in enumerate(self._about.objectives):
            columns[f"{name}_label"] = pl.Series(examples.labels[:, index])
            columns[f"{name}_weight"] = pl.Series(examples.weights[:, index])
        rows = [features.ids[start:end] for start, end in pairwise(bounds)]
        columns["ids"] = pl.Series(rows, dtype=pl.List(pl.UInt64))
        lengths = np.diff(features.offsets).astype(np.uint32).reshape(n, slots)
        columns["lengths"] = pl.Series(lengths, dtype=pl.Array(pl.UInt32, slots))
        columns["dense"] = pl.Series(features.dense, dtype=pl.Array(pl.Float32, self._about.dense_columns))
        return pl.DataFrame(columns)


def read_stream(folder: Path) -> ExampleStream:
    """What the stream in a folder is of. Raises InvalidFile where there is none that is whole."""
    try:
        about = msgspec.json.decode((folder / _ABOUT).read_bytes(), type=ExampleStream)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidFile(f"{folder}: no stream of examples ({error}); write one with `feedmill examples`") from None
    if about.format_version > FORMAT_VERSION:
        raise InvalidFile(f"{folder}: a stream of a newer Feedmill; upgrade, or write it again")
    return about


def read_examples(folder: Path) -> Iterator[Examples]:
    """The batches that the trainer learns, one after the other, bit for bit.

    Raises InvalidFile when there is no stream, or it is damaged.
    """
    about = read_stream(folder)
    rows = 0
    for path in sorted(folder.glob("*.parquet")):
        try:
            frame = pl.read_parquet(path)
            for step in frame.partition_by("step", maintain_order=True):
                rows += len(step)
                for part in step.iter_slices(about.batch):
                    yield _examples(part, about)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InvalidFile(f"{path}: cannot be read ({error}); write the stream again") from None
    if rows != about.rows:
        raise InvalidFile(f"{folder}: {rows:,} of {about.rows:,} examples are there; write the stream again")


def _examples(frame: pl.DataFrame, about: ExampleStream) -> Examples:
    lengths = frame["lengths"].to_numpy().astype(np.int64).ravel()
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    features = Features(
        frame["ids"].explode().drop_nulls().to_numpy().copy(),
        offsets,
        frame["dense"].to_numpy().reshape(len(frame), about.dense_columns).copy(),
    )
    labels, weights = (
        np.stack([frame[f"{name}_{kind}"].to_numpy() for name in about.objectives], axis=1)
        for kind in ("label", "weight")
    )
    users, items, timestamps, sequence = (
        frame[name].to_numpy().copy() for name in ("user", "item", "timestamp", "sequence")
    )
    return Examples(features, labels, weights, users, items, timestamps, sequence)
