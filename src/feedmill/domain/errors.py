"""Every error that Feedmill raises on purpose.

    FeedmillError
    ├── ConfigError          a configuration that cannot be used
    ├── HomeError            a home directory that cannot be used
    │   ├── HomeInUse            another process has it
    │   ├── HomeVersionError     written by a newer Feedmill
    │   └── StorageError         the disk is full, read-only or failing
    ├── InvalidRecord        a record that cannot be accepted; names the field
    ├── InvalidFile          an input file that is not what it says
    ├── InvalidArgument      a value passed to a function that it cannot take
    ├── NotFound             a user, item or request that does not exist
    ├── PortInUse            a port on which another process listens
    ├── Conflict             a request id that belongs to another request
    ├── Unavailable          a server that is starting, stopping or has more to do than it can
    ├── OutOfMemory          memory that the system does not give
    └── SnapshotError        a snapshot that is damaged or belongs to another model

A message says what was wrong, where, and what to do. Exceptions of other libraries do not cross a public function.
"""

from __future__ import annotations


class FeedmillError(Exception):
    """The base of every error that Feedmill raises on purpose."""


class ConfigError(FeedmillError):
    """A configuration that cannot be used; the message names the key."""


class HomeError(FeedmillError):
    """A home directory that cannot be used."""


class HomeInUse(HomeError):
    """A home, or a part of it, that another process has: it may be had when that has ended."""


class HomeVersionError(HomeError):
    """A home that a newer Feedmill has written."""


class StorageError(HomeError):
    """The disk under a home is full, read-only or failing. What was acknowledged before is still there."""


class InvalidRecord(FeedmillError):
    """A record that cannot be accepted.

    `field` is the field at fault, as the caller named it; `problem` says what is wrong with it and what would be right.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidFile(FeedmillError):
    """An input file that is not what its name or the command says."""


class InvalidArgument(FeedmillError, ValueError):
    """A value that a function cannot take."""


class NotFound(FeedmillError):
    """A user, item or request that does not exist."""


class PortInUse(FeedmillError):
    """A port on which another process listens."""


class Conflict(FeedmillError):
    """A request id, or a cursor, that belongs to another request."""


class Unavailable(FeedmillError):
    """A server that is starting, stopping or has more to do than it can. The same request may succeed later."""


class OutOfMemory(FeedmillError, MemoryError):
    """Memory that the system does not give. What was asked for has not happened, and everything is as before."""


class SnapshotError(FeedmillError):
    """A snapshot that is damaged, incomplete, or made by another model."""
