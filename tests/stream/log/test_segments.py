"""The files of sealed keys, and the native search in them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from feedmill import _native
from feedmill.domain.errors import InvalidFile
from feedmill.stream.log.segments import open_segment, segment_path, write_segment

LOG = bytes(range(16))


def test_a_segment_finds_the_keys_that_it_holds_with_every_position(tmp_path: Path) -> None:
    parts = [
        (np.array([3, 7, 7], dtype=np.uint64), np.array([1, 2, 4], dtype=np.int64)),
        (np.array([5, 7], dtype=np.uint64), np.array([6, 5], dtype=np.int64)),
    ]
    for segment in (write_segment(tmp_path, LOG, 0, 6, parts), open_segment(segment_path(tmp_path, 0, 6), LOG)):
        assert segment.keys.tolist() == [3, 5, 7, 7, 7]
        assert segment.positions.tolist() == [1, 6, 2, 4, 5]
        probes, positions = segment.find(np.array([7, 4, 3, 0], dtype=np.uint64))
        assert probes.tolist() == [0, 0, 0, 2]
        assert positions.tolist() == [2, 4, 5, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["0000000000000000-0000000000000006.keys"]


def test_a_segment_without_keys_finds_nothing(tmp_path: Path) -> None:
    segment = write_segment(tmp_path, LOG, 0, 9, [])
    assert len(segment.find(np.array([1, 2], dtype=np.uint64))[0]) == 0


def test_every_altered_byte_is_detected(tmp_path: Path) -> None:
    part = (np.array([3, 7], dtype=np.uint64), np.array([1, 2], dtype=np.int64))
    path = write_segment(tmp_path, LOG, 0, 2, [part]).path
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        with pytest.raises(InvalidFile):
            open_segment(path, LOG)


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    part = (np.array([3, 7], dtype=np.uint64), np.array([1, 2], dtype=np.int64))
    path = write_segment(tmp_path, LOG, 0, 2, [part]).path
    for size in range(path.stat().st_size - 1, -1, -1):
        os.truncate(path, size)
        with pytest.raises(InvalidFile):
            open_segment(path, LOG)


def test_a_segment_of_another_log_or_another_name_is_refused(tmp_path: Path) -> None:
    path = write_segment(tmp_path, LOG, 0, 2, []).path
    with pytest.raises(InvalidFile, match="another log"):
        open_segment(path, bytes(16))
    with pytest.raises(InvalidFile, match="positions 0 to 2"):
        open_segment(path.rename(segment_path(tmp_path, 0, 3)), LOG)


def test_the_filter_holds_every_key_and_passes_fewer_than_one_in_500_others() -> None:
    generator = np.random.default_rng(7)
    keys = generator.integers(1, 1 << 63, 200_000, dtype=np.uint64) * np.uint64(2)
    key_filter = np.zeros((_native.key_filter_blocks(len(keys)), 8), dtype=np.uint32)
    assert key_filter.nbytes * 8 == pytest.approx(16 * len(keys), abs=256)
    _native.fill_key_filter(keys, key_filter)

    def passes(probes: np.ndarray) -> int:
        """How many keys the filter lets through: it stands before a segment that holds exactly those asked for."""
        ordered = np.sort(probes)
        return len(_native.find_keys(key_filter, ordered, np.zeros(len(ordered), dtype=np.int64), probes)[0])

    assert passes(keys) == len(keys)
    others = generator.integers(1, 1 << 63, 1_000_000, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    assert passes(np.unique(others)) < len(others) / 500


def test_the_map_of_new_keys_agrees_with_a_dictionary() -> None:
    generator = np.random.default_rng(3)
    known = _native.KeyMap(4)
    model: dict[int, list[int]] = {}
    position = 0
    for _ in range(50):
        keys = generator.integers(0, 500, 40, dtype=np.uint64)
        positions = np.arange(position, position + len(keys))
        position += len(keys)
        known.add(keys, positions)
        for key, at in zip(keys.tolist(), positions.tolist(), strict=True):
            if key:
                model.setdefault(key, []).append(at)
    probes, found = known.find(np.arange(600, dtype=np.uint64))
    seen: dict[int, list[int]] = {}
    for probe, at in zip(probes.tolist(), found.tolist(), strict=True):
        seen.setdefault(probe, []).append(at)
    assert {key: sorted(at) for key, at in seen.items()} == model
    assert len(known) == sum(map(len, model.values()))
    ordered, at = known.sorted()
    assert list(zip(ordered.tolist(), at.tolist(), strict=True)) == [
        (key, place) for key in sorted(model) for place in model[key]
    ]


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    one, two = np.ones(1, dtype=np.uint64), np.ones(2, dtype=np.int64)
    with pytest.raises(ValueError, match="differ in length"):
        _native.KeyMap(1).add(one, two)
    with pytest.raises(ValueError, match="as many"):
        _native.merge_keys([(one, two[:1])], np.ones(2, dtype=np.uint64), two)
    with pytest.raises(ValueError, match="at least one block"):
        _native.fill_key_filter(one, np.zeros((0, 8), dtype=np.uint32))
