"""Items that only events have named: a feed shows what a record describes, so each gets a record with its id alone."""

from __future__ import annotations

from collections.abc import Iterator

from feedmill.domain.objectives import Action
from feedmill.domain.records import Item, Record
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing.proposals import Proposal, Tally
from feedmill.stream.importing.source import Part, Reject, Source


def describes_nothing(catalog: CatalogStore) -> bool:
    """Whether nobody has said anything of any item but its id.

    Where somebody has, an item that no record describes may have been left out on purpose.
    """
    return all(item == Item() for _, item in catalog.each_item())


class WithBareItems:
    """A source of events that brings the items which its events name. Memory: the ids of these."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._named: dict[str, None] = {}

    @property
    def mapping(self) -> dict[str, str]:
        return self._source.mapping

    @property
    def timestamp_unit(self) -> str:
        return self._source.timestamp_unit

    @property
    def total_bytes(self) -> int:
        return self._source.total_bytes

    @property
    def bytes_read(self) -> int:
        return self._source.bytes_read

    def events(self) -> list[Part]:
        return [Part(part.name, self._noted(part)) for part in self._source.events()]

    def catalog(self, start: int) -> list[Part]:
        bare = (Record("item", start, object=item_id, body=Item()) for item_id in self._named)
        return [*self._source.catalog(start), Part("items", bare)]

    def propose(self, tally: Tally, known: dict[str, Action]) -> Proposal:
        return self._source.propose(tally, known)

    def _noted(self, part: Part) -> Iterator[Record | Reject]:
        for entry in part.entries:
            if isinstance(entry, Record):
                self._named[entry.object] = None
            yield entry
