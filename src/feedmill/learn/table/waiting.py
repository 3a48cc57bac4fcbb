"""Which of the ids that wait for admission are counted, where there is not room for all: what is right, in Python.

There are buckets of four ids, a power of two of them. An id belongs to two, by the lower bits of both halves of its
SplitMix64 hash. A new one goes to the emptier of them, to the first where they are alike. Where both are full, the id
goes of the eight that was seen longest ago; of several the one that occurred least, then the least id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from feedmill.learn.table.mixing import mix

_IDS = 4


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Of an id that waits."""

    count: int
    time: int
    """Seconds since 1970: of the last."""
    second: int
    """Which of its two buckets it lies in: 0 or 1."""


class Waiting:
    """The ids that wait, and how often each has occurred."""

    def __init__(self, ids: int) -> None:
        """With room for twice as many."""
        self._buckets = 1 << (-(-2 * ids // _IDS) - 1).bit_length()
        self._inside: dict[int, list[int]] = {}
        """The ids of each bucket that has any."""
        self._known: dict[int, Occurrences] = {}

    def __len__(self) -> int:
        return len(self._known)

    def count(self, feature_id: int) -> int:
        """How often an id has occurred; 0 where that is not known."""
        known = self._known.get(feature_id)
        return known.count if known else 0

    def set(self, feature_id: int, count: int, time: int) -> None:
        """Set the count of an id; its time only moves forward."""
        known = self._known.get(feature_id)
        if known:
            self._known[feature_id] = replace(known, count=count, time=max(known.time, time))
            return
        one, other = (len(self._inside.get(bucket, ())) for bucket in self._buckets_of(feature_id))
        self.put(feature_id, Occurrences(count, time, int(other < one)))

    def put(self, feature_id: int, occurrences: Occurrences) -> None:
        """Put an id back that is not known, in its bucket where that has room."""
        buckets = self._buckets_of(feature_id)
        for second in (occurrences.second, 1 - occurrences.second):
            if len(self._inside.get(buckets[second], ())) < _IDS:
                break
        else:
            inside = {bucket: self._inside[bucket] for bucket in buckets}
            oldest = min((key for ids in inside.values() for key in ids), key=self._age)
            second = 0 if oldest in inside[buckets[0]] else 1
            self.erase(oldest)
        self._inside.setdefault(buckets[second], []).append(feature_id)
        self._known[feature_id] = replace(occurrences, second=second)

    def erase(self, feature_id: int) -> None:
        """Forget an id, if it is known."""
        known = self._known.pop(feature_id, None)
        if known:
            self._inside[self._buckets_of(feature_id)[known.second]].remove(feature_id)

    def sorted(self) -> list[tuple[int, Occurrences]]:
        """All, in the order of the ids."""
        return sorted(self._known.items())

    def _buckets_of(self, feature_id: int) -> tuple[int, int]:
        hash_ = mix(feature_id)
        return hash_ % self._buckets, (hash_ >> 32) % self._buckets

    def _age(self, feature_id: int) -> tuple[int, int, int]:
        known = self._known[feature_id]
        return known.time, known.count, feature_id
