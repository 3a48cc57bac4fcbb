"""A file of events, and a file of items where there is one, as one import into a new home."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from feedmill.domain.objectives import Action
from feedmill.domain.records import Item, Record
from feedmill.stream.importing.proposals import Proposal, Tally
from feedmill.stream.importing.source import Part, Reject, Source


class EventsAndItems:
    """What is known of items comes before the events; an item that only events name comes with its id alone."""

    def __init__(self, events: Source, items: Source | None = None) -> None:
        self._events = events
        self._items = items
        self._named: dict[str, None] = {}

    @property
    def mapping(self) -> dict[str, str]:
        return self._events.mapping

    @property
    def timestamp_unit(self) -> str:
        return self._events.timestamp_unit

    @property
    def total_bytes(self) -> int:
        return self._events.total_bytes + (self._items.total_bytes if self._items else 0)

    @property
    def bytes_read(self) -> int:
        return self._events.bytes_read + (self._items.bytes_read if self._items else 0)

    def events(self) -> list[Part]:
        return [Part(part.name, self._naming(part)) for part in self._events.events()]

    def catalog(self, start: int) -> list[Part]:
        described = self._items.catalog(start) if self._items else []
        return [*(Part("items", self._describing(part)) for part in described), Part("items", self._bare(start))]

    def propose(self, tally: Tally, known: dict[str, Action]) -> Proposal:
        proposal = self._events.propose(tally, known)
        if self._items is None:
            return proposal
        more = self._items.propose(Tally(), {}).features
        return msgspec.structs.replace(proposal, features={**proposal.features, **more})

    def _naming(self, part: Part) -> Iterator[Record | Reject]:
        for entry in part.entries:
            if isinstance(entry, Record):
                self._named[entry.object] = None
            yield entry

    def _describing(self, part: Part) -> Iterator[Record | Reject]:
        for entry in part.entries:
            if isinstance(entry, Record):
                self._named.pop(entry.object, None)
            yield entry

    def _bare(self, start: int) -> Iterator[Record]:
        for item_id in self._named:
            yield Record("item", start, object=item_id, body=Item())
