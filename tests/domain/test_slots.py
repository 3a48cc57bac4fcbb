"""The registry of slots only grows, and a number never changes what it means."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from feedmill.domain.errors import ConfigError, InvalidFile
from feedmill.domain.ids import MAX_SLOT
from feedmill.domain.slots import Segment, Slot, SlotRegistry

NARROW = (Segment(4),)
WIDE = (Segment(1), Segment(8, initial_scale=0.1))


def test_numbers_are_given_from_1_in_the_order_of_registration() -> None:
    registry = SlotRegistry()
    assert [registry.register(name, NARROW).number for name in ("a", "b", "c")] == [1, 2, 3]
    assert [slot.name for slot in registry] == ["a", "b", "c"]


def test_the_same_name_and_layout_is_the_same_slot() -> None:
    registry = SlotRegistry()
    assert registry.register("a", WIDE, admission=2) == registry.register("a", WIDE, admission=2)
    assert len(list(registry)) == 1
    assert "a" in registry
    assert "b" not in registry
    assert registry["a"].dimension == 9


@pytest.mark.parametrize(
    "changed",
    [
        {"segments": WIDE},
        {"segments": NARROW, "admission": 3},
        {"segments": NARROW, "time_to_live": 1000},
        {"segments": (Segment(4, l2=0.1),)},
    ],
)
def test_a_slot_whose_layout_changes_gets_a_new_number_and_its_old_one_is_never_used_again(changed: dict) -> None:
    registry = SlotRegistry()
    registry.register("a", NARROW)
    registry.register("b", NARROW)
    assert registry.register("a", **changed).number == 3
    assert registry["a"].number == 3
    assert registry.register("a", NARROW).number == 4
    assert [slot.number for slot in registry] == [4, 2]


def test_a_registry_goes_through_its_file_with_its_retired_slots(tmp_path: Path) -> None:
    registry = SlotRegistry()
    registry.register("a", NARROW)
    registry.register("a", WIDE, admission=5, time_to_live=60_000)
    path = tmp_path / "slots.json"
    path.write_bytes(registry.dump())
    loaded = SlotRegistry.load(path)
    assert loaded.dump() == registry.dump()
    assert loaded.digest() == registry.digest()
    assert loaded["a"] == registry["a"] == Slot(2, "a", WIDE, 5, 60_000)
    assert loaded.register("b", NARROW).number == 3
    assert loaded.digest() != registry.digest()


def test_a_registry_without_a_file_is_empty(tmp_path: Path) -> None:
    assert list(SlotRegistry.load(tmp_path / "slots.json")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"not json",
        b'[{"number": 1}]',
        msgspec.json.encode([Slot(2, "a", NARROW)]),
        msgspec.json.encode([Slot(1, "a", NARROW), Slot(1, "b", NARROW)]),
    ],
)
def test_a_file_that_is_no_registry_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "slots.json"
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=r"slots\.json"):
        SlotRegistry.load(path)


def test_the_4096th_slot_is_refused() -> None:
    registry = SlotRegistry(tuple(Slot(number, f"s{number}", NARROW) for number in range(1, MAX_SLOT + 1)))
    assert registry.register("s7", NARROW).number == 7
    with pytest.raises(ConfigError, match="all 4095 slot numbers are taken"):
        registry.register("one more", NARROW)
