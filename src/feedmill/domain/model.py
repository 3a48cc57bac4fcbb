"""What a model is: slots in, logits out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from feedmill.domain.slots import Slot

if TYPE_CHECKING:
    import torch


class Model(Protocol):
    """A small dense network over the rows that its slots name."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that it reads, in the order of `rows`; their rows share one dimension."""
        ...

    def forward(
        self,
        rows: torch.Tensor,  # float32 [n, slots, dimension]
        dense: torch.Tensor,  # float32 [n, columns]
    ) -> torch.Tensor:  # float32 [n, objectives]
        """Logits of binary objectives and values of regressed ones, a column an objective."""
        ...
