"""What models have answered already, in a home, so that a comparison that was stopped goes on where it was."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import xxhash

from feedmill.measure.evaluation.comparison import Answer
from feedmill.stream.files import atomic_write, storage_errors


class KeptAnswers:
    """One file for each model and split, named by a digest of those and of everything else that they depend on.

    A file that is damaged counts as missing.
    """

    def __init__(self, folder: Path, depends_on: Sequence[object]) -> None:
        """`depends_on`: what msgspec can encode; with other values there, nothing that was kept is found."""
        self._folder = folder
        self._depends_on = list(depends_on)

    def find(self, model: str, split: str) -> Answer | None:
        try:
            with np.load(io.BytesIO(self._file(model, split).read_bytes())) as kept:
                return Answer(kept["lists"], *kept["seconds"].tolist())
        except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile):
            return None

    def keep(self, model: str, split: str, answer: Answer) -> None:
        """Raises StorageError."""
        content = io.BytesIO()
        np.savez(content, lists=answer.lists, seconds=np.array([answer.fit_seconds, answer.recommend_seconds]))
        with storage_errors(self._folder):
            self._folder.mkdir(exist_ok=True)
        atomic_write(self._file(model, split), content.getvalue())

    def forget(self) -> None:
        """Remove the folder, and what other comparisons that were stopped have left in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, model: str, split: str) -> Path:
        digest = xxhash.xxh3_64_hexdigest(msgspec.json.encode([*self._depends_on, model, split]))
        return self._folder / f"{digest}.npz"
