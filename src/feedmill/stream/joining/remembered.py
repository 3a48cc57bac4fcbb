"""What is remembered: pages, impressions and early actions."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from feedmill.domain.batches import Features
from feedmill.stream.features.pack import unpack

_decode_items = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode


@dataclass(slots=True, eq=False)
class Packed:
    """The features of some rows: packed for as long as they are remembered, unpacked while in use."""

    packed: bytes
    rows: int
    fits: bool | None = None
    """Whether they can be read and are of the present schema; None until somebody has looked."""
    stored: int = 0
    """Their number on disk; 0 where they are not there."""

    def unpack(self) -> Features:
        return unpack(self.packed, self.rows)


@dataclass(slots=True, eq=False)
class Page:
    """What is remembered of a page."""

    user_id: str
    opened: int
    timestamp: int
    encoded_items: bytes
    """Ids and positions. As strings they would take five times as much, for a day."""
    logged: Packed | None
    """The features that were logged with it."""

    def items(self) -> list[tuple[str, int]]:
        return _decode_items(self.encoded_items)


@dataclass(slots=True, eq=False)
class Impression:
    """An impression that waits for actions, or for late ones."""

    user: int
    item: int
    timestamp: int
    sequence: int
    opened: int
    """The watermark at its place in the log."""
    request_id: str
    features: Features | Packed
    row: int
    """Where in `features` its own are; -1 where it has none."""
    outcomes: dict[str, float] = field(default_factory=dict)
    closed: int = 0
    """How many of its windows are over: so often it was an example."""
    negative: int = 0
    """A bit for each of these, from the lowest: whether nothing positive had followed by then."""
    place: int = 0
    """Where it stands among those on disk, from 1; 0 in memory."""


@dataclass(slots=True, eq=False)
class Early:
    """An action that waits for its impression."""

    user: int
    item: int
    timestamp: int
    opened: int
    action: str
    value: float
    sequence: int
    request_id: str
    bound: bool
    """Whether only an impression of its request may take it: one of another request has it already."""
    taken: bool = False

    def waits_for(self, impression: Impression) -> bool:
        """Whether an impression of its user and item is the one."""
        if self.request_id and self.request_id == impression.request_id:
            return True
        return not self.bound and impression.timestamp <= self.timestamp
