"""A channel that lives in memory: the least that keeps the protocol, for tests and for models of other channels."""

from __future__ import annotations

from feedmill.domain.errors import SnapshotError
from feedmill.learn.sync.encoding import decode, encode
from feedmill.learn.sync.protocol import Delta, Head, Header


class MemoryChannel:
    """A `Channel` whose deltas are gone with the process."""

    def __init__(self) -> None:
        self._deltas: dict[tuple[int, int], bytes] = {}
        self._head: Head | None = None

    def head(self) -> Head | None:
        return self._head

    def publish(self, delta: Delta) -> None:
        # As bytes: what is published does not change with what it was made of.
        self._deltas[delta.header.epoch, delta.header.sequence] = encode(delta)

    def announce(self, head: Head) -> None:
        self._head = head

    def read(self, epoch: int, sequence: int) -> Delta:
        if (epoch, sequence) not in self._deltas:
            raise SnapshotError(f"delta {sequence} of epoch {epoch}: missing")
        return decode(self._deltas[epoch, sequence])

    def header(self, epoch: int, sequence: int) -> Header:
        return self.read(epoch, sequence).header

    def kept(self) -> list[tuple[int, int]]:
        return sorted(self._deltas)

    def remove(self, epoch: int, sequence: int) -> None:
        self._deltas.pop((epoch, sequence), None)
