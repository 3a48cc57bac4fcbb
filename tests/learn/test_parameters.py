"""Parameters can be written, read and set as a whole, and refuse what is not theirs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.ids import feature_id
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters, Rows
from feedmill.learn.training.config import LearningConfig
from feedmill.testing.small_log import small_config

COLUMNS = 200
"""Dense columns: enough for the rates of all groups of the configuration."""


def new(config: LearningConfig | None = None, columns: int = COLUMNS) -> Parameters:
    return Parameters(config or small_config(), SlotRegistry(), columns)


def tower_rows(parameters: Parameters, *keys: int) -> Rows:
    """Rows of the user's first slot; row k is filled with k."""
    slot = parameters.user_schema.slots[0]
    ids = np.array([feature_id(slot.number, key) for key in keys], dtype=np.uint64)
    return Rows(ids, np.repeat(np.array(keys, dtype=np.float32)[:, None], slot.dimension, axis=1))


def other_dense() -> bytes:
    return new(small_config(seed=1)).dense()


def test_initial_parameters_are_a_function_of_the_seed() -> None:
    assert new().dense() == new().dense()
    assert new().dense() != other_dense()
    assert new().registry_digest == new().registry_digest


def test_dense_parameters_are_set_as_they_are_elsewhere() -> None:
    parameters = new()
    parameters.put_dense(other_dense())
    assert parameters.dense() == other_dense()


@pytest.mark.parametrize("damage", ["cut", "empty", "altered", "longer", "wider", "narrower"])
def test_dense_parameters_that_are_not_of_this_network_are_refused(damage: str) -> None:
    parameters, whole = new(), other_dense()
    hidden = msgspec.structs.replace(small_config().ranker, hidden=(16,))
    bad = {
        "cut": whole[:-1],
        "empty": b"",
        "altered": whole[:-1] + bytes([whole[-1] ^ 1]),
        "longer": whole + b"\0\0\0\0",
        "wider": new(msgspec.structs.replace(small_config(), ranker=hidden)).dense(),
        "narrower": new(columns=COLUMNS - 1).dense(),
    }[damage]
    with pytest.raises(SnapshotError, match="dense parameters"):
        parameters.put_dense(bad)
    assert parameters.dense() == new().dense()


def test_rows_and_dense_parameters_are_put_together_or_not_at_all() -> None:
    parameters = new()
    rows = tower_rows(parameters, 1, 2)
    dimension = rows.vectors.shape[1]
    bad: list[tuple[dict[int, Rows], bytes]] = [
        ({dimension: rows}, other_dense()[:-1]),
        ({dimension: rows, dimension + 1: rows}, other_dense()),
        ({dimension: rows._replace(vectors=rows.vectors[:1])}, other_dense()),
        ({dimension: rows._replace(vectors=rows.vectors * np.float32(np.nan))}, other_dense()),
        ({dimension: rows._replace(ids=rows.ids & np.uint64(0xFF))}, other_dense()),
        ({dimension: rows._replace(ids=rows.ids * np.uint64(0))}, other_dense()),
    ]
    for some, dense in bad:
        with pytest.raises((InvalidArgument, SnapshotError)):
            parameters.put(some, dense, now=0)
    assert (len(parameters.table), parameters.version, parameters.dense()) == (0, 0, new().dense())
    parameters.put({dimension: rows}, other_dense(), now=0)
    np.testing.assert_array_equal(parameters.table.lookup(rows.ids), rows.vectors)
    assert parameters.dense() == other_dense()
    assert parameters.version > 0


def test_no_two_states_of_the_towers_share_a_version() -> None:
    one, other = new(), new()
    versions = []
    for parameters in (one, other, one):
        parameters.put({}, None, now=0)
        versions.append(parameters.version)
    assert len(set(versions)) == 3


def test_rows_that_were_touched_are_given_by_dimension_in_the_order_of_their_ids() -> None:
    parameters = new()
    rows = tower_rows(parameters, 7, 3)
    dimension = rows.vectors.shape[1]
    parameters.put({dimension: rows}, None, now=0)
    before = parameters.table.version
    parameters.put({dimension: tower_rows(parameters, 5)}, None, now=0)
    found = parameters.touched(0)[dimension]
    np.testing.assert_array_equal(found.vectors[:, 0], [3, 5, 7])
    assert np.all(np.diff(found.ids) > 0)
    np.testing.assert_array_equal(parameters.touched(before)[dimension].vectors[:, 0], [5])
    assert parameters.touched(parameters.table.version) == {}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    parameters, loaded = new(), new()
    rows = tower_rows(parameters, 1, 2)
    parameters.put({rows.vectors.shape[1]: rows}, other_dense(), now=0)
    parameters.save(tmp_path)
    loaded.load(tmp_path)
    assert loaded.dense() == parameters.dense()
    np.testing.assert_array_equal(loaded.table.lookup(rows.ids), rows.vectors)


@pytest.mark.parametrize("name", ["table.bin", "dense.bin"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_what_was_damaged_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    new().save(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-1])
    with pytest.raises(SnapshotError, match=name):
        new().load(tmp_path)
