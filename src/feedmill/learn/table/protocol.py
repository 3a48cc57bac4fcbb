"""The embedding table: the protocol that every table keeps."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.ids import UInt64s

Pooling = Literal["sum", "mean"]
"""How the rows of a bag become one. A mean divides by the length of the bag: an id that is 0 or has no row adds
nothing, but counts in the length, so that a row's share of the bag does not change when its neighbour is admitted."""


@dataclass(frozen=True, slots=True)
class TableStats:
    """How large a table is."""

    rows: int
    waiting: int
    """Ids that have occurred and are not admitted yet."""
    bytes: int
    """All memory that the table uses: index, padding, buffers and what is free for new rows included."""
    overhead: float
    """Bytes a row beside its vector and the state of its optimizers; 0 for an empty table."""
    load: float
    """Rows over cells of the index, 0 to 1."""
    huge_bytes: int
    """Of `bytes`: on huge pages, as the system says (Linux; elsewhere 0)."""


class Table(Protocol):
    """Rows by feature id. A row is a vector and the state of the optimizers of its slot's segments.

    The rows of a call are those of slots of one dimension `dim`; ids of another dimension or of a slot that the table
    was not made with are refused, id 0 ("nothing") is allowed everywhere. An id that has no row reads as zeros, in
    training as in serving.

    Every method raises InvalidArgument for arguments of the wrong dtype, shape or content, and the table is then as it
    was before. Arrays are not converted, because a conversion can lose; arrays that are not contiguous are copied.
    Results depend on the sequence of calls alone, bit for bit.

    Any number of threads may call any method. Lookups wait for nobody; each row that one sees is whole, as it was
    before or after an update, and rows of an update may be seen before the others. Updates wait for each other.
    """

    def __len__(self) -> int:
        """Rows."""
        ...

    @property
    def version(self) -> int:
        """The number of updates, `put` included, since the table was made empty."""
        ...

    def stats(self) -> TableStats:
        """How large the table is. Some milliseconds, as the system is asked which pages are huge."""
        ...

    def lookup(
        self,
        ids: UInt64s,  # uint64 [n]
        dimension: int | None = None,
        *,
        out: Float32s | None = None,  # float32 [n, dim], contiguous
    ) -> Float32s:  # float32 [n, dim]
        """The vectors of ids, in `out` where it is given; never inserts.

        `dimension` is needed only where no id tells it: all ids are 0 and the table's slots differ in dimension.
        """
        ...

    def pooled_lookup(
        self,
        ids: UInt64s,  # uint64 [m]
        offsets: Int64s,  # int64 [b + 1]: bag i holds ids[offsets[i]:offsets[i + 1]]; from 0 to m, never decreasing
        pooling: Pooling = "sum",
        dimension: int | None = None,
        *,
        out: Float32s | None = None,  # float32 [b, dim], contiguous
    ) -> Float32s:  # float32 [b, dim]
        """The vectors of bags, added up in the order of their ids; an empty bag reads as zeros; never inserts."""
        ...

    def update(
        self,
        ids: UInt64s,  # uint64 [m]
        offsets: Int64s,  # int64 [b + 1]
        gradients: Float32s,  # float32 [b, dim], each within 1e15, the sum for each id within 1e18
        pooling: Pooling = "sum",
        *,
        now: int,  # UTC milliseconds
    ) -> None:
        """Learn from the gradients of `pooled_lookup` of the same bags.

        The gradient of a bag goes to each of its ids, for a mean divided by the bag's length. The gradients of an id
        that occurs more than once are summed in the order of occurrence, and applied once.

        An id without a row is admitted at its slot's `admission`-th occurrence, which may lie within this call;
        occurrences count over all updates. It then starts from its initial vector and is given the whole of this
        call's gradient, that of earlier occurrences in the call included. Before that nothing is learned of it.

        Initial vectors are a pure function of the table's seed, the feature id and the column: see `initial_vector` in
        `feedmill.learn.table.reference`. Each segment of a row learns by its optimizer, in float32; the reference says
        how, operation by operation.

        A slot with an `admission_probability` p admits an id with probability p at each occurrence, drawn from the
        seed, the id and the version: going over the same calls again admits the same.

        The time of a row is the latest `now` of its updates, in whole seconds from 1970 to 2106. Cost: linear in m and
        b.
        """
        ...

    def put(
        self,
        ids: UInt64s,  # uint64 [n]
        vectors: Float32s,  # float32 [n, dim], finite
        *,
        now: int,  # UTC milliseconds
    ) -> None:
        """Set the vectors of ids as they are elsewhere: how a copy of a table follows it.

        An id without a row gets one, whatever its slot's admission; it no longer waits, and its optimizers are as in a
        new row. The state of a known row stays. Of an id that occurs more than once the last
        vector counts; a vector for id 0 is ignored. The time of a row is the latest `now`; the call counts as one
        update. Cost: linear in n.
        """
        ...

    def touched(self, since: int) -> UInt64s:
        """The ids whose rows have changed after version `since`, in their order: uint64 [n].

        A row that `expire` has dropped is not among them: a copy of the table drops it by the same rule. None is left
        out; what has not changed for 2^26 updates may be named too. The cost is proportional to the changes since then,
        and a little for each 4,000 rows. A `since` beyond `version` is another table's, and refused.
        """
        ...

    def expire(self, now: int, most: int | None = None) -> int:
        """Drop the rows whose slot's `time_to_live` has passed since their last update; how many were dropped.

        Ids that wait for admission are forgotten by the same rule. An id that comes back starts anew, from its initial
        vector and its first occurrence. Memory of dropped rows is used again. Cost: linear in the rows.

        With `most` the call looks at about so many rows (some thousands at least), and the next one goes on where it
        stopped; ids that wait are looked at when all rows have been. So expiry need hold up no update for long.
        """
        ...

    def snapshot(self, path: str | os.PathLike[str], begun: Callable[[], None] = lambda: None) -> None:
        """Write the whole table to a file; when this returns the file is on disk, and complete.

        It holds the table as it is when `begun` is called; updates and lookups go on meanwhile. A crash leaves the old
        file or the new one. Equal tables write equal bytes, unless they are updated meanwhile. Raises StorageError when
        the disk is full, read-only or failing.
        """
        ...

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Become the table that `snapshot` wrote, in everything: what follows is bit for bit what would have followed.

        Raises SnapshotError, naming the file, when it is missing, damaged, no snapshot, or of a table with other slots
        or another seed; the table is then as it was before.
        """
        ...
