"""A log that lives in memory: the least that keeps the protocol, for tests and for models of other logs."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.records import Record
from feedmill.stream.log.protocol import Appended


class MemoryLog:
    """A `Log` whose records are gone with the process."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._known: dict[str, Record] = {}
        self._lock = threading.Lock()

    def append(self, records: Sequence[Record]) -> Appended:
        duplicates = np.zeros(len(records), dtype=np.bool_)
        with self._lock:
            for index, record in enumerate(records):
                if record.event_id and record.event_id in self._known:
                    duplicates[index] = True
                    continue
                self._known[record.event_id] = record
                self._records.append(record)
            return Appended(len(self._records), duplicates)

    def read(self, position: int, limit: int) -> tuple[list[Record], int]:
        if not 0 <= position <= len(self._records):
            raise InvalidArgument(f"position {position}: this log goes from 0 to {len(self._records)}")
        if limit < 0:
            raise InvalidArgument(f"limit {limit}: must not be negative")
        records = self._records[position : position + limit]
        return records, position + len(records)

    def find(self, event_ids: Sequence[str]) -> list[Record | None]:
        with self._lock:
            return [self._known.get(event_id) if event_id else None for event_id in event_ids]

    def end(self) -> int:
        return len(self._records)

    def close(self) -> None:
        """Nothing to release."""
