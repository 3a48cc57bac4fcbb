"""Every table keeps the contract of tables."""

from __future__ import annotations

from collections.abc import Sequence

from feedmill.domain.slots import Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable
from feedmill.learn.table.table import EmbeddingTable
from feedmill.testing.table_contract import TableContract


class TestEmbeddingTable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return EmbeddingTable(slots, seed)


class TestReferenceTable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return ReferenceTable(slots, seed)
