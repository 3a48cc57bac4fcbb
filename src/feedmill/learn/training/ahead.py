"""Two cores for one loop: the next item is made while the present one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order; a thread makes each while its predecessor is used.

    An exception in making an item is raised where the item would have come. Whoever stops half-way has had one item
    more made than used.
    """
    end = object()
    with ThreadPoolExecutor(1, "one-ahead") as worker:
        following = worker.submit(next, items, end)
        while (item := following.result()) is not end:
            following = worker.submit(next, items, end)
            yield item  # type: ignore[misc]
