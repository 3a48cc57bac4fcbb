"""Slots: the fields of sparse features, numbered for ever.

A slot says how the rows of its feature ids are laid out, started and learned. It belongs to one model, which its name
begins with (`ranker/user`). Numbers are never used twice: a slot whose layout changes is a new slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import xxhash

from feedmill.domain.errors import ConfigError, InvalidFile
from feedmill.domain.ids import MAX_SLOT
from feedmill.domain.optimizers import Adagrad, Optimizer


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run of columns of a row that start and learn alike."""

    width: int
    optimizer: Optimizer = Adagrad()
    initial_scale: float = 0.0
    """Initial values are uniform in [-initial_scale, initial_scale)."""
    l2: float = 0.0
    """Weight decay: `l2 * value` is added to the gradient of a row that is updated; to FTRL it is lambda2."""
    clip: float = 0.0
    """A gradient whose norm over the segment is larger is scaled down to it; 0 leaves all as they are."""


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The layout and the rules of one slot's rows."""

    number: int
    """1 to 4095."""
    name: str
    segments: tuple[Segment, ...]
    admission: int = 1
    """An id gets a row at its `admission`-th occurrence in an update; at most 65,535."""
    time_to_live: int | None = None
    """Seconds after its last update at which a row may be dropped."""
    admission_probability: float = 1.0
    """With which an id gets a row at each occurrence; only where `admission` is 1."""

    @property
    def dimension(self) -> int:
        """Columns of a row: the sum of its segments' widths."""
        return sum(segment.width for segment in self.segments)


class SlotRegistry:
    """The append-only list of slots, kept as JSON in the home."""

    def __init__(self, slots: tuple[Slot, ...] = ()) -> None:
        self._by_name: dict[str, Slot] = {}
        self._all: list[Slot] = []
        for slot in slots:
            self._append(slot)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Slot:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def register(
        self, name: str, segments: tuple[Segment, ...], admission: int = 1, time_to_live: int | None = None
    ) -> Slot:
        """The slot of that name with that layout: the registered one if nothing differs, else a new number.

        Raises ConfigError when all 4095 numbers are taken.
        """
        known = self._by_name.get(name)
        number = known.number if known else len(self._all) + 1
        slot = Slot(number, name, segments, admission, time_to_live)
        if slot == known:
            return known
        slot = msgspec.structs.replace(slot, number=len(self._all) + 1)
        if slot.number > MAX_SLOT:
            raise ConfigError(f"slot {name!r}: all {MAX_SLOT} slot numbers are taken; start a new home")
        self._append(slot)
        return slot

    def digest(self) -> int:
        """A 64-bit hash of the whole registry, for the headers of snapshots and deltas."""
        return xxhash.xxh3_64_intdigest(self.dump())

    def dump(self) -> bytes:
        """The registry as JSON, retired slots included."""
        return msgspec.json.format(msgspec.json.encode(self._all), indent=1)

    @classmethod
    def load(cls, path: Path) -> SlotRegistry:
        """The registry that `dump` wrote to `path`; empty when there is no such file.

        Raises InvalidFile when the file is something else.
        """
        if not path.exists():
            return cls()
        try:
            slots = msgspec.json.decode(path.read_bytes(), type=tuple[Slot, ...])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidFile(f"{path}: not a slot registry ({error}); restore it from a backup") from None
        if [slot.number for slot in slots] != list(range(1, len(slots) + 1)):
            raise InvalidFile(f"{path}: slots are missing or out of order; restore it from a backup")
        return cls(slots)

    def _append(self, slot: Slot) -> None:
        self._all.append(slot)
        self._by_name[slot.name] = slot
