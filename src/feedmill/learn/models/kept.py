"""What all models have that are made from a config and kept in one file."""

from __future__ import annotations

import io
import math
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from scipy import sparse

from feedmill.domain.errors import ConfigError, SnapshotError
from feedmill.learn.models.space import Range
from feedmill.stream.files import atomic_write, storage_errors

_PART = "."
_PARTS = ("data", "indices", "indptr", "shape")


class KeptModel(ABC):
    """A name, typed settings, and one file. Subclasses say how to learn, and what is learned."""

    name: ClassVar[str]
    """As on the command line."""
    Config: ClassVar[type[Any]]
    """Its settings: a frozen msgspec Struct."""
    space: ClassVar[dict[str, Range]] = {}
    """What tuning may choose; settings that are not named stay as they are."""

    def __init__(self, config: Any = None) -> None:
        """Raises ConfigError for a setting that is no finite number, and for a seed that not every library takes."""
        self.config = self.Config() if config is None else config
        for field in self.config.__struct_fields__:
            value = getattr(self.config, field)
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{self.name}.{field}: {value} must be finite")
        seed = getattr(self.config, "seed", 0)
        if not 0 <= seed < 1 << 32:
            raise ConfigError(f"{self.name}.seed: {seed} must be at least 0 and below 2^32")

    @abstractmethod
    def _kept(self) -> dict[str, Any]:
        """Arrays and sparse matrices, by name: what `_restore` makes a new model of the same config like this one
        of."""

    @abstractmethod
    def _restore(self, kept: dict[str, Any]) -> None:
        """Become what `_kept` was taken from."""

    def save(self, path: Path) -> None:
        """Keep the model in one file, whole or not at all. Raises StorageError."""
        atomic_write(path, self.dump())

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model that `save` kept. Raises SnapshotError for a file that is damaged or another model's."""
        with storage_errors(path):
            content = path.read_bytes()
        return cls.parse(content, str(path))

    def dump(self) -> bytes:
        """What `save` writes."""
        arrays: dict[str, Any] = {}
        for name, value in self._kept().items():
            if sparse.issparse(value):
                value = value.tocsr()
                parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr, "shape": value.shape}
                arrays.update({f"{name}{_PART}{part}": array for part, array in parts.items()})
            else:
                arrays[name] = value
        content = io.BytesIO()
        told = msgspec.json.encode({"model": self.name, "config": self.config})
        np.savez_compressed(content, told=np.frombuffer(told, dtype=np.uint8), **arrays)
        return content.getvalue()

    @classmethod
    def parse(cls, content: bytes, where: str) -> Self:
        """The model of what `dump` gave. Raises SnapshotError, which names `where` it is from."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = dict(file)
            told = msgspec.json.decode(arrays.pop("told").tobytes())
            if told["model"] != cls.name:
                raise SnapshotError(f"{where}: a model {told['model']!r}, not {cls.name!r}; load it by its own class")
            model = cls(msgspec.convert(told["config"], cls.Config))
            kept: dict[str, Any] = {}
            for name in dict.fromkeys(key.partition(_PART)[0] for key in arrays):
                if f"{name}{_PART}data" in arrays:
                    data, indices, indptr, shape = (arrays[f"{name}{_PART}{part}"] for part in _PARTS)
                    kept[name] = sparse.csr_matrix((data, indices, indptr), shape=tuple(shape))
                else:
                    kept[name] = arrays[name]
            model._restore(kept)
        except (ValueError, KeyError, EOFError, msgspec.MsgspecError, zipfile.BadZipFile) as error:
            raise SnapshotError(f"{where}: no model that can be read ({error}); fit and save it again") from None
        return model
