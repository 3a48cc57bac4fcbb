"""Every table that can round its vectors keeps the contract of copies to serve from."""

from __future__ import annotations

from collections.abc import Sequence

from feedmill.domain.slots import Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable
from feedmill.learn.table.storage import Storage
from feedmill.learn.table.table import EmbeddingTable
from feedmill.testing.serving_copy_contract import ServingCopyContract


class TestEmbeddingTableCopy(ServingCopyContract):
    def make(self, slots: Sequence[Slot], storage: Storage) -> Table:
        return EmbeddingTable(slots, storage=storage)


class TestReferenceTableCopy(ServingCopyContract):
    def make(self, slots: Sequence[Slot], storage: Storage) -> Table:
        return ReferenceTable(slots, storage=storage)
