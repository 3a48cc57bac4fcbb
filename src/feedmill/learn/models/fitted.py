"""Fitted models in a home, each with what a feed must know to ask it, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from feedmill.domain.errors import SnapshotError
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.click import ClickModel
from feedmill.learn.models.named import BATCH_MODELS, CLICK_MODELS
from feedmill.stream.files import atomic_write, storage_errors


class _Stored(msgspec.Struct, frozen=True):
    model: str
    position: int
    content: bytes
    item_ids: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model of interactions: a source."""

    model: BatchModel
    item_ids: tuple[str, ...]
    """By the ordinals that the model knows."""
    position: int
    """Of the log, up to which it was learned."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises StorageError."""
        _write(path, _Stored(self.model.name, self.position, self.model.dump(), item_ids=self.item_ids))

    @classmethod
    def load(cls, path: Path) -> FittedModel:
        """Read the file. Raises StorageError where there is none, SnapshotError where it is damaged or of a model of
        another kind."""
        stored = _read(path)
        kind = BATCH_MODELS.get(stored.model)
        if kind is None:
            raise SnapshotError(f"{path}: {stored.model} names no items by itself; name it as feed.ranker.model")
        return cls(kind.parse(stored.content, str(path)), stored.item_ids, stored.position)


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """A model of click-through, in place of the feed's own ranker."""

    model: ClickModel
    objectives: tuple[str, ...]
    """What it predicts, in order."""
    slots: tuple[str, ...]
    """What it reads, in order."""
    position: int
    """Of the log, up to which it was learned."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises StorageError."""
        content = self.model.dump()
        _write(path, _Stored(self.model.name, self.position, content, objectives=self.objectives, slots=self.slots))

    @classmethod
    def load(cls, path: Path) -> FittedRanker:
        """As `FittedModel.load`."""
        stored = _read(path)
        kind = CLICK_MODELS.get(stored.model)
        if kind is None:
            raise SnapshotError(f"{path}: {stored.model} predicts no objectives; name it as feed.model.name")
        return cls(kind.parse(stored.content, str(path)), stored.objectives, stored.slots, stored.position)


def model_file(folder: Path, name: str) -> Path:
    """Where a model of that name is kept."""
    return folder / f"{name}.model"


def _write(path: Path, stored: _Stored) -> None:
    atomic_write(path, msgspec.msgpack.encode(stored))


def _read(path: Path) -> _Stored:
    with storage_errors(path):
        content = path.read_bytes()
    try:
        return msgspec.msgpack.decode(content, type=_Stored)
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{path}: no fitted model ({error}); make it again with `feedmill fit`") from None
