"""Ids become keys, and keys feature ids, in a way that never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.ids import MAX_SLOT, VALUE_MASK, feature_id, feature_ids, hash_id, hash_ids

GOLDEN = {
    "": 0x71E0CEBA54A8DB1D,
    "0": 0x65E04854D3EE3C2B,
    "u1": 0x41CCF518257B5190,
    "user:42": 0x6A59B28C6C3852DC,
    "Ünïcode ✓": 0x3C56DF74FBA6D77D,
    "x" * 256: 0x3459F9A64C279BAD,
}


@pytest.mark.parametrize(("text", "key"), GOLDEN.items())
def test_the_key_of_an_id_is_what_it_has_always_been(text: str, key: int) -> None:
    assert hash_id(text) == key


def test_many_ids_have_the_keys_that_they_have_one_by_one() -> None:
    keys = hash_ids(GOLDEN)
    assert keys.dtype == np.uint64
    assert keys.tolist() == list(GOLDEN.values())
    assert hash_ids([]).tolist() == []


def test_a_feature_id_is_12_bits_of_slot_and_52_bits_of_key() -> None:
    assert feature_id(1, 0x41CCF518257B5190) == 0x001CF518257B5190
    assert feature_id(MAX_SLOT, 2**64 - 1) == 2**64 - 1
    assert feature_id(3, 1 << 52) == 3 << 52


def test_nothing_has_no_feature_id() -> None:
    assert feature_id(7, 0) == 0
    assert feature_ids(7, np.array([0, 5], dtype=np.uint64)).tolist() == [0, (7 << 52) | 5]


@given(st.integers(1, MAX_SLOT), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_many_feature_ids_are_those_of_one_by_one_and_tell_their_slot(slot: int, keys: list[int]) -> None:
    ids = feature_ids(slot, np.array(keys, dtype=np.uint64))
    assert ids.tolist() == [feature_id(slot, key) for key in keys]
    assert all(identity >> 52 == slot and identity & VALUE_MASK == key & VALUE_MASK
               for identity, key in zip(ids.tolist(), keys, strict=True) if key)  # fmt: skip
