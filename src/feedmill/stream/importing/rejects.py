"""Where rejected rows go: a JSON Lines file from which they can be mended."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import msgspec

from feedmill.stream.files import storage_errors
from feedmill.stream.importing.source import Reject


class RejectsFile:
    """Writes `{"file", "line", "field", "reason", "row"}` a line. The file is made, or emptied, by the first reject."""

    def __init__(self, path: Path | None) -> None:
        """Without a path rejects are counted and not kept."""
        self._path = path
        self._file: IO[bytes] | None = None

    @property
    def written(self) -> str | None:
        """The file's path, once it holds something."""
        return str(self._path) if self._file else None

    def write(self, reject: Reject) -> None:
        if self._path is None:
            return
        with storage_errors(self._path):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("wb")
            self._file.write(msgspec.json.encode(reject) + b"\n")

    def close(self) -> None:
        if self._file and self._path:
            with storage_errors(self._path):
                self._file.close()
