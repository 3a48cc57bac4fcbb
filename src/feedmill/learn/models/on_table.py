"""Click-through models whose weights are rows of the embedding table: they learn from each batch as it comes.

A row of features is a row of fields: for each slot the mean of the table's rows of its ids, for each dense column the
table's row of that column times its value, and a constant. Slots have numbers of the model's own, by their place.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Examples, Features, Float32s
from feedmill.domain.ids import VALUE_BITS, VALUE_MASK, UInt64s, feature_ids
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.models.click import ClickModel, Shape, shape_of
from feedmill.learn.table.snapshot_bytes import restore_bytes, snapshot_bytes
from feedmill.learn.table.table import EmbeddingTable


class TableClickModel(ClickModel):
    """A sum over fields of what the rows of the table hold. The config has `epochs`, `batch` and `seed`."""

    _table: EmbeddingTable

    @abstractmethod
    def _segments(self, objectives: int) -> tuple[Segment, ...]:
        """The layout of a row of the table."""

    @abstractmethod
    def _logits(
        self,
        fields: Float32s,  # [n, fields, dimension]
        objectives: int,
    ) -> Float32s:
        """float32 [n, O]."""

    @abstractmethod
    def _gradients(
        self,
        fields: Float32s,  # [n, fields, dimension]
        errors: Float32s,  # [n, O]: the gradients of the logits
    ) -> Float32s:
        """float32 [n, fields, dimension]: the gradients of the fields."""

    def learn(self, examples: Examples, binary: Sequence[bool] | None = None) -> Self:
        """One step on a batch of new examples; ids that the model has not met are learned from here on.

        Cost: linear in the ids, and in rows * dense columns * the width of a row. What has a weight below 0 is taken
        back. `binary` counts in the first call only, as in `fit`.
        """
        if len(examples):
            if self.shape is None:
                self.shape = shape_of(examples, binary)
                self._table = self._new_table(self.shape)
            self._step(examples, self._checked(examples.features))
        return self

    def _fit(self, examples: Examples, shape: Shape) -> None:
        self._table = self._new_table(shape)
        for _ in range(self.config.epochs):
            for start in range(0, len(examples), self.config.batch):
                rows = np.arange(start, min(start + self.config.batch, len(examples)))
                self._step(examples.take(rows), shape)

    def _predict(self, features: Features, shape: Shape) -> Float32s:
        ids, inputs = self._inputs(features, shape)
        fields = self._fields(features, ids, inputs, shape)
        return _predictions(self._logits(fields, len(shape.binary)), shape)

    def _step(self, examples: Examples, shape: Shape) -> None:
        features = examples.features
        ids, inputs = self._inputs(features, shape)
        fields = self._fields(features, ids, inputs, shape)
        predicted = _predictions(self._logits(fields, len(shape.binary)), shape)
        gradients = self._gradients(fields, (predicted - examples.labels) * examples.weights)
        now = int(examples.timestamps.max())
        width = fields.shape[2]
        of_slots = np.ascontiguousarray(gradients[:, : shape.slots]).reshape(-1, width)
        self._table.update(ids, features.offsets, of_slots, "mean", now=now)
        columns = _columns(shape)
        of_columns = np.einsum("nd,ndw->dw", inputs, gradients[:, shape.slots :])
        self._table.update(columns, np.arange(len(columns) + 1), of_columns.astype(np.float32), now=now)

    def _inputs(self, features: Features, shape: Shape) -> tuple[UInt64s, Float32s]:
        """The ids in slots of the model's own, and float32 [n, dense + 1] with a constant."""
        n = len(features)
        place = np.repeat(np.tile(np.arange(shape.slots), n), np.diff(features.offsets)).astype(np.uint64)
        values = features.ids & np.uint64(VALUE_MASK)
        ids = np.where(values == 0, np.uint64(0), values | ((place + np.uint64(1)) << np.uint64(VALUE_BITS)))
        return ids, np.concatenate([features.dense, np.ones((n, 1), dtype=np.float32)], axis=1)

    def _fields(self, features: Features, ids: UInt64s, inputs: Float32s, shape: Shape) -> Float32s:
        width = self._table.dimensions[0]
        of_slots = self._table.pooled_lookup(ids, features.offsets, "mean", width)
        of_columns = self._table.lookup(_columns(shape))
        return np.concatenate(
            [of_slots.reshape(len(features), shape.slots, width), inputs[:, :, None] * of_columns], axis=1
        )

    def _new_table(self, shape: Shape) -> EmbeddingTable:
        segments = self._segments(len(shape.binary))
        # One more than there are slots, for the dense columns.
        slots = [Slot(number, f"{self.name}/{number}", segments) for number in range(1, shape.slots + 2)]
        return EmbeddingTable(slots, self.config.seed)

    def _kept(self) -> dict[str, Any]:
        return super()._kept() if self.shape is None else {**super()._kept(), "table": snapshot_bytes(self._table)}

    def _restore(self, kept: dict[str, Any]) -> None:
        super()._restore(kept)
        if self.shape is not None:
            self._table = self._new_table(self.shape)
            restore_bytes(self._table, kept["table"])


def _columns(shape: Shape) -> UInt64s:
    """uint64 [dense + 1]: the ids of the dense columns and of the constant."""
    return feature_ids(shape.slots + 1, np.arange(1, shape.dense + 2, dtype=np.uint64))


def _predictions(logits: npt.NDArray[np.float32], shape: Shape) -> Float32s:
    binary = np.array(shape.binary)
    probabilities = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    found: Float32s = np.where(binary, probabilities, logits).astype(np.float32)
    return found
