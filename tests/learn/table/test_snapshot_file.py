"""The file of a snapshot, beside what the contract of tables says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedmill.domain.errors import SnapshotError
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.snapshot_file import MAGIC, Head, opened, written_aside

HEAD = Head(3, (Slot(1, "model/user", (Segment(4),)),))


def test_a_snapshot_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(MAGIC[:-1] + b"9" + HEAD.encode()[len(MAGIC) :])
    with pytest.raises(SnapshotError, match="another version of Feedmill"), opened(path, HEAD):
        pass


def test_a_head_is_read_back_with_its_length_and_the_file_stands_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(HEAD.encode() + b"rest")
    with opened(path, HEAD) as (file, length):
        assert file.read() == HEAD.encode() + b"rest"
        assert length == len(HEAD.encode())


def test_a_slot_that_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(HEAD.encode())
    other = Head(3, (Slot(1, "model/item", (Segment(4),)),))
    with pytest.raises(SnapshotError, match=r"model/user.*model/item"), opened(path, other):
        pass


def test_what_a_crash_left_aside_is_overwritten_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table"
    (tmp_path / ".table.part").write_bytes(b"half of a longer snapshot")
    with written_aside(path) as file:
        file.write(b"whole")

    def fail() -> None:
        with written_aside(path) as file:
            file.write(b"other")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table"]
