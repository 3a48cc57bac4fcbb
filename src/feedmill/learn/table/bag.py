"""An embedding table as a layer of a torch model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from feedmill.domain.batches import Int64s
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import UInt64s
from feedmill.learn.table.protocol import Pooling, Table


class _Pending(NamedTuple):
    """What one backward pass has left to learn."""

    ids: UInt64s
    offsets: Int64s
    gradients: torch.Tensor


class EmbeddingBag(nn.Module):
    """Bags of rows of a table, pooled: what `torch.nn.EmbeddingBag(sparse=True)` is, for ids of 64 bits and as many
    rows as there are ids. The table applies the optimizers of its slots itself; an optimizer of torch has nothing to do
    with it.

    `forward` looks up, the backward pass keeps the gradients, `step` learns them. Ids are feature ids: uint64 as NumPy
    has them, or the same 64 bits as a torch tensor of int64. Tensors lie on the CPU and are not copied.

    >>> from feedmill import EmbeddingTable
    >>> from feedmill.domain.ids import feature_id
    >>> from feedmill.domain.optimizers import Sgd
    >>> from feedmill.domain.slots import Segment, Slot
    >>> bag = EmbeddingBag(EmbeddingTable([Slot(1, "demo/word", (Segment(2, Sgd(learning_rate=0.5)),))]))
    >>> ids = np.array([feature_id(1, 7), feature_id(1, 8)], dtype=np.uint64)
    >>> bag(ids, np.array([0, 2])).sum().backward()
    >>> bag.step(now=1_651_161_600_000)
    >>> bag(ids)
    tensor([[-0.5000, -0.5000],
            [-0.5000, -0.5000]], grad_fn=<_LookUpBackward>)
    """

    def __init__(self, table: Table, pooling: Pooling = "sum", dimension: int | None = None) -> None:
        """`dimension` is needed where the table's slots differ in it and all ids of a call may be 0."""
        super().__init__()
        self.table = table
        self.pooling: Pooling = pooling
        self.dimension = dimension
        self._pending: list[_Pending] = []
        # Backward passes go only to where something needs a gradient.
        self._anchor = nn.Parameter(torch.empty(0))

    def forward(
        self,
        ids: UInt64s | torch.Tensor,  # uint64 or int64 [m]
        offsets: Int64s | torch.Tensor | None = None,  # int64 [b + 1], as of `Table.pooled_lookup`; None: each id alone
    ) -> torch.Tensor:  # float32 [b, dim]
        """The pooled rows of bags; an id without a row adds nothing.

        Raises InvalidArgument as `Table.pooled_lookup` does.
        """
        own_ids = _array(ids, "ids").view(np.uint64)
        own_offsets = None if offsets is None else _array(offsets, "offsets")
        rows: torch.Tensor = _LookUp.apply(self._anchor, self, own_ids, own_offsets)  # type: ignore[no-untyped-call]
        return rows

    def step(self, *, now: int) -> None:
        """Learn the gradients of all backward passes since the last step, as one update; UTC milliseconds.

        Raises InvalidArgument where a gradient is not finite: then nothing of them is learned, and they are forgotten.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        ids = np.concatenate([each.ids for each in pending])
        starts = np.cumsum([0] + [len(each.ids) for each in pending])
        offsets = [each.offsets[:-1] + start for each, start in zip(pending, starts, strict=False)]
        gradients = torch.cat([each.gradients for each in pending]).numpy()
        self.table.update(ids, np.append(np.concatenate(offsets), len(ids)), gradients, self.pooling, now=now)

    def forget(self) -> None:
        """Drop the gradients of all backward passes since the last step."""
        self._pending.clear()

    def _keep(self, ids: UInt64s, offsets: Int64s, gradients: torch.Tensor) -> None:
        self._pending.append(_Pending(ids, offsets, gradients))


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: torch.Tensor, bag: EmbeddingBag, ids: UInt64s, offsets: Int64s | None
    ) -> torch.Tensor:
        ctx.bag, ctx.ids, ctx.offsets = bag, ids, offsets
        if offsets is None:
            ctx.offsets = np.arange(len(ids) + 1)
            return torch.from_numpy(bag.table.lookup(ids, bag.dimension))
        return torch.from_numpy(bag.table.pooled_lookup(ids, offsets, bag.pooling, bag.dimension))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, None, None, None]:
        ctx.bag._keep(ctx.ids, ctx.offsets, gradients[0].contiguous())
        return None, None, None, None


def _array(values: Any, name: str) -> Any:
    """A tensor as an array of the same memory; an array as it is."""
    if not isinstance(values, torch.Tensor):
        return values
    if values.dtype != torch.int64 or values.device.type != "cpu":
        raise InvalidArgument(f"{name}: is {values.dtype} on {values.device}; it must be int64 on the CPU")
    return values.numpy()
