"""Records in: durable first, then folded, in one order, by one thread.

Posts that arrive together share one transaction of the log, and so one sync of the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from feedmill.domain.errors import FeedmillError, StorageError, Unavailable
from feedmill.domain.records import Record
from feedmill.stream.ingest import Ingest, Ingested

Make = Callable[[], Sequence[Record]]
Fold = Callable[[Sequence[Record], int], None]
"""Told of records that the log has accepted, in its order, and of the position after them."""

_GROUP = 5_000
"""Records of one transaction, a larger post apart."""
_MOST_WAITING = 200_000
"""Records that may wait for the disk; whoever brings more is turned away."""


@dataclass(slots=True, eq=False)
class _Job:
    records: Sequence[Record]
    make: Make | None = None
    """Says what the records are when everything before them has been folded."""
    done: Future[Ingested] = field(default_factory=Future)


class Intake:
    """The one way into a home while a server has it. Safe to call from any thread."""

    def __init__(self, ingest: Ingest, fold: Fold) -> None:
        self._ingest = ingest
        self._fold = fold
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="feedmill-intake", daemon=True)
        self._thread.start()

    def submit(self, records: Sequence[Record]) -> Future[Ingested]:
        """Make valid records durable and fold them; both are done when the future is.

        Raises Unavailable when too many wait already. The future raises StorageError when the disk is full or
        read-only: nothing of the call is acknowledged then, and all of it may be sent again.
        """
        return self._put(_Job(records))

    def change(self, make: Make) -> Future[Ingested]:
        """`submit` what `make` gives, which is called when everything before has been folded."""
        return self._put(_Job((), make))

    def close(self) -> None:
        """Take no more, and return when everything that was taken has been answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _put(self, job: _Job) -> Future[Ingested]:
        with self._changed:
            if self._closed:
                raise Unavailable("the server is stopping; send it again when it is back")
            if self._waiting and self._waiting + len(job.records) > _MOST_WAITING:
                raise Unavailable(f"{self._waiting:,} records wait for the disk; send it again in a moment")
            self._jobs.append(job)
            self._waiting += len(job.records)
            self._changed.notify()
        return job.done

    def _work(self) -> None:
        while group := self._next():
            try:
                self._take(group)
            # Whoever waits for an answer must not wait in vain, and the next group has its chance.
            except BaseException as error:
                for job in group:
                    if not job.done.done():
                        job.done.set_exception(error)

    def _next(self) -> list[_Job]:
        """The jobs of one transaction; none when all is done and no more will come."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return []
                self._changed.wait()
            group = [self._jobs.popleft()]
            size = len(group[0].records)
            while self._jobs and group[0].make is None and self._jobs[0].make is None:
                size += len(self._jobs[0].records)
                if size > _GROUP:
                    break
                group.append(self._jobs.popleft())
            self._waiting -= sum(len(job.records) for job in group)
        return group

    def _take(self, group: list[_Job]) -> None:
        if group[0].make is not None:
            group[0].records = group[0].make()
        try:
            self._ingest_group(group)
        except FeedmillError as error:
            if len(group) == 1 or isinstance(error, StorageError):
                raise
            # One post cannot be stored, and must not cost the others theirs.
            for job in group:
                try:
                    self._ingest_group([job])
                except FeedmillError as own:
                    job.done.set_exception(own)

    def _ingest_group(self, group: list[_Job]) -> None:
        records = [record for job in group for record in job.records]
        ingested = self._ingest.ingest(records)
        accepted = [record for record, answer in zip(records, ingested.answers, strict=True) if answer == "accepted"]
        # Also where all was known: what an append that failed has left on the disk all the same is folded then.
        self._fold(accepted, ingested.position)
        start = 0
        for job in group:
            end = start + len(job.records)
            job.done.set_result(Ingested(ingested.position, ingested.answers[start:end]))
            start = end
