"""Matrix products of small matrices on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Sums then do not depend on how many threads there are; and threads that wait for each other cost more than they
    bring on matrices this narrow, ten times as much where other programs want the cores."""
    with threadpool_limits(1, "blas"):
        yield
