"""The space of a model's settings: what tuning may choose from."""

from __future__ import annotations

import msgspec


class Range(msgspec.Struct, frozen=True):
    """Values of one setting, both ends among them."""

    low: float
    high: float
    log: bool = False
    """Whether its size matters more than its value: 1 to 10 is then as wide as 10 to 100."""
    whole: bool = False
