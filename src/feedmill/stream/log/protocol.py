"""The append-only log: the protocol that every log keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feedmill.domain.records import Record


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one append."""

    position: int
    """The position after the last record of the log: reading from here gives what comes later."""
    duplicates: npt.NDArray[np.bool_]
    """bool [n]: True for each record that was known already (in the log, or earlier in the same append) and so was
    not written again."""


class Log(Protocol):
    """Records in the order in which they were accepted.

    A position is opaque to its users: 0 is the beginning; others come from `append`, `read` and `end`.
    """

    def append(self, records: Sequence[Record]) -> Appended:
        """Append records; returns only when they are durable.

        A record whose `event_id` is not empty and stands in the log already is a duplicate and is not written.
        Safe to call from several threads: waiting appends share one commit.
        Raises StorageError when the disk is full or read-only: then none of the records is in the log.
        """
        ...

    def read(self, position: int, limit: int) -> tuple[list[Record], int]:
        """Up to `limit` records from `position` on, and the position after them. At the end: none, same position."""
        ...

    def find(self, event_ids: Sequence[str]) -> list[Record | None]:
        """The record with each of these event ids; None where the log has none, or the id is empty.

        A record is found as soon as its append has returned. Safe to call beside appends; waits for the commit that is
        under way.
        """
        ...

    def end(self) -> int:
        """The position after the last durable record."""
        ...

    def close(self) -> None:
        """Release files and threads. What was appended is durable already."""
        ...
