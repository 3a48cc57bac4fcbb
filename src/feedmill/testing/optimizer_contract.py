"""What the optimizers of every embedding table must do; a part of `TableContract`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.ids import UInt64s, feature_id
from feedmill.domain.optimizers import Adagrad, Adam, Ftrl, RowwiseAdagrad, Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Table

NOON = 1_651_161_600_000

# Roots that are exact: 9 + 4 * 4 = 5 * 5, and the rate is a power of two.
EXACT = Adagrad(learning_rate=0.5, initial_accumulator=9.0)


def ids_of(slot: Slot, *keys: int) -> UInt64s:
    """The feature ids of keys in a slot: uint64 [keys]; key 0 gives id 0."""
    return np.array([feature_id(slot.number, key) for key in keys], dtype=np.uint64)


def bags_of(*lengths: int) -> Int64s:
    """The offsets of bags of these lengths: int64 [lengths + 1]."""
    return np.cumsum((0, *lengths), dtype=np.int64)


def floats(*rows: Sequence[float]) -> Float32s:
    """float32 [rows, columns]."""
    return np.array(rows, dtype=np.float32)


class OptimizerContract:
    """The tests of the optimizers."""

    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        """A new, empty table."""
        raise NotImplementedError

    def test_plain_descent_keeps_no_state(self) -> None:
        slot = Slot(1, "sgd", (Segment(2, Sgd(learning_rate=0.5), l2=0.25),))
        table = self.make([slot])
        for _ in range(2):
            table.update(ids_of(slot, 1), bags_of(1), floats([2, -4]), now=NOON)
        # -1 and 2, then -1 - 0.5 * (2 - 0.25) and 2 - 0.5 * (-4 + 0.5)
        np.testing.assert_array_equal(table.lookup(ids_of(slot, 1)), floats([-1.875, 3.75]))

    def test_rowwise_adagrad_has_one_rate_for_the_row(self) -> None:
        slot = Slot(1, "rowwise", (Segment(2, RowwiseAdagrad(learning_rate=0.5, initial_accumulator=9.0)),))
        table = self.make([slot])
        table.update(ids_of(slot, 1), bags_of(1), floats([4, 4]), now=NOON)
        # The accumulator is 9 + (16 + 16) / 2 = 25.
        np.testing.assert_array_equal(table.lookup(ids_of(slot, 1)), floats([-0.4, -0.4]))

    def test_adam_corrects_the_bias_of_a_row_that_comes_late_by_its_own_updates(self) -> None:
        slot = Slot(1, "adam", (Segment(1, Adam(learning_rate=0.5, beta1=0.75, beta2=0.9375)),))
        table = self.make([slot])
        for _ in range(100):
            table.update(ids_of(slot, 1), bags_of(1), floats([1]), now=NOON)
        table.update(ids_of(slot, 2), bags_of(1), floats([-3]), now=NOON)
        # Corrected, the first moments are the gradient and its square: a step of the learning rate.
        np.testing.assert_allclose(table.lookup(ids_of(slot, 2)), [[0.5]], rtol=1e-6)
        table.update(ids_of(slot, 2), bags_of(1), floats([5]), now=NOON)
        first, second = 0.75 * 0.25 * -3 + 0.25 * 5, 0.9375 * 0.0625 * 9 + 0.0625 * 25
        step = 0.5 * (first / (1 - 0.75**2)) / ((second / (1 - 0.9375**2)) ** 0.5 + 1e-8)
        np.testing.assert_allclose(table.lookup(ids_of(slot, 2)), [[0.5 - step]], rtol=1e-6)

    def test_ftrl_keeps_a_weight_at_zero_until_its_gradients_outweigh_l1(self) -> None:
        slot = Slot(1, "ftrl", (Segment(2, Ftrl(alpha=0.5, beta=1.0, l1=2.0), l2=0.5),))
        table = self.make([slot])
        table.update(ids_of(slot, 1), bags_of(1), floats([1.5, 4]), now=NOON)
        # -(4 - 2) / ((1 + 4) / 0.5 + 0.5)
        np.testing.assert_allclose(table.lookup(ids_of(slot, 1)), [[0, -2 / 10.5]], rtol=1e-6)
        table.update(ids_of(slot, 1), bags_of(1), floats([1.5, 3]), now=NOON)
        # z is 3 in the first column; in the second 4 + 3 - (5 - 4) / 0.5 * weight, with n = 25.
        z = 7 - 2 * (-2 / 10.5)
        expected = [-1 / ((1 + 4.5**0.5) / 0.5 + 0.5), -(z - 2) / ((1 + 5) / 0.5 + 0.5)]
        np.testing.assert_allclose(table.lookup(ids_of(slot, 1)), [expected], rtol=1e-6)

    def test_a_gradient_is_cut_to_the_norm_of_its_segment(self) -> None:
        slot = Slot(1, "clip", (Segment(2, Sgd(1.0), clip=1.0), Segment(1, Sgd(1.0))))
        table = self.make([slot])
        table.update(ids_of(slot, 1, 2, 2), bags_of(1, 1, 1), floats([0.5, 0.5, 9], [1, 2, 0], [2, 2, 0]), now=NOON)
        # Under the norm as it is; 3 and 4 in sum, of norm 5.
        np.testing.assert_allclose(table.lookup(ids_of(slot, 1, 2)), [[-0.5, -0.5, -9], [-0.6, -0.8, 0]], rtol=1e-6)

    def test_a_linear_weight_can_learn_by_another_optimizer_than_the_vector_beside_it(self) -> None:
        slot = Slot(1, "both", (Segment(1, Ftrl(alpha=0.5, l1=2.0)), Segment(2, EXACT)))
        table = self.make([slot])
        table.update(ids_of(slot, 1), bags_of(1), floats([4, 4, -4]), now=NOON)
        np.testing.assert_allclose(table.lookup(ids_of(slot, 1)), [[-0.2, -0.4, 0.4]], rtol=1e-6)

    def test_slots_of_one_dimension_and_different_state_share_a_call(self) -> None:
        slots = [Slot(1, "a", (Segment(2, Sgd(1.0)),)), Slot(2, "b", (Segment(2, Adam(learning_rate=0.5)),))]
        table = self.make(slots)
        ids = np.concatenate([ids_of(slots[0], 1), ids_of(slots[1], 1), ids_of(slots[0], 2)])
        table.update(ids, bags_of(1, 1, 1), floats([1, 2], [3, 4], [5, 6]), now=NOON)
        np.testing.assert_allclose(table.lookup(ids), floats([-1, -2], [-0.5, -0.5], [-5, -6]), rtol=1e-6)
        np.testing.assert_allclose(table.pooled_lookup(ids, bags_of(3)), [[-6.5, -8.5]], rtol=1e-6)
