"""Which event keys the log knows, for ever: the newest in memory, the rest in sealed segments.

The tail holds the keys of the newest records in a hash table. When it covers `seal_at` records it is frozen, a new one
begins, and a thread beside the appends writes the frozen one as a segment; `fanout` adjacent segments of one size
become one of the next (a log-structured merge: O'Neil et al., 1996). So n records stand in at most
`(fanout - 1) * (log_fanout(n / seal_at) + 1)` segments, and each key is rewritten `log_fanout(n / seal_at)` times.

Segments only save reading the log again: what is missing, torn or of another log is rebuilt from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from feedmill import _native
from feedmill.domain.errors import InvalidFile
from feedmill.domain.ids import UInt64s
from feedmill.stream.log.segments import SUFFIX, UNFINISHED, Hits, Positions, Segment, open_segment, write_segment

Scan = Callable[[int, int], Iterator[tuple[UInt64s, Positions]]]
"""`scan(first, end)`: keys and positions of the records first < p <= end, in order, in pieces; 0 is no key."""


class _Frozen:
    """A tail that takes no more keys and waits to become a segment."""

    def __init__(self, keys: _native.KeyMap, first: int, end: int) -> None:
        self.keys = keys
        self.first = first
        self.end = end


class KeyIndex:
    """Keys to positions. One thread at a time calls it (the log's writer); sealing runs beside on a thread of its own.

    `directory` is this index's own. `end` is the position after the last record of the log with this `identity` (16
    bytes). The record at position p is the one whose append or read returned p: a segment covers first < p <= end.
    Opening reads every segment once and at most `seal_at` records of the log, more only where segments are missing.
    Raises OSError when the directory cannot be read.
    """

    def __init__(self, directory: Path, identity: bytes, end: int, scan: Scan, seal_at: int, fanout: int) -> None:
        self._directory = directory
        self._identity = identity
        self._scan = scan
        self._seal_at = seal_at
        self._fanout = fanout
        self._swap = threading.Lock()
        self._frozen: tuple[_Frozen, ...] = ()
        self._segments: tuple[Segment, ...] = ()
        self._executor = ThreadPoolExecutor(1, "feedmill-seal")
        self._sealing: Future[None] | None = None
        self._closing = False
        self.scanned = 0
        """Records that were read from the log at opening: the tail, and what segments that are missing had covered."""
        self._tail_first = self._end = 0
        self._tail = _native.KeyMap(seal_at)
        self._open(end)

    @property
    def segments(self) -> int:
        """How many sealed segments there are."""
        return len(self._segments)

    def find(self, keys: UInt64s) -> Hits:
        """Every meeting of an asked key with a known one: indices into `keys`, and positions.

        About 20 ns a segment for each unknown key. The same meeting may be named twice while a segment is exchanged.
        """
        with self._swap:
            parts: list[_native.KeyMap | Segment] = [self._tail, *(part.keys for part in self._frozen)]
            parts += self._segments
        found = [part.find(keys) for part in parts]
        return np.concatenate([probes for probes, _ in found]), np.concatenate([at for _, at in found])

    def add(self, keys: UInt64s, positions: Positions, end: int) -> None:
        """Add the keys of the records up to `end`; those that are 0 are left out."""
        self._tail.add(keys, positions)
        self._end = end
        if end - self._tail_first >= self._seal_at:
            self._freeze()

    def settle(self) -> None:
        """Wait until all that is to be sealed and merged now has been."""
        if self._sealing is not None:
            self._sealing.result()

    def close(self) -> None:
        """Stop sealing; what is not sealed is read from the log at the next opening."""
        self._closing = True
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _freeze(self) -> None:
        frozen = _Frozen(self._tail, self._tail_first, self._end)
        with self._swap:
            self._frozen = (*self._frozen, frozen)
            self._tail = _native.KeyMap(self._seal_at)
        self._tail_first = self._end
        self._sealing = self._executor.submit(self._seal)

    def _seal(self) -> None:
        """Write what is frozen and merge what has become due.

        What cannot be written stays as it is, in memory or in the smaller segments, until the next sealing tries again.
        """
        try:
            while self._frozen and not self._closing:
                part = self._frozen[0]
                segment = self._write(part.first, part.end, [part.keys.sorted()])
                with self._swap:
                    self._segments = tuple(sorted((*self._segments, segment), key=lambda each: each.first))
                    self._frozen = self._frozen[1:]
                self._merge()
            self._merge()
        except OSError:
            return

    def _merge(self) -> None:
        while (run := self._due()) and not self._closing:
            segment = self._write(run[0].first, run[-1].end, [(part.keys, part.positions) for part in run])
            with self._swap:
                rest = [part for part in self._segments if part not in run]
                self._segments = tuple(sorted((*rest, segment), key=lambda each: each.first))
            for part in run:
                part.path.unlink(missing_ok=True)

    def _due(self) -> tuple[Segment, ...]:
        """The oldest `fanout` adjacent segments of one level; none when no merge is due.

        A segment that is smaller than a later one counts as that one's level, so levels fall from old to new and the
        number of segments stays logarithmic whatever the sizes of the appends.
        """
        levels = [self._level(segment) for segment in self._segments]
        for index in range(len(levels) - 2, -1, -1):
            levels[index] = max(levels[index], levels[index + 1])
        for start in range(len(levels) - self._fanout + 1):
            run = self._segments[start : start + self._fanout]
            adjacent = all(before.end == after.first for before, after in pairwise(run))
            if adjacent and levels[start] == levels[start + self._fanout - 1]:
                return run
        return ()

    def _level(self, segment: Segment) -> int:
        level, size = 0, self._seal_at * self._fanout
        while segment.end - segment.first >= size:
            level, size = level + 1, size * self._fanout
        return level

    def _write(self, first: int, end: int, parts: list[tuple[UInt64s, Positions]]) -> Segment:
        return write_segment(self._directory, self._identity, first, end, parts)

    def _open(self, end: int) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.glob(f"*{UNFINISHED}"):
            path.unlink()
        for segment in self._sound_segments(end):
            if segment.first < self._end:
                # Merged already; the process ended before it removed the parts.
                segment.path.unlink()
                continue
            if segment.first > self._end:
                self._read_again(segment.first)
                self._freeze()
                self.settle()
            with self._swap:
                self._segments = (*self._segments, segment)
            self._tail_first = self._end = segment.end
        self._read_again(end)

    def _sound_segments(self, end: int) -> list[Segment]:
        sound = []
        for path in self._directory.glob(f"*{SUFFIX}"):
            try:
                segment = open_segment(path, self._identity)
            except InvalidFile:
                path.unlink()
                continue
            if segment.end > end:
                # Of a later state of this log, which has been put back to an earlier one.
                path.unlink()
                continue
            sound.append(segment)
        return sorted(sound, key=lambda segment: (segment.first, -segment.end))

    def _read_again(self, end: int) -> None:
        self.scanned += end - self._end
        for keys, positions in self._scan(self._end, end):
            self.add(keys, positions, int(positions[-1]))
