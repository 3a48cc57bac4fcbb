"""Records in: known ones are told apart, new ones become durable, and the catalog follows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from feedmill.domain.clock import Clock
from feedmill.domain.records import Item, Record, User
from feedmill.stream.catalog.store import CatalogStore, digest
from feedmill.stream.log.protocol import Log
from feedmill.stream.validation import DELETE

Answer = Literal["accepted", "duplicate", "unchanged"]
"""`accepted`: durable in the log. `duplicate`: its event id was there. `unchanged`: the catalog says the same already,
so nothing was written."""

_STRIDE = 50_000
"""Events after which the catalog notes that it has passed them, so that it need not read them again."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of some records."""

    position: int
    """The position after the last record of the log."""
    answers: list[Answer]
    """One a record, in order."""

    def count(self) -> Counter[Answer]:
        return Counter(self.answers)


class Ingest:
    """The one way into the log of a home. Safe to call from several threads; one Ingest a log at a time.

    Building one brings the catalog up to the log, which heals what a crash between the two has left.
    """

    def __init__(self, log: Log, catalog: CatalogStore, clock: Clock) -> None:
        self._log = log
        self._catalog = catalog
        self._clock = clock
        self._lock = threading.Lock()
        self._unnoted = 0
        self._behind = False
        catalog.catch_up(log)

    def ingest(self, records: Sequence[Record]) -> Ingested:
        """Make valid records durable, stamped with the time of their arrival; returns when they are.

        Raises StorageError when the disk is full or read-only. Records that were not answered may be sent again.
        """
        if not any(_changes_catalog(record) for record in records):
            answers: list[Answer] = ["accepted"] * len(records)
            position = self._append(records, range(len(records)), answers)
            self._note_passed(len(records))
            return Ingested(position, answers)
        # The catalog folds in log order: one append that changes it at a time. Events pass beside.
        with self._lock:
            self._heal()
            fresh, answers = self._tell_unchanged(records)
            position = self._append(records, fresh, answers)
            folded = [records[i] for i in fresh if answers[i] == "accepted"]
            if folded:
                self._fold(folded, position)
            return Ingested(position, answers)

    def _append(self, records: Sequence[Record], chosen: Sequence[int], answers: list[Answer]) -> int:
        if not chosen:
            return self._log.end()
        now = self._clock.now()
        appended = self._log.append([msgspec.structs.replace(records[i], received_at=now) for i in chosen])
        for at in appended.duplicates.nonzero()[0].tolist():
            answers[chosen[at]] = "duplicate"
        return appended.position

    def _tell_unchanged(self, records: Sequence[Record]) -> tuple[list[int], list[Answer]]:
        """The places of the records that say something new, judged one after another, and the answers so far."""
        known: dict[tuple[str, str], bytes | None] = {}
        for kind, ids in (
            ("user", {record.subject for record in records if record.kind == "user"}),
            ("item", {record.object for record in records if record.kind == "item"}),
        ):
            known.update(((kind, name), value) for name, value in self._catalog.digests(kind, sorted(ids)).items())
        fresh: list[int] = []
        answers: list[Answer] = ["accepted"] * len(records)
        for i, record in enumerate(records):
            if isinstance(record.body, User | Item):
                key = (record.kind, record.subject if record.kind == "user" else record.object)
                said = digest(record.body)
                if known.get(key) == said:
                    answers[i] = "unchanged"
                    continue
                known[key] = said
            elif record.kind == "retraction" and record.action == DELETE:
                known[("item", record.object) if record.object else ("user", record.subject)] = None
            fresh.append(i)
        return fresh, answers

    def _fold(self, records: Sequence[Record], position: int) -> None:
        self._behind = True
        self._catalog.apply(records, position)
        self._behind = False
        self._unnoted = 0

    def _heal(self) -> None:
        """After an append whose fold failed, the records lie in the log only: fold them from there."""
        if self._behind:
            self._catalog.catch_up(self._log)
            self._behind = False

    def _note_passed(self, events: int) -> None:
        self._unnoted += events
        if self._unnoted < _STRIDE:
            return
        with self._lock:
            if self._unnoted >= _STRIDE:
                self._heal()
                self._fold((), self._log.end())


def _changes_catalog(record: Record) -> bool:
    return isinstance(record.body, User | Item) or (record.kind == "retraction" and record.action == DELETE)
