"""What every table must do whose vectors are rounded, to serve from.

class TestMyCopy(ServingCopyContract):
    def make(self, slots: Sequence[Slot], storage: Storage) -> Table:
        return MyTable(slots, storage=storage)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import DAY, SECOND
from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.optimizers import Adam
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable
from feedmill.learn.table.storage import Storage
from feedmill.testing.optimizer_contract import NOON, bags_of, floats, ids_of

FOUR = Slot(1, "contract/four", (Segment(4),))
ODD = Slot(2, "contract/odd", (Segment(5, Adam(0.1), initial_scale=0.5),), admission=3, time_to_live=DAY // SECOND)
SLOTS = (FOUR, ODD)
LARGEST = float(np.finfo(np.float32).max)
ROUNDED: tuple[Storage, ...] = ("bfloat16", "int8")


def random_vectors(seed: int, n: int, dimension: int) -> Float32s:
    """Normal numbers, each vector of another size."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-6, 6, size=(n, 1))
    vectors: Float32s = (rng.normal(size=(n, dimension)) * sizes).astype(np.float32)
    return vectors


class ServingCopyContract:
    """The tests."""

    def make(self, slots: Sequence[Slot], storage: Storage) -> Table:
        """An empty table."""
        raise NotImplementedError

    def test_a_bfloat16_is_the_nearest_of_eight_bits_and_the_even_one_of_two(self) -> None:
        table = self.make(SLOTS, "bfloat16")
        # Between 1 and 2 bfloat16 goes in steps of 1 / 128.
        table.put(ids_of(FOUR, 1), floats([1 + 1 / 256, 1 + 3 / 256, 1 + 1.1 / 256, -0.0]), now=NOON)
        read = table.lookup(ids_of(FOUR, 1))
        assert read.tolist() == [[1.0, 1 + 2 / 128, 1 + 1 / 128, 0.0]]
        assert np.signbit(read[0, 3])

    def test_an_int8_goes_in_steps_of_a_127th_of_the_largest_of_its_vector(self) -> None:
        table = self.make(SLOTS, "int8")
        table.put(ids_of(FOUR, 1, 2), floats([-254, 1, 3, 0.9], [0.5, 127, 126.4, 0]), now=NOON)
        # A step is 2 in the first, where 1 and 3 lie between two, and the even one is taken; it is 1 in the second.
        assert table.lookup(ids_of(FOUR, 1, 2)).tolist() == [[-254, 0, 4, 0], [0, 127, 126, 0]]

    @pytest.mark.parametrize(("storage", "share"), [("bfloat16", 2.0**-8), ("int8", 0.5 / 127 * 1.001)])
    def test_numbers_of_every_size_are_near_what_was_put(self, storage: Storage, share: float) -> None:
        table, vectors = self.make(SLOTS, storage), random_vectors(3, 300, 5)
        ids = ids_of(ODD, *range(1, 301))
        table.put(ids, vectors, now=NOON)
        size = np.abs(vectors) if storage == "bfloat16" else np.abs(vectors).max(axis=1, keepdims=True)
        assert (np.abs(table.lookup(ids) - vectors) <= share * size).all()

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_zeros_and_the_smallest_and_largest_numbers_stay_finite(self, storage: Storage) -> None:
        table = self.make(SLOTS, storage)
        tiny = float(np.finfo(np.float32).smallest_subnormal)
        table.put(ids_of(FOUR, 1, 2, 3), floats([0, 0, 0, 0], [tiny, -tiny, 0, 0], [LARGEST, -LARGEST, 1, 0]), now=NOON)
        read = table.lookup(ids_of(FOUR, 1, 2, 3))
        assert np.isfinite(read).all()
        assert not read[0].any()
        assert (np.abs(read[2, :2]) >= 0.99 * LARGEST).all()

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_what_is_put_again_as_it_was_read_reads_the_same(self, storage: Storage) -> None:
        table, ids = self.make(SLOTS, storage), ids_of(ODD, *range(1, 101))
        table.put(ids, random_vectors(4, 100, 5), now=NOON)
        once = table.lookup(ids)
        table.put(ids, once, now=NOON)
        np.testing.assert_allclose(table.lookup(ids), once, rtol=2e-7)

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_bags_add_up_what_the_rows_read(self, storage: Storage) -> None:
        table = self.make(SLOTS, storage)
        ids = ids_of(FOUR, 1, 2, 9)
        table.put(ids[:2], random_vectors(5, 2, 4), now=NOON)
        rows = table.lookup(ids)
        assert table.pooled_lookup(ids, bags_of(3)).tolist() == [(rows[0] + rows[1]).tolist()]
        assert not rows[2].any()

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_a_restored_copy_has_the_rounded_rows_of_the_table_that_learns(
        self, tmp_path: Path, storage: Storage
    ) -> None:
        learning = ReferenceTable(SLOTS)
        learning.update(ids_of(FOUR, 1, 2), bags_of(1, 1), floats([1, 2, 3, 4], [5, 6, 7, 8]), now=NOON)
        learning.update(ids_of(ODD, 1, 1, 1, 2), bags_of(3, 1), random_vectors(1, 2, 5), now=NOON + 2 * SECOND)
        learning.snapshot(tmp_path / "snapshot")
        copy, followed = (self.make(SLOTS, storage) for _ in range(2))
        copy.restore(tmp_path / "snapshot")
        for ids in (ids_of(FOUR, 1, 2), ids_of(ODD, 1)):
            followed.put(ids, learning.lookup(ids), now=NOON)
            assert copy.lookup(ids).tobytes() == followed.lookup(ids).tobytes()
        assert (len(copy), copy.version) == (3, learning.version)
        assert copy.touched(1).tolist() == ids_of(ODD, 1).tolist()
        assert (copy.expire(NOON + DAY), copy.expire(NOON + DAY + 2 * SECOND)) == (0, 1)

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_a_damaged_snapshot_leaves_a_copy_as_it_was(self, tmp_path: Path, storage: Storage) -> None:
        learning = ReferenceTable(SLOTS)
        learning.put(ids_of(FOUR, 1), floats([1, 2, 3, 4]), now=NOON)
        learning.snapshot(tmp_path / "snapshot")
        (tmp_path / "snapshot").write_bytes((tmp_path / "snapshot").read_bytes()[:-9])
        copy = self.make(SLOTS, storage)
        copy.put(ids_of(FOUR, 2), floats([1, 2, 3, 4]), now=NOON)
        before = copy.lookup(ids_of(FOUR, 1, 2))
        with pytest.raises(SnapshotError, match="snapshot"):
            copy.restore(tmp_path / "snapshot")
        assert copy.lookup(ids_of(FOUR, 1, 2)).tobytes() == before.tobytes()

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_a_copy_neither_learns_nor_writes_snapshots(self, tmp_path: Path, storage: Storage) -> None:
        copy = self.make(SLOTS, storage)
        with pytest.raises(InvalidArgument, match="copy to serve from"):
            copy.update(ids_of(FOUR, 1), bags_of(1), floats([1, 2, 3, 4]), now=NOON)
        with pytest.raises(InvalidArgument, match="copy to serve from"):
            copy.snapshot(tmp_path / "snapshot")
        assert (len(copy), copy.version, list(tmp_path.iterdir())) == (0, 0, [])

    @pytest.mark.parametrize("storage", ROUNDED)
    def test_what_is_not_finite_is_refused(self, storage: Storage) -> None:
        copy = self.make(SLOTS, storage)
        for number in (np.nan, np.inf, -np.inf):
            with pytest.raises(InvalidArgument, match="vectors"):
                copy.put(ids_of(FOUR, 1), floats([1, number, 3, 4]), now=NOON)
        assert (len(copy), copy.version) == (0, 0)

    def test_an_unknown_storage_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(InvalidArgument, match="float32, bfloat16, int8"):
            self.make(SLOTS, "float8")  # type: ignore[arg-type]
