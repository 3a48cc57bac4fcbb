"""The follower: a copy of the parameters that keeps up with a trainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from feedmill.domain.clock import SECOND
from feedmill.domain.errors import HomeError, InvalidArgument, SnapshotError
from feedmill.learn.parameters import Parameters
from feedmill.learn.sync.protocol import Channel, Delta, Head, config_digest
from feedmill.learn.training.snapshots import Snapshots

MOST_REFUSED = 20
"""Reasons that are kept."""
_MOST_SKIPPED = 1024
"""Polls after which the head is tried again that was not reached ten times."""
_SKEW = 5 * SECOND
"""How far ahead a time may be before it says that a clock was set back."""


class _Place(NamedTuple):
    """How far a copy has come; of no epoch before the first delta or head that it agrees with."""

    step: int
    position: int
    at: int = 0
    epoch: int = 0
    sequence: int = 0
    learned_at: int = 0


class _Copy:
    def __init__(self, parameters: Parameters, step: int, position: int) -> None:
        self.parameters = parameters
        self.place = _Place(step, position)


class Follower:
    """Parameters as of the newest snapshot and the deltas after it.

    One thread polls; others may read meanwhile. What is read is never half of a delta's rows or of its network. Where
    a delta is missing or damaged, or the trainer has begun a new epoch, another copy is made aside from the newest
    snapshot and takes the place of this one when it is complete: that costs the memory of two for a while.
    """

    def __init__(
        self, channel: Channel, snapshots: Snapshots, make: Callable[[], Parameters], digest: bytes
    ) -> None:  # fmt: skip
        """Loads the newest snapshot that can be used; where there is none, parameters are initial ones.

        `make` gives initial parameters; `digest` is of the configuration that the trainer must have too.
        """
        self._channel = channel
        self._snapshots = snapshots
        self._make = make
        self._digest = digest
        self.refused: list[str] = []
        """Why snapshots, deltas or a whole channel could not be used, the latest last."""
        self._tried: tuple[int, int] | None = None
        """Epoch and newest snapshot from which the head was not reached."""
        self._failures = 0
        """How often it was not."""
        self._skip = 0
        """Polls to let pass before it is tried again: a damaged delta stays damaged, but a failed read may succeed."""
        self.head = channel.head()
        """What the trainer has announced last; None where nothing."""
        self._copy = self._from_newest_snapshot()

    @property
    def parameters(self) -> Parameters:
        """The present ones: another object after a reload."""
        return self._copy.parameters

    @property
    def step(self) -> int:
        return self._copy.place.step

    @property
    def position(self) -> int:
        """How far the log has been learned."""
        return self._copy.place.position

    @property
    def learned_at(self) -> int:
        """When the trainer had learned that: UTC milliseconds, 0 where it is not known."""
        return self._copy.place.learned_at

    def age_ms(self, now: int) -> int | None:
        """For how long, at most, something has been received that is not learned; None where it is not known.

        It is not known, either, when the trainer has spoken of a time that is still to come.
        """
        at = self._copy.place.at
        return max(0, now - at) if 0 < at <= now + _SKEW else None

    def poll(self) -> bool:
        """Apply what is new; whether there was anything. Cheap where there is not.

        What cannot be used is named in `refused`, and the copy stays as it was.
        """
        self.head = head = self._channel.head()
        if head is None:
            return False
        place = self._copy.place
        if (place.epoch, place.sequence) == (head.epoch, head.sequence):
            self._copy.place = place._replace(at=head.at)
            return False
        if not self._fits(head):
            return False
        if place.epoch == head.epoch:
            # Where the next is gone, snapshots have gone past this copy, and there is nothing to refuse.
            following = head.epoch, place.sequence + 1
            if following in self._channel.kept() and self._catch_up(self._copy, head):
                return True
        return self._start_again(head) or self._copy.place != place

    def _fits(self, head: Head) -> bool:
        if head.config != config_digest(self._digest):
            self._refuse(
                f"epoch {head.epoch}: published by a trainer with another configuration of features, objectives or"
                " models; restart both with the same"
            )
            return False
        if head.registry != self._copy.parameters.registry_digest:
            self._refuse(f"epoch {head.epoch}: published by a trainer with other slots; restart both on one home")
            return False
        return True

    def _start_again(self, head: Head) -> bool:
        """Go on from the newest snapshot; whether that has made the present copy another one.

        Where the head was not reached before, it is tried again after one poll, after two more, after four more ...
        and at once when there is another epoch or snapshot.
        """
        place = self._copy.place
        attempt = head.epoch, max([0, *self._usable_snapshots()])
        if attempt != self._tried:
            self._tried, self._failures, self._skip = attempt, 0, 0
        if self._skip:
            self._skip -= 1
            return False
        # A copy that no delta has changed yet need not be made again, if its snapshot still counts.
        if (place.epoch, place.step) == (0, attempt[1]) and self._catch_up(self._copy, head):
            return True
        copy = self._from_newest_snapshot()
        reached = self._catch_up(copy, head)
        self._failures = 0 if reached else self._failures + 1
        self._skip = 0 if reached else min(2 ** (self._failures - 1), _MOST_SKIPPED)
        # After a rollback the head may be of an earlier step; what falls short of it must at least be newer.
        if reached or copy.place.step > self._copy.place.step:
            self._copy = copy
            return True
        return False

    def _catch_up(self, copy: _Copy, head: Head) -> bool:
        """Apply the deltas up to the head; False where one cannot be used, with those before it applied."""
        try:
            for sequence in self._needed(copy.place, head):
                self._apply(copy, self._channel.read(head.epoch, sequence))
        except (SnapshotError, HomeError, InvalidArgument) as error:
            self._refuse(str(error))
            return False
        copy.place = copy.place._replace(epoch=head.epoch, sequence=head.sequence, at=head.at)
        return True

    def _needed(self, place: _Place, head: Head) -> range:
        """Numbers of the deltas that bring a copy to the head."""
        if place.epoch == head.epoch:
            return range(place.sequence + 1, head.sequence + 1)
        if place.step >= head.step:
            return range(0)
        # Backwards, so that nothing depends on deltas that the snapshot covers, damaged or removed as they may be.
        sequence = head.sequence
        while (header := self._channel.header(head.epoch, sequence)).since > place.step:
            if sequence == 1:
                raise SnapshotError(
                    f"epoch {head.epoch}: goes on from the snapshot of step {header.base}, which cannot be used or is"
                    f" gone; the newest that can be is of step {place.step}"
                )
            sequence -= 1
        return range(sequence, head.sequence + 1)

    def _apply(self, copy: _Copy, delta: Delta) -> None:
        header, place = delta.header, copy.place
        what = f"delta {header.sequence} of epoch {header.epoch}"
        if (header.config, header.registry) != (config_digest(self._digest), copy.parameters.registry_digest):
            raise SnapshotError(f"{what}: of another configuration")
        if header.since > place.step:
            raise SnapshotError(f"{what}: goes on from step {header.since}, and the newest snapshot is of {place.step}")
        copy.parameters.put(delta.rows, delta.dense, now=header.published_at)
        copy.place = _Place(
            header.step, header.position, header.received, header.epoch, header.sequence, header.learned_at
        )  # fmt: skip

    def _from_newest_snapshot(self) -> _Copy:
        for step in reversed(self._usable_snapshots()):
            parameters = self._make()
            try:
                manifest = self._snapshots.manifest(self._digest, step)
                parameters.load(self._snapshots.path(step))
            except (SnapshotError, HomeError) as error:
                self._refuse(str(error))
                continue
            return _Copy(parameters, manifest.step, manifest.position)
        return _Copy(self._make(), 0, 0)

    def _usable_snapshots(self) -> list[int]:
        """All, but for those of parameters that are not published for good reason."""
        steps, head = self._snapshots.steps(), self.head
        if head is None or head.hold is None:
            return steps
        published = [step for step in steps if step <= head.step]
        return published or [step for step in steps if step < head.hold.step]

    def _refuse(self, reason: str) -> None:
        if reason not in self.refused:
            self.refused = [*self.refused, reason][-MOST_REFUSED:]
