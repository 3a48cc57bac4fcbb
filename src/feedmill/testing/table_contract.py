"""What every embedding table must do. A subclass of `TableContract` says how to make one; pytest does the rest.

class TestMyTable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return MyTable(slots, seed)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from feedmill.domain.batches import Float32s
from feedmill.domain.clock import DAY, SECOND
from feedmill.domain.errors import InvalidArgument, SnapshotError, StorageError
from feedmill.domain.optimizers import Adagrad, Adam, Ftrl, Optimizer, RowwiseAdagrad, Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Table
from feedmill.testing.optimizer_contract import EXACT, NOON, OptimizerContract, bags_of, floats, ids_of

PAIR = Slot(1, "contract/pair", (Segment(2, EXACT),))
PATIENT = Slot(2, "contract/patient", (Segment(2, EXACT),), admission=3)
WIDE = Slot(
    3,
    "contract/wide",
    (
        Segment(1, EXACT, l2=0.25),
        Segment(2, Adagrad(learning_rate=1.0, initial_accumulator=1.0), initial_scale=0.5),
    ),
    time_to_live=10 * DAY // SECOND,
)
FLEETING = Slot(4, "contract/fleeting", (Segment(width=2, initial_scale=0.1),), admission=2, time_to_live=DAY // SECOND)
SLOTS = (PAIR, PATIENT, WIDE, FLEETING)
UNUSABLE: tuple[Optimizer, ...] = (
    Sgd(-1.0), Adagrad(-1.0), RowwiseAdagrad(0.1, 0.0), Adam(beta1=1.0), Adam(epsilon=0.0), Ftrl(alpha=0.0),
    Ftrl(l1=-1.0),
)  # fmt: skip


def fill(table: Table) -> None:
    """Three updates that leave rows of every slot, and ids that wait."""
    table.update(ids_of(PAIR, 1, 2, 1), bags_of(2, 1), floats([4, 0], [0, 4]), now=NOON)
    table.update(ids_of(WIDE, 1, 2), bags_of(1, 1), floats([1, 2, 3], [4, 5, 6]), now=NOON + 1)
    mixed = np.concatenate([ids_of(PATIENT, 5, 6, 5, 5), ids_of(FLEETING, 8, 9, 9), ids_of(PAIR, 1)])
    table.update(mixed, bags_of(3, 3, 2), floats([1, 1], [2, 2], [3, 3]), "mean", now=NOON + 2)


def written(table: Table, path: Path) -> bytes:
    """The bytes of a table's snapshot, which say everything of it."""
    table.snapshot(path)
    return path.read_bytes()


class TableContract(OptimizerContract):
    """The tests of the protocol `Table`."""

    @pytest.fixture
    def table(self) -> Table:
        return self.make(SLOTS)

    def test_what_is_not_in_the_table_reads_as_zeros_and_is_not_inserted(self, table: Table) -> None:
        rows = table.lookup(ids_of(WIDE, 1, 0, 2))
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, np.zeros((3, 3)))
        assert len(table) == 0

    def test_an_update_applies_adagrad_to_a_new_row(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1), bags_of(1), floats([4, -4]), now=NOON)
        # 0.5 * 4 / sqrt(9 + 16) = 0.4
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1)), floats([-0.4, 0.4]))

    def test_accumulators_carry_over_to_the_next_update(self, table: Table) -> None:
        for _ in range(2):
            table.update(ids_of(PAIR, 1), bags_of(1), floats([4, 0]), now=NOON)
        # 0.4 + 0.5 * 4 / sqrt(9 + 16 + 16)
        np.testing.assert_allclose(table.lookup(ids_of(PAIR, 1)), [[-0.4 - 2 / 41**0.5, 0]], rtol=1e-6)

    def test_each_segment_learns_by_its_own_rules(self, table: Table) -> None:
        first = self.make(SLOTS)
        first.update(ids_of(WIDE, 1), bags_of(1), floats([0, 0, 0]), now=NOON)
        initial = first.lookup(ids_of(WIDE, 1))[0]
        assert initial[0] == 0
        assert np.all((initial[1:] != 0) & (np.abs(initial[1:]) <= 0.5))
        table.update(ids_of(WIDE, 1), bags_of(1), floats([4, 3, 0]), now=NOON)
        expected = [-0.4, initial[1] - 3 / 10**0.5, initial[2]]
        np.testing.assert_allclose(table.lookup(ids_of(WIDE, 1)), [expected], rtol=1e-6)

    def test_l2_pulls_a_row_that_is_updated_towards_zero(self, table: Table) -> None:
        table.update(ids_of(WIDE, 1), bags_of(1), floats([4, 0, 0]), now=NOON)
        table.update(ids_of(WIDE, 1), bags_of(1), floats([0, 0, 0]), now=NOON)
        # The gradient is 0.25 * -0.4 = -0.1, the accumulator 9 + 16 + 0.01.
        expected = -0.4 + 0.5 * 0.1 / 25.01**0.5
        np.testing.assert_allclose(table.lookup(ids_of(WIDE, 1))[0, 0], expected, rtol=1e-6)

    def test_an_id_is_admitted_with_the_probability_of_its_slot_at_each_occurrence(self) -> None:
        slot = Slot(1, "drawn", (Segment(1, Sgd(1.0)),), admission_probability=0.25)
        table = self.make([slot])
        ids = ids_of(slot, *range(1, 2001))
        for updates in range(1, 4):
            table.update(ids, np.arange(2001), np.ones((2000, 1), dtype=np.float32), now=NOON)
            admitted = 1 - 0.75**updates
            # Within five standard errors.
            assert abs(len(table) / 2000 - admitted) < 5 * (admitted * (1 - admitted) / 2000) ** 0.5
        twice = self.make([slot])
        twice.update(np.repeat(ids, 2), np.arange(4001), np.ones((4000, 1), dtype=np.float32), now=NOON)
        assert abs(len(twice) / 2000 - (1 - 0.75**2)) < 5 * (0.25 / 2000) ** 0.5
        again = self.make([slot])
        again.update(ids, np.arange(2001), np.ones((2000, 1), dtype=np.float32), now=NOON)
        assert 0 < len(again) < len(table)
        assert np.isin(again.touched(0), table.touched(0)).all()

    def test_an_admission_of_65535_is_exact(self) -> None:
        slot = Slot(1, "rare", (Segment(1, Sgd(1.0)),), admission=65_535)
        table = self.make([slot])
        ids = np.repeat(ids_of(slot, 1), 65_534)
        table.update(ids, np.array([0, len(ids)]), floats([1]), now=NOON)
        assert len(table) == 0
        table.update(ids[:1], bags_of(1), floats([1]), now=NOON)
        assert len(table) == 1

    def test_a_lookup_writes_where_it_is_told(self, table: Table) -> None:
        fill(table)
        ids = ids_of(PAIR, 1, 99)
        out = np.full((2, 2), 7, dtype=np.float32)
        assert table.lookup(ids, out=out) is out
        np.testing.assert_array_equal(out, table.lookup(ids))
        out[:] = 7
        assert table.pooled_lookup(ids, bags_of(0, 2), out=out) is out
        np.testing.assert_array_equal(out, table.pooled_lookup(ids, bags_of(0, 2)))
        bad: list[Any] = [out[:1], out.astype(np.float64), out.tolist(), np.asfortranarray(out), out[:, :1]]
        readonly = out.copy()
        readonly.flags.writeable = False
        for each in [*bad, readonly]:
            with pytest.raises(InvalidArgument):
                table.lookup(ids, out=each)

    def test_gradients_of_an_id_that_occurs_twice_are_summed_and_applied_once(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1, 2, 1), bags_of(1, 2), floats([1, 0], [3, 0]), now=NOON)
        # Id 1 gets 1 + 3 = 4; id 2 gets 3: 0.5 * 3 / sqrt(9 + 9).
        np.testing.assert_allclose(table.lookup(ids_of(PAIR, 1, 2))[:, 0], [-0.4, -1.5 / 18**0.5], rtol=1e-6)

    def test_an_id_twice_in_one_bag_gets_its_gradient_twice(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1, 1), bags_of(2), floats([2, 0]), now=NOON)
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1)), floats([-0.4, 0]))

    def test_a_mean_gives_each_id_its_share_of_the_gradient(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1, 2), bags_of(2), floats([8, 0]), "mean", now=NOON)
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1, 2)), floats([-0.4, 0], [-0.4, 0]))

    def test_a_sum_adds_rows_and_a_mean_divides_by_all_ids_of_the_bag(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1), bags_of(1), floats([4, 0]), now=NOON)
        ids = ids_of(PAIR, 1, 1, 0, 99)
        np.testing.assert_array_equal(table.pooled_lookup(ids, bags_of(4)), floats([-0.8, 0]))
        np.testing.assert_array_equal(table.pooled_lookup(ids, bags_of(4), "mean"), floats([-0.2, 0]))

    def test_an_empty_bag_reads_as_zeros_and_teaches_nothing(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1), bags_of(0, 1, 0), floats([9, 9], [4, 0], [9, 9]), now=NOON)
        rows = table.pooled_lookup(ids_of(PAIR, 1), bags_of(0, 0, 1, 0), "mean")
        np.testing.assert_array_equal(rows, floats([0, 0], [0, 0], [-0.4, 0], [0, 0]))

    def test_id_zero_is_never_a_row(self, table: Table) -> None:
        table.update(ids_of(PAIR, 0, 1), bags_of(1, 1), floats([4, 0], [4, 0]), now=NOON)
        assert len(table) == 1
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 0, 1)), floats([0, 0], [-0.4, 0]))

    def test_an_id_is_admitted_at_its_nth_occurrence_across_updates(self, table: Table) -> None:
        for expected_rows in (0, 0, 1):
            table.update(ids_of(PATIENT, 7), bags_of(1), floats([4, 0]), now=NOON)
            assert len(table) == expected_rows
        np.testing.assert_array_equal(table.lookup(ids_of(PATIENT, 7)), floats([-0.4, 0]))

    def test_occurrences_within_one_update_count_and_all_their_gradients_reach_the_new_row(self, table: Table) -> None:
        table.update(ids_of(PATIENT, 7, 8, 7, 7), bags_of(2, 1, 1), floats([1, 0], [1, 0], [2, 0]), now=NOON)
        assert (len(table), table.stats().waiting) == (1, 1)
        np.testing.assert_array_equal(table.lookup(ids_of(PATIENT, 7, 8)), floats([-0.4, 0], [0, 0]))

    def test_slots_of_one_dimension_share_a_call_and_keep_their_rules(self, table: Table) -> None:
        ids = np.concatenate([ids_of(PAIR, 7), ids_of(PATIENT, 7)])
        table.update(ids, bags_of(1, 1), floats([4, 0], [4, 0]), now=NOON)
        np.testing.assert_array_equal(table.lookup(ids), floats([-0.4, 0], [0, 0]))

    def test_ids_that_share_their_low_bits_are_different_rows(self, table: Table) -> None:
        keys = [1 << bit for bit in range(52)]
        gradients = np.arange(104, dtype=np.float32).reshape(52, 2)
        table.update(ids_of(PAIR, *keys), np.arange(53), gradients, now=NOON)
        alone = self.make(SLOTS)
        for key, gradient in zip(keys, gradients, strict=True):
            alone.update(ids_of(PAIR, key), bags_of(1), gradient[None], now=NOON)
        assert len(table) == 52
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, *keys)), alone.lookup(ids_of(PAIR, *keys)))

    def test_initial_vectors_are_frozen(self) -> None:
        slot = Slot(5, "golden", (Segment(width=2, initial_scale=0.5), Segment(width=2, initial_scale=1.0)))
        table = self.make([slot], seed=42)
        table.update(ids_of(slot, 12345), bags_of(1), floats([0, 0, 0, 0]), now=NOON)
        golden = ("0x1.eadff8p-3", "0x1.7bce80p-4", "-0x1.b0d950p-2", "-0x1.985288p-2")
        np.testing.assert_array_equal(table.lookup(ids_of(slot, 12345)), [[float.fromhex(x) for x in golden]])

    def test_initial_vectors_are_uniform_and_differ_by_seed(self) -> None:
        slot = Slot(1, "uniform", (Segment(width=32, initial_scale=1.0),))
        ids = ids_of(slot, *range(1, 1001))
        values = []
        for seed in (0, 1):
            table = self.make([slot], seed)
            table.update(ids, np.arange(1001), np.zeros((1000, 32), dtype=np.float32), now=NOON)
            values.append(table.lookup(ids).astype(np.float64))
        for sample in values:
            # Mean 0 and variance 1/3, within five standard errors of 32,000 draws.
            assert abs(sample.mean()) < 5 * (1 / 3 / 32_000) ** 0.5
            assert abs((sample**2).mean() - 1 / 3) < 5 * (4 / 45 / 32_000) ** 0.5
            assert len(np.unique(sample)) > 31_900
        assert abs(np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1]) < 5 / 32_000**0.5

    def test_touched_names_what_changed_since_a_version_in_the_order_of_the_ids(self, table: Table) -> None:
        assert (table.version, len(table.touched(0))) == (0, 0)
        table.update(ids_of(PAIR, 1, 2), bags_of(2), floats([1, 1]), now=NOON)
        table.update(ids_of(WIDE, 1), bags_of(1), floats([1, 1, 1]), now=NOON)
        table.update(ids_of(PAIR, 3, 1), bags_of(2), floats([1, 1]), now=NOON)
        assert table.version == 3
        touched = table.touched(0)
        assert touched.dtype == np.uint64
        np.testing.assert_array_equal(touched, np.concatenate([ids_of(PAIR, 1, 2, 3), ids_of(WIDE, 1)]))
        np.testing.assert_array_equal(table.touched(1), np.concatenate([ids_of(PAIR, 1, 3), ids_of(WIDE, 1)]))
        np.testing.assert_array_equal(table.touched(2), ids_of(PAIR, 1, 3))
        np.testing.assert_array_equal(table.touched(3), ids_of(PAIR))

    def test_touched_stays_right_over_many_updates_of_few_rows(self, table: Table) -> None:
        for key in range(2000):
            table.update(ids_of(PAIR, 1 + key % 7), bags_of(1), floats([1, 1]), now=NOON)
        np.testing.assert_array_equal(table.touched(0), ids_of(PAIR, *range(1, 8)))
        np.testing.assert_array_equal(table.touched(1998), np.sort(ids_of(PAIR, 1 + 1998 % 7, 1 + 1999 % 7)))

    def test_an_id_that_waits_for_admission_is_not_touched(self, table: Table) -> None:
        table.update(ids_of(PATIENT, 1), bags_of(1), floats([1, 1]), now=NOON)
        assert (table.version, len(table.touched(0))) == (1, 0)

    def test_rows_expire_when_their_slot_says_so_after_their_last_update(self, table: Table) -> None:
        one = floats([1, 1, 1])
        table.update(ids_of(PAIR, 1), bags_of(1), floats([1, 1]), now=NOON)
        table.update(ids_of(WIDE, 1), bags_of(1), one, now=NOON)
        table.update(ids_of(WIDE, 2), bags_of(1), one, now=NOON)
        table.update(ids_of(WIDE, 2), bags_of(1), one, now=NOON + DAY)
        # A record that comes late does not make a row older.
        table.update(ids_of(WIDE, 2), bags_of(1), one, now=NOON - DAY)
        assert table.expire(NOON + 10 * DAY - 1) == 0
        assert table.expire(NOON + 10 * DAY) == 1
        np.testing.assert_array_equal(table.lookup(ids_of(WIDE, 1)), floats([0, 0, 0]))
        np.testing.assert_array_equal(table.touched(0), np.concatenate([ids_of(PAIR, 1), ids_of(WIDE, 2)]))
        assert table.expire(NOON + 11 * DAY) == 1
        assert len(table) == 1

    def test_an_id_that_comes_back_after_it_expired_starts_anew(self, table: Table) -> None:
        fresh = self.make(SLOTS)
        fresh.update(ids_of(WIDE, 1), bags_of(1), floats([1, 2, 3]), now=NOON)
        for _ in range(3):
            table.update(ids_of(WIDE, 1), bags_of(1), floats([9, 9, 9]), now=NOON)
        table.expire(NOON + 10 * DAY)
        table.update(ids_of(WIDE, 1), bags_of(1), floats([1, 2, 3]), now=NOON)
        np.testing.assert_array_equal(table.lookup(ids_of(WIDE, 1)), fresh.lookup(ids_of(WIDE, 1)))

    def test_rows_are_put_as_they_are_whatever_the_admission(self, table: Table) -> None:
        ids = np.concatenate([ids_of(PAIR, 1, 0), ids_of(PATIENT, 1)])
        table.put(ids, floats([1, 2], [3, 4], [5, 6]), now=NOON)
        assert (len(table), table.version) == (2, 1)
        np.testing.assert_array_equal(table.lookup(ids), floats([1, 2], [0, 0], [5, 6]))
        np.testing.assert_array_equal(table.touched(0), ids[[0, 2]])

    def test_a_row_that_was_put_goes_on_from_initial_accumulators(self, table: Table) -> None:
        table.put(ids_of(PAIR, 1), floats([1, 2]), now=NOON)
        table.update(ids_of(PAIR, 1), bags_of(1), floats([4, -4]), now=NOON)
        # 0.5 * 4 / sqrt(9 + 16) = 0.4
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1)), floats([1, 2]) - floats([0.4, -0.4]))

    def test_a_known_row_that_is_put_keeps_its_accumulators(self, table: Table) -> None:
        table.update(ids_of(PAIR, 1), bags_of(1), floats([4, 0]), now=NOON)
        table.put(ids_of(PAIR, 1), floats([0, 0]), now=NOON)
        table.update(ids_of(PAIR, 1), bags_of(1), floats([4, 4]), now=NOON)
        expected = [-2 / (9 + 16 + 16) ** 0.5, -2 / (9 + 16) ** 0.5]
        np.testing.assert_allclose(table.lookup(ids_of(PAIR, 1)), [expected], rtol=1e-6)

    def test_of_an_id_that_is_put_twice_the_last_vector_counts(self, table: Table) -> None:
        table.put(ids_of(PAIR, 1, 2, 1), floats([1, 1], [2, 2], [3, 3]), now=NOON)
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1, 2)), floats([3, 3], [2, 2]))
        np.testing.assert_array_equal(table.touched(0), ids_of(PAIR, 1, 2))

    def test_putting_again_changes_nothing_but_the_version(self, table: Table) -> None:
        fill(table)
        ids = ids_of(WIDE, 2, 1, 9)
        vectors = floats([1, 2, 3], [4, 5, 6], [7, 8, 9])
        for _ in range(2):
            table.put(ids, vectors, now=NOON)
            np.testing.assert_array_equal(table.lookup(ids), vectors)
            np.testing.assert_array_equal(table.touched(table.version - 1), np.sort(ids))
        assert table.version == 5

    def test_an_id_that_is_put_waits_no_longer(self, table: Table) -> None:
        table.update(ids_of(PATIENT, 7, 8), bags_of(1, 1), floats([4, 0], [4, 0]), now=NOON)
        table.put(ids_of(PATIENT, 7), floats([1, 1]), now=NOON)
        assert (len(table), table.stats().waiting) == (1, 1)

    def test_a_row_that_was_put_lives_from_then_on(self, table: Table) -> None:
        table.put(ids_of(FLEETING, 1, 2), floats([1, 1], [2, 2]), now=NOON)
        table.put(ids_of(FLEETING, 1), floats([3, 3]), now=NOON + SECOND)
        table.put(ids_of(FLEETING, 1), floats([4, 4]), now=NOON - DAY)
        assert table.expire(NOON + DAY) == 1
        np.testing.assert_array_equal(table.lookup(ids_of(FLEETING, 1, 2)), floats([4, 4], [0, 0]))

    def test_a_table_of_rows_that_were_put_grows_and_is_restored(self, table: Table, tmp_path: Path) -> None:
        ids = ids_of(PAIR, *range(1, 2001))
        vectors = np.arange(4000, dtype=np.float32).reshape(2000, 2)
        for start in range(0, 2000, 250):
            table.put(ids[start : start + 250], vectors[start : start + 250], now=NOON)
        restored = self.make(SLOTS)
        table.snapshot(tmp_path / "table")
        restored.restore(tmp_path / "table")
        for each in (table, restored):
            np.testing.assert_array_equal(each.lookup(ids), vectors)
            np.testing.assert_array_equal(each.touched(4), np.sort(ids[1000:]))

    def test_what_cannot_be_put_is_refused_and_changes_nothing(self, table: Table, tmp_path: Path) -> None:
        fill(table)
        before = written(table, tmp_path / "before")
        ids, vectors = ids_of(PAIR, 1, 99), floats([1, 1], [2, 2])
        wide, unknown = ids_of(WIDE, 1), ids_of(Slot(9, "unknown", ()), 1)
        bad: list[tuple[Any, Any]] = [
            (ids.astype(np.int64), vectors),
            (ids.tolist(), vectors),
            (ids[None], vectors),
            (ids, vectors.astype(np.float64)),
            (ids, vectors[0]),
            (ids, vectors[:1]),
            (ids, floats([1, 1, 1], [2, 2, 2])),
            (ids, floats([], [])),
            (ids, floats([1, 1], [2, np.nan])),
            (ids, floats([1, 1], [np.inf, 2])),
            (ids, floats([1, 1], [-np.inf, 2])),
            (np.concatenate([ids[:1], wide]), vectors),
            (np.concatenate([ids[:1], unknown]), vectors),
        ]
        for bad_ids, bad_vectors in bad:
            with pytest.raises(InvalidArgument):
                table.put(bad_ids, bad_vectors, now=NOON)
        with pytest.raises(InvalidArgument):
            table.put(ids, vectors, now=2**48)
        assert written(table, tmp_path / "after") == before

    def test_an_id_that_waited_too_long_starts_to_count_anew(self, table: Table) -> None:
        table.update(ids_of(FLEETING, 1), bags_of(1), floats([1, 1]), now=NOON)
        assert (table.expire(NOON + DAY), table.stats().waiting) == (0, 0)
        table.update(ids_of(FLEETING, 1), bags_of(1), floats([1, 1]), now=NOON + DAY)
        assert len(table) == 0
        table.update(ids_of(FLEETING, 1), bags_of(1), floats([1, 1]), now=NOON + DAY)
        assert len(table) == 1

    def test_memory_of_expired_rows_is_used_again(self, table: Table) -> None:
        gradients = np.ones((500, 3), dtype=np.float32)
        reserved = set()
        for day in range(30):
            ids = ids_of(WIDE, *range(1 + 500 * day, 501 + 500 * day))
            table.update(ids, np.arange(501), gradients, now=NOON + 10 * DAY * day)
            table.expire(NOON + 10 * DAY * day)
            assert len(table) == 500
            if day >= 5:
                reserved.add(table.stats().bytes)
        assert len(reserved) == 1

    def test_a_restored_table_goes_on_as_if_nothing_had_happened(self, table: Table, tmp_path: Path) -> None:
        fill(table)
        table.snapshot(tmp_path / "table")
        restored = self.make(SLOTS)
        restored.update(ids_of(PAIR, 77), bags_of(1), floats([1, 1]), now=NOON)
        restored.restore(tmp_path / "table")
        assert (len(restored), restored.version) == (len(table), table.version)
        for since in range(4):
            np.testing.assert_array_equal(restored.touched(since), table.touched(since))
        for each in (table, restored):
            fill(each)
            each.expire(NOON + 3 * DAY)
            fill(each)
        assert written(restored, tmp_path / "one") == written(table, tmp_path / "other")

    def test_a_snapshot_takes_the_place_of_an_older_one(self, table: Table, tmp_path: Path) -> None:
        path = tmp_path / "table"
        table.snapshot(path)
        fill(table)
        table.snapshot(str(path))
        restored = self.make(SLOTS)
        restored.restore(path)
        assert len(restored) == len(table) > 0
        assert [entry.name for entry in tmp_path.iterdir()] == ["table"]

    def test_what_changes_after_a_snapshot_has_begun_is_not_in_it(self, table: Table, tmp_path: Path) -> None:
        fill(table)
        before = written(table, tmp_path / "before")
        table.snapshot(tmp_path / "table", lambda: fill(table))
        restored = self.make(SLOTS)
        restored.restore(tmp_path / "table")
        assert written(restored, tmp_path / "after") == before != written(table, tmp_path / "changed")

    def test_an_empty_table_can_be_restored(self, table: Table, tmp_path: Path) -> None:
        table.snapshot(tmp_path / "table")
        fill(table)
        table.restore(tmp_path / "table")
        assert (len(table), table.version, table.stats().waiting) == (0, 0, 0)
        np.testing.assert_array_equal(table.lookup(ids_of(PAIR, 1)), floats([0, 0]))

    def test_a_snapshot_that_was_cut_or_altered_anywhere_is_refused(self, table: Table, tmp_path: Path) -> None:
        fill(table)
        whole = written(table, tmp_path / "whole")
        other = self.make(SLOTS)
        other.update(ids_of(PAIR, 77), bags_of(1), floats([4, 0]), now=NOON)
        damaged = tmp_path / "damaged"
        flipped = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole))]
        cut = [whole[:length] for length in range(len(whole))]
        for content in (*flipped, *cut, whole + b"\0", b"something else entirely"):
            damaged.write_bytes(content)
            with pytest.raises(SnapshotError, match="damaged"):
                other.restore(damaged)
        assert (len(other), other.version) == (1, 1)
        np.testing.assert_array_equal(other.lookup(ids_of(PAIR, 77)), floats([-0.4, 0]))

    def test_a_snapshot_of_another_table_is_refused(self, table: Table, tmp_path: Path) -> None:
        path = tmp_path / "table"
        table.snapshot(path)
        with pytest.raises(SnapshotError, match="seed is 0, not 1"):
            self.make(SLOTS, seed=1).restore(path)
        with pytest.raises(SnapshotError, match="slots"):
            self.make(SLOTS[:2]).restore(path)
        with pytest.raises(SnapshotError, match="slots"):
            self.make([msgspec.structs.replace(PAIR, admission=2), *SLOTS[1:]]).restore(path)
        with pytest.raises(SnapshotError, match="missing"):
            table.restore(tmp_path / "missing")

    def test_a_snapshot_that_cannot_be_written_leaves_the_old_one(self, table: Table, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="nowhere"):
            table.snapshot(tmp_path / "nowhere" / "table")
        occupied = tmp_path / "occupied"
        occupied.mkdir()
        with pytest.raises(StorageError, match="occupied"):
            table.snapshot(occupied)
        assert [entry.name for entry in tmp_path.iterdir()] == ["occupied"]

    def test_an_argument_that_makes_no_sense_is_refused_and_changes_nothing(self, table: Table, tmp_path: Path) -> None:
        fill(table)
        before = written(table, tmp_path / "before")
        ids, offsets, gradients = ids_of(PAIR, 1, 99), bags_of(1, 1), floats([1, 1], [2, 2])
        wide, unknown = ids_of(WIDE, 1), ids_of(Slot(9, "unknown", ()), 1)

        def poisoned(value: float) -> Float32s:
            return floats([1, 1], [2, value])

        bad_updates: list[tuple[Any, ...]] = [
            (ids.astype(np.int64), offsets, gradients),
            (ids.astype(np.float64), offsets, gradients),
            (ids.tolist(), offsets, gradients),
            (ids[None], offsets, gradients),
            (ids, offsets.astype(np.int32), gradients),
            (ids, offsets.tolist(), gradients),
            (ids, offsets[:0], gradients[:0]),
            (ids, offsets + 1, gradients),
            (ids, np.array([0, 2, 1]), gradients),
            (ids, np.array([0, 1, 3]), gradients),
            (ids, np.array([0, 1, 1]), gradients),
            (ids, np.array([0, 3, 2]), gradients),
            (ids, np.array([0, -(2**63), 2]), gradients),
            (ids, offsets, gradients.astype(np.float64)),
            (ids, offsets, gradients[0]),
            (ids, offsets, gradients[:1]),
            (ids, offsets, floats([1, 1, 1], [2, 2, 2])),
            (ids, offsets, floats([1], [2])),
            (ids, offsets, floats([], [])),
            (ids, offsets, poisoned(np.nan)),
            (ids, offsets, poisoned(np.inf)),
            (ids, offsets, poisoned(-np.inf)),
            (ids, offsets, poisoned(2e15)),
            (ids, offsets, gradients, "max"),
            (np.concatenate([ids[:1], wide]), offsets, gradients),
            (np.concatenate([ids[:1], unknown]), offsets, gradients),
            (np.array([1, 2], dtype=np.uint64), offsets, gradients),
        ]
        for arguments in bad_updates:
            with pytest.raises(InvalidArgument):
                table.update(*arguments, now=NOON)
        bad_times: list[Any] = [2**48, -(2**47) - 1, 2**80, 1.5, None]
        for time in bad_times:
            with pytest.raises(InvalidArgument):
                table.update(ids, offsets, gradients, now=time)
            with pytest.raises(InvalidArgument):
                table.expire(time)
        bad_lookups: list[Any] = [ids.astype(np.int64), ids[None], unknown, np.concatenate([wide, ids])]
        for bad_ids in bad_lookups:
            with pytest.raises(InvalidArgument):
                table.lookup(bad_ids)
        bad_bags: list[Any] = [np.array([0, 2, 1]), np.array([1, 2]), np.array([0, 3]), offsets.astype(np.int32)]
        for bad_offsets in bad_bags:
            with pytest.raises(InvalidArgument):
                table.pooled_lookup(ids, bad_offsets)
        for since in (-1, table.version + 1, 2**70):
            with pytest.raises(InvalidArgument):
                table.touched(since)
        assert written(table, tmp_path / "after") == before

    def test_gradients_that_add_up_to_too_much_are_refused_and_change_nothing(
        self, table: Table, tmp_path: Path
    ) -> None:
        fill(table)
        before = written(table, tmp_path / "before")
        ids = np.repeat(ids_of(PAIR, 1), 1001)
        large = np.full((1001, 2), 1e15, dtype=np.float32)
        with pytest.raises(InvalidArgument, match="add up"):
            table.update(ids, np.arange(1002), large, now=NOON)
        assert written(table, tmp_path / "after") == before
        table.update(ids[:900], np.arange(901), large[:900], now=NOON)
        assert np.isfinite(table.lookup(ids_of(PAIR, 1))).all()

    def test_where_no_id_tells_the_dimension_it_must_be_said(self, table: Table) -> None:
        nothing = np.zeros(2, dtype=np.uint64)
        with pytest.raises(InvalidArgument, match="dimension"):
            table.lookup(nothing)
        assert table.lookup(nothing, dimension=3).shape == (2, 3)
        assert table.pooled_lookup(nothing[:0], bags_of(0, 0), dimension=2).shape == (2, 2)
        for dimension in (-1, 0, 7):
            with pytest.raises(InvalidArgument, match="dimension"):
                table.lookup(nothing, dimension=dimension)
        with pytest.raises(InvalidArgument, match="dimension"):
            table.lookup(ids_of(PAIR, 1), dimension=3)
        assert self.make([WIDE]).lookup(nothing).shape == (2, 3)

    def test_an_empty_update_is_an_update(self, table: Table) -> None:
        table.update(ids_of(PAIR), bags_of(), np.zeros((0, 2), dtype=np.float32), now=NOON)
        assert (table.version, len(table)) == (1, 0)

    def test_arrays_that_are_not_contiguous_or_not_writable_are_taken(self, table: Table) -> None:
        ids = np.repeat(ids_of(PAIR, 1, 2), 2)[::2]
        gradients = np.asfortranarray(floats([4, 0], [0, 4]))
        gradients.flags.writeable = False
        table.update(ids, np.arange(6)[::2][:3] // 2, gradients, now=NOON)
        np.testing.assert_array_equal(table.lookup(ids), floats([-0.4, 0], [0, -0.4]))

    def test_what_is_returned_is_the_callers_own(self, table: Table) -> None:
        fill(table)
        table.lookup(ids_of(PAIR, 1))[:] = 5
        table.touched(0)[:] = 5
        assert np.all(table.lookup(ids_of(PAIR, 1)) < 1)
        assert np.all(table.touched(0) > 5)

    def test_times_of_the_year_1_and_9999_can_be_carried(self, table: Table) -> None:
        for year in (-62_135_596_800_000, 253_402_300_799_999):
            table.update(ids_of(FLEETING, 1), bags_of(1), floats([1, 1]), now=year)
        assert len(table) == 1
        assert table.expire(253_402_300_799_999) == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [("number", 0), ("number", 4096), ("admission", 0), ("admission", 1 << 16), ("time_to_live", 0)]
        + [("admission_probability", bad) for bad in (0.0, -1.0, 1.5, float("nan"))]
        + [("segments", ()), ("segments", (Segment(0),)), ("segments", (Segment(4097),))]
        + [("segments", (Segment(1, Adagrad(0.1, bad)),)) for bad in (0.0, -1.0, float("nan"), float("inf"))]
        + [("segments", (bad,)) for bad in (Segment(1, initial_scale=-1.0), Segment(1, l2=-1.0), Segment(1, clip=-1.0))]
        + [("segments", (Segment(1, optimizer),)) for optimizer in UNUSABLE]
        + [("segments", (Segment(1, Ftrl(), initial_scale=0.1),))],
    )
    def test_a_slot_that_cannot_be_used_is_refused_by_name(self, field: str, value: Any) -> None:
        slot = msgspec.structs.replace(PAIR, **{field: value})
        with pytest.raises(InvalidArgument, match="contract/pair"):
            self.make([slot])

    def test_slots_that_share_a_number_are_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="share the number 1"):
            self.make([PAIR, msgspec.structs.replace(WIDE, number=1)])
        with pytest.raises(InvalidArgument, match="at least one"):
            self.make([])
