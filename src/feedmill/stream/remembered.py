"""What a joiner remembers: pages, impressions and early actions, and how they are written to a snapshot."""

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
    closed: bool = False
    """Whether it was an example; its window is open until then."""


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


class StoredEarly(msgspec.Struct, array_like=True, gc=False):
    """An `Early` of a snapshot."""

    user_id: str
    item_id: str
    timestamp: int
    opened: int
    action: str
    value: float
    sequence: int
    request_id: str
    bound: bool


class StoredPage(msgspec.Struct, array_like=True, gc=False):
    """A `Page` of a snapshot."""

    request_id: str
    user_id: str
    opened: int
    timestamp: int
    encoded_items: bytes
    batch: int
    """Which of the batches was logged with it; -1 where none was."""


class Snapshot(msgspec.Struct, array_like=True):
    """Everything that is remembered."""

    schema: list[int]
    """The slots of the features, and how many dense columns they have."""
    users: list[str]
    items: list[str]
    requests: list[str]
    batches: list[tuple[int, bytes]]
    """Packed features as they are remembered, and their rows."""
    pages: list[StoredPage]
    impressions: bytes
    """int64 [len(_COLUMNS), n], the closed ones first; what is named above stands here as a number."""
    closed: int
    outcomes: list[tuple[int, dict[str, float]]]
    """Of the impressions that have some."""
    early: list[StoredEarly]
