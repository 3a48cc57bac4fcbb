"""Items like an item: for the page of one item, where nobody need have asked for a feed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from feedmill.domain.errors import InvalidArgument, NotFound
from feedmill.domain.ids import UInt64s, hash_id
from feedmill.serve.pipeline.candidates import Retrieved, merge
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.pipeline.request import MAX_LIMIT
from feedmill.serve.pipeline.stages import StageConfig, at_least
from feedmill.serve.pipeline.trace import seven_digits
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.serve.retrieval.postings import Postings
from feedmill.serve.retrieval.tally import tally
from feedmill.serve.retrieval.two_tower import TwoTowerSource
from feedmill.stream.catalog.columns import Catalog

_POPULAR = "popular"


_NOBODY: Int32s = np.empty(0, np.int32)
_NO_KEYS: UInt64s = np.empty(0, np.uint64)
_T = TypeVar("_T")


class Attempt(Protocol):
    """Makes a call that may fail; gives None then, and counts it."""

    def __call__(self, kind: str, stage: str, act: Callable[[], _T]) -> _T | None: ...


class SimilarConfig(StageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each lead counts; the r-th item of a lead gets weight / (60 + r), as the sources of a feed do.

    With these weights a lead stands above the next one for its first sixty items, and an item that several name stands
    above one that only the first of them names. Where it is not enabled nothing is kept for it, and it gives popular
    items alone.
    """

    depth: int = 100
    """How many items each lead names, at least as many as asked for."""
    co_visitation: float = 1.0
    """Liked by the same people."""
    two_tower: float = 0.5
    """Near in the space of the vectors."""
    shared: float = 0.25
    """By the same author, or with the same categories and tags: all there is of an item that nobody has acted on."""

    def __post_init__(self) -> None:
        at_least("depth", self.depth, 1)
        for key in ("co_visitation", "two_tower", "shared"):
            at_least(key, getattr(self, key), 0)


class SimilarItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is like another."""

    item_id: str
    title: str
    """The item's id where it has no title."""
    score: float
    """The reciprocal rank fusion of the leads; says nothing but the order."""
    why: str
    """A clause for the user, without a full stop."""


class Similar:
    """Finds items like an item. Those with an audience are left out: it is not known who asks."""

    name = "similar"

    def __init__(
        self,
        catalog: Catalog,
        state: StateReader,
        popularity: Popularity,
        postings: Postings,
        attempt: Attempt,
        two_tower: TwoTowerSource | None = None,
        config: SimilarConfig | None = None,
    ) -> None:
        """`attempt` calls a lead, and counts it where it fails: that costs its items and no others.

        `two_tower` is refreshed by the feed that it is a source of.
        """
        self.config = config or SimilarConfig()
        self._items = catalog.items
        self._state = state
        self._popularity = popularity
        self._postings = postings
        self._attempt = attempt
        self._two_tower = two_tower

    def find(self, item_id: str, limit: int, now: int) -> list[SimilarItem]:
        """Up to `limit` items, most alike first; the popular ones where nothing is known to be alike.

        `now` is in UTC milliseconds. Raises NotFound where there is no such item, InvalidArgument for a limit outside
        1 to 1,000. Cost: linear in the items that share an author or tag with it, and a search of the vector index.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidArgument(f"limit: must be from 1 to {MAX_LIMIT}, not {limit}")
        item = self._items.ids.find(item_id)
        if item < 0 or self._items.encoded(item) is None:
            raise NotFound(f"item {item_id!r}: there is no item with this id; put it first")
        depth = max(self.config.depth, limit)
        leads, keys = self._leads(item, depth, now) if self.config.enabled else ({}, {})
        if not any(map(len, leads.values())):
            leads = {_POPULAR: self._eligible(item, self._popularity.best(2 * depth), now)}
        named = [Retrieved.of(found[:depth], np.zeros(min(len(found), depth))) for found in leads.values()]
        merged = merge(named, {lead: getattr(self.config, lead, 1.0) for lead in leads})
        best = np.argsort(-merged.retrieval_scores, kind="stable")[:limit]
        return [
            SimilarItem(
                item_id=self._items.ids.names[other],
                title=self._title(other),
                score=seven_digits(merged.retrieval_scores[row]),
                why=self._why(item, other, merged.sources[int(np.argmax(merged.named[row]))], keys.get(other, 0)),
            )
            for row, other in zip(best.tolist(), merged.items[best].tolist(), strict=True)
        ]

    def refresh(self, now: int) -> None:
        """Bring the postings up to date, where that is due: O(items)."""
        self._postings.refresh(now)

    def _leads(self, item: int, depth: int, now: int) -> tuple[dict[str, Int32s], dict[int, int]]:
        """By lead, those that may be shown, best first; and the key that each of the sharing ones shares."""
        finders: dict[str, Callable[[], Int32s]] = {"co_visitation": lambda: self._state.neighbours(item, 2 * depth)[0]}
        if self._two_tower is not None:
            near = self._two_tower.near
            finders["two_tower"] = lambda: near(item, 2 * depth)[0]
        leads = {}
        for lead, find in finders.items():
            found = self._attempt(self.name, lead, find)
            leads[lead] = _NOBODY if found is None else self._eligible(item, found, now)
        sharing, keys = self._attempt(self.name, "shared", lambda: self._sharing(item, now)) or (_NOBODY, _NO_KEYS)
        leads["shared"] = sharing[:depth]
        return leads, dict(zip(sharing[:depth].tolist(), keys[:depth].tolist(), strict=True))

    def _eligible(self, item: int, others: Int32s, now: int) -> Int32s:
        columns = self._items
        may_be_shown = columns.servable[others] & ~columns.restricted[others] & (columns.expires_at[others] > now)
        eligible: Int32s = others[may_be_shown & (others != item)]
        return eligible

    def _sharing(self, item: int, now: int) -> tuple[Int32s, UInt64s]:
        """Items that share author, categories or tags, and the rarest key that each of them shares.

        What few have says more: a key that n items have counts 1 / log(1 + n) (Adamic and Adar, "Friends and neighbors
        on the Web", 2003). The more popular first among equals.
        """
        author = int(self._items.authors[item])
        named, strengths, leads = [np.empty(0, np.int32)], [np.empty(0)], [np.empty(0, np.uint64)]
        for key in dict.fromkeys((*((author,) if author else ()), *self._items.tags(item))):
            holders = self._postings.holders(key)
            named.append(holders)
            strengths.append(np.full(len(holders), 1 / np.log1p(max(len(holders), 1))))
            leads.append(np.full(len(holders), key, np.uint64))
        found, totals, keys = tally(np.concatenate(named), np.concatenate(strengths), np.concatenate(leads))
        order = np.lexsort((found, -self._popularity.of(found), -totals))
        found, keys = found[order], keys[order]
        kept = np.isin(found, self._eligible(item, found, now))
        return found[kept], keys[kept]

    def _why(self, item: int, other: int, lead: str, key: int) -> str:
        if lead == "co_visitation":
            return f"people who liked {self._title(item)} liked this too"
        if lead == "two_tower":
            return f"goes to the same people as {self._title(item)}"
        if lead == _POPULAR:
            return "popular here"
        if key == int(self._items.authors[item]):
            return "from the same author"
        body = self._items.body(other)
        names = () if body is None else (*body.categories, *body.tags)
        return f"matches {next((name for name in names if hash_id(name) == key), 'something')}"

    def _title(self, item: int) -> str:
        body = self._items.body(item)
        return body.title if body is not None and body.title else self._items.ids.names[item]
