"""Deltas in files are whole or refused by name, and another process sees what was announced."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from feedmill.domain.errors import SnapshotError, StorageError
from feedmill.learn.sync.files import FileChannel
from feedmill.testing.channel_contract import HEAD, assert_equal, delta

NAME = "00000003-000000000007.delta"


def test_another_reader_of_the_folder_sees_what_was_published(tmp_path: Path) -> None:
    one, other = FileChannel(tmp_path / "deltas"), FileChannel(tmp_path / "deltas")
    assert other.head() is None
    one.publish(delta())
    one.announce(HEAD)
    assert other.head() == HEAD
    assert_equal(other.read(3, 7), delta())
    one.announce(msgspec.structs.replace(HEAD, at=HEAD.at + 1))
    head = other.head()
    assert head is not None
    assert head.at == HEAD.at + 1
    assert sorted(path.name for path in (tmp_path / "deltas").iterdir()) == [NAME, "head"]


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path / "deltas")
    assert (channel.head(), channel.kept()) == (None, [])
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    channel.announce(HEAD)
    assert channel.head() is channel.head()


def test_a_delta_that_was_cut_or_altered_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    channel.publish(delta())
    path = tmp_path / NAME
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:length] for length in range(len(whole))]
    for content in (*flipped, *cut, whole + b"\0", b"something else entirely"):
        path.write_bytes(content)
        with pytest.raises(SnapshotError, match=NAME):
            channel.read(3, 7)


@pytest.mark.parametrize("content", [b"", b"{", b'{"epoch": 1}', b'{"config": "\xff"}'])
def test_a_torn_head_is_none(tmp_path: Path, content: bytes) -> None:
    channel = FileChannel(tmp_path)
    channel.announce(HEAD)
    assert channel.head() == HEAD
    (tmp_path / "head").unlink()
    (tmp_path / "head").write_bytes(content)
    assert channel.head() is None
    channel.announce(HEAD)
    assert channel.head() == HEAD


def test_files_of_others_are_no_deltas(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    for name in ("notes.txt", ".00000003-000000000007.delta.part", "3-7.delta", NAME + ".old"):
        (tmp_path / name).write_bytes(b"")
    assert channel.kept() == []


def test_a_place_that_cannot_be_written_to_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    channel = FileChannel(tmp_path / "file")
    with pytest.raises(StorageError):
        channel.publish(delta())
    with pytest.raises(StorageError):
        channel.announce(HEAD)
    assert channel.head() is None
