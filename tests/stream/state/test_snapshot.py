"""A state goes through its file, and a damaged file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import SnapshotError, StorageError
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.ranker import ranker_schema
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.snapshot import FILE, copy_state, load_state, write_state
from feedmill.stream.state.state import Emit, Folded, State, StateConfig
from feedmill.testing.small_log import ACTIONS, FEATURES, OBJECTIVES, SMALL, small_log

SCHEMA = ranker_schema(SlotRegistry(), FEATURES, SMALL.ranker, len(OBJECTIVES))


def new_state() -> State:
    return State(StateConfig(FEATURES, FeedbackReader(ACTIONS, OBJECTIVES), frozenset({"wall"})))


def fold(state: State, records: list[Record]) -> list[bytes]:
    folded: Folded = state.fold(records, [Emit(SCHEMA.view, "examples")])
    features = folded.emitted[0].features
    return [
        features.ids.tobytes(), features.offsets.tobytes(), features.dense.tobytes(),
        folded.rows.items.tobytes(), folded.rows.sequence.tobytes(), folded.rows.labels.tobytes(),
    ]  # fmt: skip


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_folding_goes_on_from_a_snapshot_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    records = small_log(np.random.default_rng(seed), 200)
    state, restored = new_state(), new_state()
    state.fold(records[:cut])
    write_state(copy_state(state), folder)
    load_state(restored, folder)
    items = np.arange(len(state.catalog.items), dtype=np.int32)
    for user in range(len(state.catalog.users)):
        for one, other in zip(state.history(user), restored.history(user), strict=True):
            assert one.tolist() == other.tolist()
        assert state.views(user, items).tolist() == restored.views(user, items).tolist()
        assert state.hidden(user, items).tolist() == restored.hidden(user, items).tolist()
    for item in items.tolist():
        assert state.catalog.items.body(item) == restored.catalog.items.body(item)
        assert state.catalog.items.audience(item) == restored.catalog.items.audience(item)
        assert state.neighbours(item, 9)[0].tolist() == restored.neighbours(item, 9)[0].tolist()
    for name in ("keys", "authors", "categories", "created_at", "expires_at", "servable", "restricted"):
        one, other = getattr(state.catalog.items, name), getattr(restored.catalog.items, name)
        assert one.tolist() == other.tolist()
    assert state.impressions(items).tolist() == restored.impressions(items).tolist()
    assert fold(restored, records[cut:]) == fold(state, records[cut:])
    assert restored.watermark == state.watermark
    assert restored.rows_folded == state.rows_folded
    assert restored.relations == state.relations
    assert restored.popularity(state.watermark).tolist() == state.popularity(state.watermark).tolist()


def test_a_state_that_is_saved_twice_is_saved_alike(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    state, restored = new_state(), new_state()
    state.fold(small_log(np.random.default_rng(3), 200))
    write_state(copy_state(state), tmp_path)
    load_state(restored, tmp_path)
    write_state(copy_state(restored), tmp_path / "again")
    assert (tmp_path / FILE).read_bytes() == (tmp_path / "again" / FILE).read_bytes()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    state = new_state()
    state.fold(small_log(np.random.default_rng(7), 150))
    folder = tmp_path_factory.mktemp("saved")
    write_state(copy_state(state), folder)
    return (folder / FILE).read_bytes()


def is_refused(folder: Path, damaged: bytes) -> bool:
    (folder / FILE).write_bytes(damaged)
    try:
        load_state(new_state(), folder)
    except SnapshotError:
        return True
    return False


def test_a_file_that_is_cut_short_or_missing_is_refused(tmp_path: Path, saved: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"state\.bin"):
        load_state(new_state(), tmp_path)
    for size in (0, 1, 7, 8, 100, len(saved) // 2, len(saved) - 1):
        assert is_refused(tmp_path, saved[:size])


def test_a_file_with_a_wrong_bit_is_refused(tmp_path: Path, saved: bytes) -> None:
    generator = np.random.default_rng(1)
    for place in [0, len(saved) - 1, *generator.integers(0, len(saved), 250).tolist()]:
        damaged = bytearray(saved)
        damaged[place] ^= 1 << int(generator.integers(8))
        assert is_refused(tmp_path, bytes(damaged))


def test_a_state_of_another_configuration_is_refused(tmp_path: Path, saved: bytes) -> None:
    (tmp_path / FILE).write_bytes(saved)
    other = State(StateConfig(FEATURES, FeedbackReader(ACTIONS, {"click": OBJECTIVES["click"]})))
    with pytest.raises(SnapshotError, match="states has another number of columns"):
        load_state(other, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        write_state(copy_state(new_state()), tmp_path / "nowhere")
