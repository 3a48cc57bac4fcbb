"""A fitted model in a home: the model and the ids of its items, in one file, so that a feed can ask it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from feedmill.domain.errors import SnapshotError
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.named import BATCH_MODELS
from feedmill.stream.files import atomic_write, storage_errors


class _Stored(msgspec.Struct, frozen=True):
    model: str
    item_ids: list[str]
    position: int
    content: bytes


@dataclass(frozen=True, slots=True)
class FittedModel:
    """What `feedmill fit` leaves."""

    model: BatchModel
    item_ids: list[str]
    """By the ordinals that the model knows."""
    position: int
    """Of the log, up to which it was learned."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises StorageError."""
        stored = _Stored(self.model.name, self.item_ids, self.position, self.model.dump())
        atomic_write(path, msgspec.msgpack.encode(stored))

    @classmethod
    def load(cls, path: Path) -> FittedModel:
        """Read the file. Raises StorageError where there is none, SnapshotError where it is damaged."""
        with storage_errors(path):
            content = path.read_bytes()
        try:
            stored = msgspec.msgpack.decode(content, type=_Stored)
            kind = BATCH_MODELS[stored.model]
        except (msgspec.MsgspecError, KeyError) as error:
            raise SnapshotError(f"{path}: no fitted model ({error}); make it again with `feedmill fit`") from None
        return cls(kind.parse(stored.content, str(path)), stored.item_ids, stored.position)


def model_file(folder: Path, name: str) -> Path:
    """Where a model of that name is kept."""
    return folder / f"{name}.model"
