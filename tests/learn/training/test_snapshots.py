"""Snapshots are whole or not there, and journals reach back to the oldest that is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from feedmill.domain.errors import HomeVersionError, SnapshotError, StorageError
from feedmill.learn.training.journal import Entry
from feedmill.learn.training.snapshots import MANIFEST, Manifest, Snapshots


class Notebook:
    """The least that can be snapshotted."""

    def __init__(self, content: str = "", digest: bytes = b"notebook") -> None:
        self.content = content
        self.digest = digest

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        begun()
        if self.content == "too large":
            raise StorageError("the disk is full")
        (folder / "content").write_text(self.content)

    def load(self, folder: Path) -> None:
        self.content = (folder / "content").read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def journal(snapshots: Snapshots, begin: int, *numbers: int) -> None:
    written = snapshots.begin_journal(Notebook(), begin)
    for number in numbers:
        written.append(Entry(number, 10 * number, 10))
    written.close()


def numbers(snapshots: Snapshots, step: int, digest: bytes = b"notebook") -> list[int]:
    return [entry.number for entry in snapshots.journalled(Notebook(digest=digest), step)]


def test_a_snapshot_is_restored_with_its_place(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "new" / "folder")
    assert snapshots.steps() == []
    snapshots.save(Notebook("one"), 7, 700)
    restored = Notebook()
    manifest = snapshots.restore(restored, 7)
    assert restored.content == "one"
    assert (manifest.step, manifest.position) == (7, 700)
    assert snapshots.steps() == [7]


def test_the_newest_are_kept_with_the_journals_after_the_oldest_of_them(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, keep=2)
    begun = 0
    for step in (3, 5, 9):
        journal(snapshots, begun, *range(begun + 1, step + 1))
        snapshots.save(Notebook(), step, 0)
        begun = step
    journal(snapshots, 9, 10, 11)
    assert snapshots.steps() == [5, 9]
    assert names(tmp_path) == ["000000000005", "000000000005.journal", "000000000009", "000000000009.journal"]
    assert numbers(snapshots, 9) == [10, 11]
    assert numbers(snapshots, 5) == [6, 7, 8, 9, 10, 11]
    assert numbers(snapshots, 0) == []


def test_until_there_are_enough_snapshots_the_journals_reach_back_to_the_beginning(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, keep=2)
    journal(snapshots, 0, 1, 2)
    snapshots.save(Notebook(), 2, 0)
    journal(snapshots, 2, 3)
    assert numbers(snapshots, 0) == [1, 2, 3]
    snapshots.remove(2)
    assert numbers(snapshots, 0) == [1, 2, 3]


def test_a_new_journal_ends_those_that_can_no_longer_be_reached(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    journal(snapshots, 0, 1, 2)
    journal(snapshots, 3, 4, 5)
    assert numbers(snapshots, 0) == [1, 2]
    journal(snapshots, 2, 3)
    assert numbers(snapshots, 0) == [1, 2, 3]


def test_journals_of_another_configuration_are_not_executed(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    journal(snapshots, 0, 1, 2)
    assert numbers(snapshots, 0, digest=b"another") == []


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(Notebook("one"), 1, 0)
    with pytest.raises(StorageError):
        snapshots.save(Notebook("too large"), 2, 0)
    assert names(tmp_path) == ["000000000001"]
    restored = Notebook()
    snapshots.restore(restored, 1)
    assert restored.content == "one"


def test_what_a_crash_left_half_written_is_no_snapshot_and_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "000000000004.part"
    left.mkdir()
    (left / "content").write_text("half")
    snapshots = Snapshots(tmp_path)
    assert snapshots.steps() == []
    snapshots.save(Notebook("whole"), 5, 0)
    assert names(tmp_path) == ["000000000005"]


def test_a_snapshot_can_be_taken_again_at_the_same_step(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(Notebook("one"), 1, 0)
    snapshots.save(Notebook("two"), 1, 5)
    restored = Notebook()
    assert snapshots.restore(restored, 1).position == 5
    assert restored.content == "two"


@pytest.mark.parametrize("name", ["content", MANIFEST])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "no text"])
def test_a_damaged_snapshot_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(Notebook("one"), 1, 0)
    path = tmp_path / "000000000001" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        damaged = {
            "cut": content[:-1],
            "changed": content.replace(b"o", b"0"),
            "no text": content.replace(b"o", b"\xff"),
        }
        path.write_bytes(damaged[damage])
    with pytest.raises(SnapshotError, match="000000000001"):
        snapshots.restore(Notebook(), 1)


def test_a_snapshot_of_another_configuration_is_refused(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(Notebook("one"), 1, 0)
    with pytest.raises(SnapshotError, match="another configuration"):
        snapshots.restore(Notebook(digest=b"another"), 1)


def test_of_other_configurations_the_last_two_are_kept(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, keep=1)
    for name in (b"a", b"b", b"c", b"d"):
        snapshots.enter(Notebook(digest=name))
        assert snapshots.steps() == []
        snapshots.save(Notebook(name.decode(), name), 1, 0)
    for name, kept in ((b"c", [1]), (b"b", [1]), (b"d", [1]), (b"a", [])):
        snapshots.enter(Notebook(digest=name))
        assert snapshots.steps() == kept
        if kept:
            restored = Notebook(digest=name)
            snapshots.restore(restored, 1)
            assert restored.content == name.decode()


def test_entering_goes_on_where_a_crash_ended_it(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    one, other = Notebook("one", b"one"), Notebook("other", b"other")
    snapshots.enter(one)
    snapshots.save(one, 1, 0)
    snapshots.save(one, 2, 0)
    snapshots.enter(other)
    snapshots.enter(one)
    # As a crash leaves it that came while the first of two was put aside.
    (tmp_path / "of-0000000000000001").mkdir()
    aside = tmp_path / f"of-{(tmp_path / 'configuration').read_text()}"
    aside.mkdir()
    snapshots.path(1).rename(aside / snapshots.path(1).name)
    snapshots.enter(one)
    assert snapshots.steps() == [1, 2]


def test_a_snapshot_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(Notebook("one"), 1, 0)
    path = tmp_path / "000000000001" / MANIFEST
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, format_version=99)))
    with pytest.raises(HomeVersionError, match="newer Feedmill"):
        snapshots.restore(Notebook(), 1)


def test_a_folder_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Snapshots(tmp_path / "file" / "snapshots")
