"""Every table keeps the contract of tables."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.slots import Slot
from feedmill.learn.table.protocol import Table
from feedmill.learn.table.reference import ReferenceTable
from feedmill.learn.table.table import EmbeddingTable, Kernel
from feedmill.testing.table_contract import TableContract


class TestEmbeddingTable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return EmbeddingTable(slots, seed)


class TestEmbeddingTablePortable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return EmbeddingTable(slots, seed, kernel="portable")


class TestEmbeddingTableAvx2(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return _with_kernel(slots, seed, "avx2")


class TestEmbeddingTableAvx512(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return _with_kernel(slots, seed, "avx512")


class TestEmbeddingTableOnTwoThreads(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return EmbeddingTable(slots, seed, threads=2)


class TestReferenceTable(TableContract):
    def make(self, slots: Sequence[Slot], seed: int = 0) -> Table:
        return ReferenceTable(slots, seed)


def _with_kernel(slots: Sequence[Slot], seed: int, kernel: Kernel) -> Table:
    try:
        return EmbeddingTable(slots, seed, kernel=kernel)
    except InvalidArgument as error:
        if str(error).startswith("kernel:"):
            pytest.skip(str(error))
        raise
