"""Matrix products of small matrices on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# SciPy brings a BLAS beside NumPy's; it must be there when they are looked for.
import scipy.linalg  # noqa: F401
from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Sums then do not depend on how many threads there are; and threads that wait for each other cost more than they
    bring on matrices this narrow, ten times as much where other programs want the cores."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Looked for once: it takes milliseconds."""
    return ThreadpoolController()
