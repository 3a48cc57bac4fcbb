"""How the rows of a segment learn. Each learns row by row, from the summed gradient of a row in an update."""

from __future__ import annotations

import msgspec


class Sgd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="sgd"):
    """Plain gradient descent; no state."""

    learning_rate: float = 0.05


class Adagrad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="adagrad"):
    """A rate for each column, which falls with its squared gradients (Duchi, Hazan and Singer, 2011). A float of state
    a column."""

    learning_rate: float = 0.05
    initial_accumulator: float = 0.1
    """What the sum of squared gradients starts from."""


class RowwiseAdagrad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rowwise_adagrad"):
    """A rate for each row, which falls with the mean of its squared gradients (Gupta et al., 2014). One float of
    state."""

    learning_rate: float = 0.05
    initial_accumulator: float = 0.1
    """What the sum of mean squared gradients starts from."""


class Adam(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="adam"):
    """Adaptive moments (Kingma and Ba, 2015), lazily: a row that is not updated does not move, and the bias of its
    moments is corrected by the number of its own updates, however late it came. Two floats of state a column, and two a
    row."""

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


class Ftrl(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ftrl"):
    """Follow the regularised leader, proximal, per coordinate (McMahan et al., 2013): for sparse linear weights. The
    segment's `l2` is its lambda2. Two floats of state a column; columns start from zero."""

    alpha: float = 0.1
    beta: float = 1.0
    l1: float = 0.0


Optimizer = Sgd | Adagrad | RowwiseAdagrad | Adam | Ftrl
