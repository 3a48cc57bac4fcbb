"""The index of known keys: sealing, merging, and what it does about files that are lost or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.ids import UInt64s
from feedmill.stream.log.keys import KeyIndex
from feedmill.stream.log.segments import Positions

LOG = bytes(range(16))


class Rows:
    """The keys of a log, for the index to read again: the record at position p has the key `keys[p - 1]`."""

    def __init__(self, count: int) -> None:
        self.keys = np.random.default_rng(count).integers(1, 1 << 64, count, dtype=np.uint64)

    def scan(self, first: int, end: int) -> Iterator[tuple[UInt64s, Positions]]:
        for start in range(first, end, 7):
            stop = min(start + 7, end)
            yield self.keys[start:stop], np.arange(start + 1, stop + 1)

    def open(self, place: Path, end: int | None = None, identity: bytes = LOG, fanout: int = 3) -> KeyIndex:
        return KeyIndex(place, identity, len(self.keys) if end is None else end, self.scan, seal_at=10, fanout=fanout)

    def build(self, place: Path) -> None:
        index = self.open(place, end=0)
        for keys, positions in self.scan(0, len(self.keys)):
            index.add(keys, positions, int(positions[-1]))
            index.settle()
        index.close()


def assert_knows_all(index: KeyIndex, rows: Rows) -> None:
    probes, positions = index.find(rows.keys)
    assert sorted(zip(probes.tolist(), positions.tolist(), strict=True)) == [
        (row, row + 1) for row in range(len(rows.keys))
    ]
    probes, _ = index.find(rows.keys ^ np.uint64(1))
    assert len(probes) == 0


def test_every_key_is_found_however_often_it_was_sealed_and_merged(tmp_path: Path) -> None:
    rows = Rows(500)
    index = rows.open(tmp_path, end=0)
    for keys, positions in rows.scan(0, 500):
        index.add(keys, positions, int(positions[-1]))
    assert_knows_all(index, rows)
    index.settle()
    assert_knows_all(index, rows)
    index.close()


def test_opening_again_reads_only_the_unsealed_tail_from_the_log(tmp_path: Path) -> None:
    rows = Rows(500)
    rows.build(tmp_path)
    index = rows.open(tmp_path)
    assert index.scanned < 14
    assert_knows_all(index, rows)
    index.close()


def test_the_number_of_segments_stays_logarithmic(tmp_path: Path) -> None:
    rows = Rows(3000)
    index = rows.open(tmp_path, end=0)
    position = 0
    # Batches of 1 to 97 records: segments start out unequal.
    for size in [1, 97, 10, 3, 40] * 19:
        index.add(rows.keys[position : position + size], np.arange(position + 1, position + size + 1), position + size)
        position += size
        index.settle()
        # 3000 records in tails of 10: levels 0 to 5, at most 2 segments each.
        assert index.segments <= 12
    index.close()
    assert len(list(tmp_path.iterdir())) <= 12


@pytest.mark.parametrize("damage", ["removed", "cut", "altered", "emptied"])
@pytest.mark.parametrize("which", ["first", "middle", "last", "all"])
def test_segments_that_are_lost_or_damaged_are_made_again_from_the_log(tmp_path: Path, damage: str, which: str) -> None:
    rows = Rows(370)
    rows.build(tmp_path)
    files = sorted(tmp_path.iterdir())
    # 26 tails of 14 records: two segments of 126, two of 42 and two of 14; 6 records are not sealed.
    assert len(files) == 6
    chosen = {"first": files[:1], "middle": files[1:2], "last": files[-1:], "all": files}[which]
    for file in chosen:
        whole = file.read_bytes()
        if damage == "removed":
            file.unlink()
        else:
            middle = len(whole) // 2
            altered = whole[:middle] + bytes([whole[middle] ^ 64]) + whole[middle + 1 :]
            file.write_bytes({"cut": whole[:middle], "altered": altered, "emptied": b""}[damage])
    index = rows.open(tmp_path)
    assert index.scanned > 10
    assert_knows_all(index, rows)
    index.settle()
    index.close()
    index = rows.open(tmp_path)
    assert index.scanned < 30
    assert_knows_all(index, rows)
    index.close()


def test_parts_that_a_crash_left_beside_their_merge_are_removed(tmp_path: Path) -> None:
    rows = Rows(29)
    rows.build(tmp_path)
    parts = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(parts) == 2
    rows = Rows(43)
    rows.keys[:29] = Rows(29).keys
    index = rows.open(tmp_path)
    index.settle()
    index.close()
    assert len(list(tmp_path.iterdir())) == 1
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "0000000000000000-0000000000000099.tmp").write_bytes(b"torn")
    index = rows.open(tmp_path)
    assert_knows_all(index, rows)
    index.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_segments_of_another_log_are_not_believed(tmp_path: Path) -> None:
    Rows(300).build(tmp_path)
    rows = Rows(301)
    index = rows.open(tmp_path, identity=bytes(16))
    assert index.scanned == 301
    assert_knows_all(index, rows)
    index.close()


def test_segments_of_a_later_state_are_not_believed_when_the_log_was_put_back(tmp_path: Path) -> None:
    rows = Rows(300)
    rows.build(tmp_path)
    rows.keys = rows.keys[:45]
    index = rows.open(tmp_path)
    assert_knows_all(index, rows)
    index.close()


def test_records_without_keys_are_covered_but_not_kept(tmp_path: Path) -> None:
    rows = Rows(100)
    rows.keys[:] = 0
    rows.build(tmp_path)
    index = rows.open(tmp_path)
    assert index.scanned < 14
    assert len(index.find(np.array([0, 1], dtype=np.uint64))[0]) == 0
    index.close()


def test_keys_that_cannot_be_written_stay_known(tmp_path: Path) -> None:
    rows = Rows(100)
    place = tmp_path / "keys"
    index = rows.open(place, end=0)
    place.rmdir()
    place.write_text("in the way")
    for keys, positions in rows.scan(0, 60):
        index.add(keys, positions, int(positions[-1]))
    index.settle()
    assert index.segments == 0
    place.unlink()
    place.mkdir()
    for keys, positions in rows.scan(60, 100):
        index.add(keys, positions, int(positions[-1]))
    index.settle()
    assert index.segments > 0
    assert_knows_all(index, rows)
    index.close()
    index = rows.open(place)
    assert index.scanned < 14
    assert_knows_all(index, rows)
    index.close()
