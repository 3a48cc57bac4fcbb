"""Parameter deltas: how parameters go from the one that learns to those that serve.

A delta carries values as they are, never changes of them, so that applying one twice is as applying it once. It brings
a copy that has reached any step from `since` on to `step`. An epoch is one life of a publisher; within it deltas are
numbered from 1. A follower that misses a number, or sees another epoch, starts again from the newest snapshot.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec
import xxhash

from feedmill.learn.guards.hold import Hold
from feedmill.learn.parameters import Rows
from feedmill.learn.table.storage import Storage


class Header(msgspec.Struct, frozen=True):
    """What a delta is about."""

    epoch: int
    sequence: int
    config: str
    """Digest of the configuration that the parameters depend on."""
    registry: int
    """Digest of the slot registry."""
    base: int
    """The step of the snapshot that the epoch goes on from; 0 for initial parameters."""
    since: int
    """The delta has every row that has changed after this step."""
    step: int
    position: int
    """How far the log has been learned."""
    received: int
    """Everything that was received until then has been learned: UTC milliseconds, 0 where it is not known."""
    published_at: int
    """UTC milliseconds."""
    storage: Storage = "float32"
    """How the vectors of its rows are rounded on their way."""
    learned_at: int = 0
    """When the step ended, UTC milliseconds; 0 where it is not known."""


class Delta(NamedTuple):
    """Parameters that have changed, as they are now."""

    header: Header
    rows: dict[int, Rows]
    """By dimension; finite, and read as the header's `storage` rounds them."""
    dense: bytes | None
    """All dense parameters, see `Parameters.dense`; None where they are not due."""


class Head(msgspec.Struct, frozen=True):
    """How far a channel has come, and how current that is."""

    epoch: int
    sequence: int
    """Of the newest delta."""
    config: str
    registry: int
    step: int
    position: int
    at: int
    """The parameters have learned everything that was received until then: UTC milliseconds, 0 where it is not known.
    A trainer that has nothing to learn keeps it up to date."""
    hold: Hold | None = None
    """Why nothing more is published for the time being; snapshots from its step on are not to be used."""
    held_at: int = 0
    """When publishing stopped: UTC milliseconds."""


class Channel(Protocol):
    """Where deltas are left by one publisher and found by any number of followers."""

    def head(self) -> Head | None:
        """What was announced last; None where nothing was. Cheap where nothing has changed: it is asked for often."""
        ...

    def publish(self, delta: Delta) -> None:
        """Leave a delta, in place of one with the same epoch and number. It counts once it is announced.

        Raises StorageError where it cannot be left.
        """
        ...

    def announce(self, head: Head) -> None:
        """Say how far the channel has come. Raises StorageError."""
        ...

    def read(self, epoch: int, sequence: int) -> Delta:
        """A delta. Raises SnapshotError, naming it, where it is missing or damaged."""
        ...

    def header(self, epoch: int, sequence: int) -> Header:
        """What a delta is about, without reading its rows; raises as `read`, but does not see damage to the rows."""
        ...

    def kept(self) -> list[tuple[int, int]]:
        """Epoch and number of the deltas that are there, ascending."""
        ...

    def remove(self, epoch: int, sequence: int) -> None:
        """Remove a delta; nothing where there is none. Raises StorageError."""
        ...


def config_digest(digest: bytes) -> str:
    """The digest of a configuration, as headers name it.

    >>> config_digest(b"")
    '2d06800538d394c2'
    """
    return xxhash.xxh3_64_hexdigest(digest)
