"""The journal keeps whole entries of one learner, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.errors import StorageError
from feedmill.learn.training.journal import Entry, Journal, read_journal

ENTRIES = [Entry(1, 0, 256), Entry(2, 256, 7), Entry(3, 2**63, 2**32), Entry(4, 9, 0, 2)]


def write(path: Path, entries: list[Entry], learner: int = 5) -> bytes:
    journal = Journal(path, learner)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return path.read_bytes()


def test_entries_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "j"
    assert read_journal(path, 5) == []
    assert len(write(path, ENTRIES)) == 4 * 40
    assert read_journal(path, 5) == ENTRIES


def test_an_entry_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 5)
    for count, entry in enumerate(ENTRIES, 1):
        journal.append(entry)
        assert read_journal(tmp_path / "j", 5) == ENTRIES[:count]
    journal.close()


def test_entries_of_another_learner_are_none(tmp_path: Path) -> None:
    write(tmp_path / "j", ENTRIES)
    assert read_journal(tmp_path / "j", 6) == []


def test_a_new_journal_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    write(tmp_path / "j", ENTRIES)
    write(tmp_path / "j", ENTRIES[:1])
    assert read_journal(tmp_path / "j", 5) == ENTRIES[:1]


@given(st.integers(0, 4 * 40), st.binary(max_size=40))
def test_what_a_crash_left_at_the_end_is_no_entry(
    tmp_path_factory: pytest.TempPathFactory, size: int, rest: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    content = write(path, ENTRIES)
    path.write_bytes(content[:size] + rest)
    whole = size // 40
    if (content[:size] + rest)[: (whole + 1) * 40] == content[: (whole + 1) * 40]:
        return
    assert read_journal(path, 5) == ENTRIES[:whole]


@given(st.integers(0, 4 * 40 - 1), st.integers(1, 255))
def test_a_damaged_entry_ends_the_journal(tmp_path_factory: pytest.TempPathFactory, place: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    content = bytearray(write(path, ENTRIES))
    content[place] ^= flip
    path.write_bytes(content)
    assert read_journal(path, 5) == ENTRIES[: place // 40]


def test_a_journal_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Journal(tmp_path / "nowhere" / "j", 5)
