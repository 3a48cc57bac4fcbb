"""What an importer is: a source that yields records and rejects, part by part. A new format is one file with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from feedmill.domain.objectives import Action
from feedmill.domain.records import Record
from feedmill.stream.importing.proposals import Proposal, Tally

PartName = Literal["rows", "users", "items", "tags"]
"""`rows` are what the totals of an import count; the others are counted beside them."""

Progress = Callable[[str, int, int], None]
"""Called with the phase ("reading", "writing"), how much of it is done, and how much there is: bytes, then records."""


def no_progress(_phase: str, _done: int, _total: int) -> None:
    """The progress of a pipe."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is no record."""

    file: str
    line: int
    """Where the row begins: the physical line of a text file, the row of a table; both count from 1."""
    field: str
    """The column at fault; empty where the row as a whole cannot be read."""
    reason: str
    row: str
    """The row as it stands in the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stream of rows of a source, in the order of its files."""

    name: PartName
    entries: Iterator[Record | Reject]


class Source(Protocol):
    """Files that can be imported. Reads in bounded memory; raises InvalidFile where a file is not what it says."""

    @property
    def mapping(self) -> dict[str, str]:
        """Column to field, as guessed or told; empty where the format is fixed."""
        ...

    @property
    def timestamp_unit(self) -> str:
        """How times were read: "s", "ms", "us", "ns", "date", "iso"; empty where there are none."""
        ...

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        ...

    @property
    def bytes_read(self) -> int:
        """Bytes of them that have been read."""
        ...

    def events(self) -> list[Part]:
        """The parts that happened at a time."""
        ...

    def catalog(self, start: int) -> list[Part]:
        """Users and items, with timestamps of at most `start`, the time of the first event."""
        ...

    def propose(self, tally: Tally, known: dict[str, Action]) -> Proposal:
        """A configuration under which what was read can be learned from."""
        ...
