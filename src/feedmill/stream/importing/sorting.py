"""Sorting more than fits into memory: runs are sorted, spilled and merged. Equal keys keep their order."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from feedmill.stream.files import storage_errors

CHUNK_ROWS = 262_144
CHUNK_BYTES = 256 << 20
_FAN_IN = 64
"""Runs that are merged at once, and so files that are open at once for each level."""
_HEADER = struct.Struct("<qI")


class ExternalSort:
    """Payloads in, and out again in the order of their keys, ties in the order in which they came.

    Holds at most `chunk_rows` payloads or 256 MiB of them; the rest lies in nameless temporary files, which are gone
    with the process, however it ends. n payloads cost n log n comparisons, and one write and one read of each for
    every 64-fold growth beyond a chunk.
    """

    def __init__(self, chunk_rows: int = CHUNK_ROWS, work_dir: Path | None = None) -> None:
        """`work_dir` is where the temporary files go; the system's own place where it is None."""
        self._chunk_rows = chunk_rows
        self._work_dir = work_dir
        self._keys: list[int] = []
        self._payloads: list[bytes] = []
        self._bytes = 0
        self._runs: list[tuple[int, IO[bytes]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: int, payload: bytes) -> None:
        """Raises StorageError when the disk of the temporary files is full."""
        self._keys.append(key)
        self._payloads.append(payload)
        self._count += 1
        self._bytes += len(payload)
        if len(self._keys) >= self._chunk_rows or self._bytes >= CHUNK_BYTES:
            self._runs.append((0, self._spill(self._drain())))
            self._merge_levels()

    def drain(self) -> Iterator[bytes]:
        """Everything that was added, sorted; leaves nothing behind."""
        last = self._drain()
        if not self._runs:
            return (payload for _, payload in last)
        return (payload for _, _, payload in self._merge([*(self._read(run) for _, run in self._runs), last]))

    def close(self) -> None:
        """Give the temporary files back."""
        for _, run in self._runs:
            run.close()
        self._runs.clear()

    def _drain(self) -> Iterator[tuple[int, bytes]]:
        """The chunk in memory, sorted; a new one begins."""
        keys, payloads = self._keys, self._payloads
        self._keys, self._payloads, self._bytes = [], [], 0
        order = np.argsort(np.array(keys, dtype=np.int64), kind="stable").tolist()
        return ((keys[i], payloads[i]) for i in order)

    def _merge_levels(self) -> None:
        """Keeps the number of open files logarithmic: 64 runs of one level become one of the next."""
        while len(self._runs) >= _FAN_IN and self._runs[-_FAN_IN][0] == self._runs[-1][0]:
            level = self._runs[-1][0]
            merging = [run for _, run in self._runs[-_FAN_IN:]]
            merged = self._spill(
                (key, payload) for key, _, payload in self._merge([self._read(run) for run in merging])
            )
            for run in merging:
                run.close()
            self._runs[-_FAN_IN:] = [(level + 1, merged)]

    @staticmethod
    def _merge(runs: list[Iterator[tuple[int, bytes]]]) -> Iterator[tuple[int, int, bytes]]:
        """Earlier runs hold earlier payloads, so the run's number decides between equal keys."""
        return heapq.merge(*(_numbered(number, run) for number, run in enumerate(runs)))

    def _spill(self, entries: Iterator[tuple[int, bytes]]) -> IO[bytes]:
        with storage_errors(self._work_dir or Path(tempfile.gettempdir())):
            run = tempfile.TemporaryFile(dir=self._work_dir, buffering=1 << 18)  # noqa: SIM115
            for key, payload in entries:
                run.write(_HEADER.pack(key, len(payload)))
                run.write(payload)
            run.flush()
        return run

    @staticmethod
    def _read(run: IO[bytes]) -> Iterator[tuple[int, bytes]]:
        run.seek(0)
        while header := run.read(_HEADER.size):
            key, size = _HEADER.unpack(header)
            yield key, run.read(size)


def _numbered(number: int, run: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    for key, payload in run:
        yield key, number, payload
