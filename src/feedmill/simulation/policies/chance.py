"""Chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.records import Record
from feedmill.simulation.policies.protocol import Slate
from feedmill.simulation.policies.shelf import Shelf


class Random:
    """Items that the user has not seen, by chance."""

    name = "random"

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._shelf = Shelf()

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        scores = self._generator.random((len(user_ids), self._shelf.size), dtype=np.float32)
        return self._shelf.best(self._shelf.rows(user_ids), scores, k)

    def observe(self, records: Sequence[Record]) -> None:
        self._shelf.observe(records)
