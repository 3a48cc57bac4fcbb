"""Which items have a tag or an author: an inverted index of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from feedmill.domain.ids import UInt64s
from feedmill.serve.pipeline.readers import Int32s
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.staleness import Staleness
from feedmill.stream.catalog.columns import Catalog


@dataclass(frozen=True, slots=True)
class _Built:
    keys: UInt64s
    starts: npt.NDArray[np.intp]
    items: Int32s


class Postings:
    """From the key of a category, tag or author to the servable items that have it: popular first, then newer ones."""

    def __init__(self, catalog: Catalog, popularity: Popularity, refresh_seconds: float) -> None:
        self._items = catalog.items
        self._popularity = popularity
        self._staleness = Staleness(refresh_seconds)
        self._built = _Built(np.empty(0, np.uint64), np.zeros(1, np.intp), np.empty(0, np.int32))

    def refresh(self, now: int) -> None:
        """Build it again where that is due: O(items and their tags)."""
        items = self._items
        self._popularity.refresh(now)
        if not self._staleness.due(now, items.version, len(items)):
            return
        servable = np.flatnonzero(items.servable).astype(np.int32)
        tags = [items.tags(item) for item in servable.tolist()]
        counts = np.fromiter(map(len, tags), np.intp, len(tags))
        tag_keys = np.fromiter(chain.from_iterable(tags), np.uint64, int(counts.sum()))
        authored = servable[items.authors[servable] != 0]
        keys = np.concatenate([tag_keys, items.authors[authored]])
        members = np.concatenate([np.repeat(servable, counts), authored])
        best_first = np.lexsort((members, items.created_at[members], self._popularity.of(members)))[::-1]
        order = best_first[np.argsort(keys[best_first], kind="stable")]
        keys, members = keys[order], members[order]
        # An author and a tag may go by the same name; an item that has both stands there once.
        first = np.ones(len(keys), np.bool_)
        first[1:] = (keys[1:] != keys[:-1]) | (members[1:] != members[:-1])
        keys, members = keys[first], members[first]
        distinct, starts = np.unique(keys, return_index=True)
        self._built = _Built(distinct, np.append(starts, len(keys)), members)

    def find(self, key: int, count: int) -> Int32s:
        """int32 [k]: up to `count` items that have the key."""
        return self.holders(key)[:count]

    def holders(self, key: int) -> Int32s:
        """int32 [k]: all items that have the key."""
        built = self._built
        place = int(np.searchsorted(built.keys, np.uint64(key)))
        if place == len(built.keys) or built.keys[place] != key:
            return np.empty(0, np.int32)
        return built.items[built.starts[place] : built.starts[place + 1]]
