"""Every import runs here: read and sort, write the catalog, write the events, give account."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import get_args

from feedmill.domain.clock import Clock
from feedmill.domain.objectives import Action
from feedmill.domain.records import Record, decode_record, encode_record
from feedmill.stream.importing.proposals import Tally
from feedmill.stream.importing.rejects import RejectsFile
from feedmill.stream.importing.result import Counts, ImportResult
from feedmill.stream.importing.sorting import CHUNK_ROWS, ExternalSort
from feedmill.stream.importing.source import Part, PartName, Progress, Reject, Source, no_progress
from feedmill.stream.ingest import Ingest

BATCH = 5_000
"""Records of one append."""
_STEP = 1_000
"""Rows between two words on the progress."""
_PARTS: tuple[PartName, ...] = get_args(PartName)


def run_import(
    source: Source,
    ingest: Ingest,
    clock: Clock,
    *,
    known: dict[str, Action] | None = None,
    rejects: Path | None = None,
    progress: Progress = no_progress,
    chunk_rows: int = CHUNK_ROWS,
    work_dir: Path | None = None,
) -> ImportResult:
    """Bring what a source holds into the log: users and items first, then events by time, ties in file order.

    Rows that are no records go to `rejects`; `known` are the actions that the configuration has; temporary files go
    to `work_dir`. Nothing is written before every event has been read, so a damaged file leaves the log as it was.
    What is written is written in the same order every time: an import that was interrupted, by whatever, is finished
    by running it again, and only rows that cannot be recognised (`unrecognisable`) are doubled then.

    Raises InvalidFile where a file is not what it says, StorageError where the disk is full.
    """
    with (
        closing(RejectsFile(rejects)) as rejects_file,
        closing(ExternalSort(chunk_rows, work_dir)) as events,
        closing(ExternalSort(chunk_rows, work_dir)) as catalog,
    ):
        run = _Run(source, ingest, rejects_file, progress)
        started = time.perf_counter()
        for part in source.events():
            run.read(part, events)
        for part in source.catalog(clock.now() if run.first is None else run.first):
            run.read(part, catalog)
        run.write(catalog, len(catalog) + len(events))
        run.write(events, len(catalog) + len(events))
    proposal = source.propose(run.tally, known or {})
    rows = run.counts["rows"]
    return ImportResult(
        read=rows.read,
        accepted=rows.accepted,
        duplicates=rows.duplicates,
        unchanged=rows.unchanged,
        rejected=rows.rejected,
        unrecognisable=run.unrecognisable,
        users=run.counts["users"],
        items=run.counts["items"],
        tags=run.counts["tags"],
        rejects=rejects_file.written,
        mapping=source.mapping,
        timestamp_unit=source.timestamp_unit,
        actions=proposal.actions,
        objectives=proposal.objectives,
        features=proposal.features,
        first_timestamp=run.first,
        last_timestamp=run.last,
        seconds=round(time.perf_counter() - started, 3),
    )


class _Run:
    def __init__(self, source: Source, ingest: Ingest, rejects: RejectsFile, progress: Progress) -> None:
        self._source = source
        self._ingest = ingest
        self._rejects = rejects
        self._progress = progress
        self._written = 0
        self.counts: dict[PartName, Counts] = {name: Counts() for name in _PARTS}
        self.tally = Tally()
        self.unrecognisable = 0
        self.first: int | None = None
        self.last: int | None = None

    def read(self, part: Part, into: ExternalSort) -> None:
        """Rows to the sorter, rejects to their file."""
        counts = self.counts[part.name]
        mark = bytes([_PARTS.index(part.name)])
        for entry in part.entries:
            counts.read += 1
            if counts.read % _STEP == 0:
                self._progress("reading", self._source.bytes_read, self._source.total_bytes)
            if isinstance(entry, Reject):
                counts.rejected += 1
                self._rejects.write(entry)
                continue
            if entry.kind in ("event", "seen"):
                self._note(entry)
            into.add(entry.timestamp, mark + encode_record(entry))
        self._progress("reading", self._source.bytes_read, self._source.total_bytes)

    def write(self, entries: ExternalSort, total: int) -> None:
        """Sorted records to the log, and what became of them to the counts of their parts."""
        payloads = entries.drain()
        while batch := list(islice(payloads, BATCH)):
            answers = self._ingest.ingest([_decode(payload) for payload in batch]).answers
            for payload, answer in zip(batch, answers, strict=True):
                counts = self.counts[_PARTS[payload[0]]]
                if answer == "accepted":
                    counts.accepted += 1
                elif answer == "duplicate":
                    counts.duplicates += 1
                else:
                    counts.unchanged += 1
            self._written += len(batch)
            self._progress("writing", self._written, total)

    def _note(self, record: Record) -> None:
        self.tally.count(record)
        if not record.event_id:
            self.unrecognisable += 1
        self.first = record.timestamp if self.first is None else min(self.first, record.timestamp)
        self.last = record.timestamp if self.last is None else max(self.last, record.timestamp)


def _decode(payload: bytes) -> Record:
    return decode_record(memoryview(payload)[1:])
