"""A table's snapshot in memory: for models that keep a table as a part of their own file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feedmill.learn.table.protocol import Table
from feedmill.stream.files import storage_errors

Bytes = npt.NDArray[np.uint8]


def snapshot_bytes(table: Table) -> Bytes:
    """uint8 [size]: what `Table.snapshot` writes, by way of a temporary file. Raises StorageError."""
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        table.snapshot(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)


def restore_bytes(table: Table, content: Bytes) -> None:
    """Make a table what it was at `snapshot_bytes`. Raises SnapshotError as `Table.restore` does, and StorageError."""
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(content.tobytes())
        table.restore(path)
