"""The publisher: what a trainer has learned, made known to those who serve."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from feedmill.domain.clock import Clock
from feedmill.domain.errors import StorageError
from feedmill.learn.guards.hold import Hold
from feedmill.learn.sync.config import SyncConfig
from feedmill.learn.sync.protocol import Channel, Delta, Head, Header, config_digest
from feedmill.learn.training.trainer import Trainer


@dataclass(frozen=True, slots=True)
class _Sent:
    """What followers can have: the next delta has what is newer."""

    sequence: int
    step: int
    version: int
    """Of the table."""
    dense_step: int


class Publisher:
    """Publishes rows that were touched, and from time to time all dense parameters.

    A new publisher is a new epoch. Its first delta has everything that was learned after the snapshot that the trainer
    went on from. What cannot be published is kept for the next attempt: `last_error` says why.

    While the trainer's watch holds, nothing is published but that, and an epoch that has not begun does not begin.
    """

    def __init__(
        self,
        channel: Channel,
        trainer: Trainer,
        clock: Clock,
        config: SyncConfig | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trainer` as it was restored: with the steps of its journal executed, and none after them.

        `timer` gives the seconds that the configuration counts; `clock` may go faster than those, and says in headers
        how current parameters are.
        """
        self._channel = channel
        self._watch = trainer.watch
        self._parameters = trainer.learner.parameters
        self._clock = clock
        self._timer = timer
        self._config = config or SyncConfig()
        self._digest = config_digest(trainer.learner.digest)
        head = channel.head()
        self._former = channel.kept()
        """Deltas of earlier epochs."""
        self.epoch = 1 + max([head.epoch if head else 0, *(epoch for epoch, _ in self._former)])
        self.last_error: str | None = None
        """Why the last attempt failed; None when it did not."""
        self._told: Hold | None = None
        """Why followers were told that nothing is published."""
        self._base = trainer.snapshot_step
        self._step, self._position, self._received = trainer.step, trainer.position, 0
        self._learned_at = 0
        self._sent = _Sent(0, trainer.snapshot_step, trainer.snapshot_version, -1)
        self._steps: list[tuple[int, int]] = []
        """Number and step of the deltas that are kept."""
        self._covered = 0
        self._sparse_at: float | None = None
        self._dense_at: float | None = None
        self._beat_at: float | None = None

    @property
    def hold(self) -> Hold | None:
        """Why nothing is published; None where all is well."""
        return self._watch.hold

    def after_step(self, step: int, position: int, received: int) -> None:
        """Publish what is due. Everything received until `received` (UTC milliseconds) is learned."""
        self._step, self._position, self._received = step, position, received
        self._learned_at = self._clock.now()
        self._publish()

    def beat(self) -> None:
        """To be called while there is nothing to learn: publish what is due, or say that all is up to date."""
        self._publish()
        now = self._timer()
        if (
            self._watch.hold is None
            and not self._is_behind()
            and _passed(self._beat_at, now, self._config.beat_seconds)
        ):
            self._received = self._clock.now()
            try:
                self._announce(self._sent.sequence)
                self._beat_at = now
            except StorageError as error:
                self.last_error = str(error)

    def flush(self) -> None:
        """Publish everything that is not published yet, due or not."""
        self._sparse_at = self._dense_at = None
        self._publish()

    def covered(self, step: int) -> None:
        """A snapshot of that step is there: remove the deltas that nobody needs any more.

        Those up to the snapshot before it: a follower that lags a little need not load the newest, and one that cannot
        use the newest can go on from the one before.
        """
        if self.hold is not None:
            # Who follows can use no newer snapshot.
            return
        unneeded = [each for each in self._steps if each[1] <= self._covered]
        self._covered = step
        try:
            for each in unneeded:
                self._channel.remove(self.epoch, each[0])
                self._steps.remove(each)
        except StorageError as error:
            self.last_error = str(error)

    def _is_behind(self) -> bool:
        return self._sent.sequence == 0 or self._step != min(self._sent.step, self._sent.dense_step)

    def _publish(self) -> None:
        if (hold := self.hold) is not None:
            self._say_held(hold)
            return
        now = self._timer()
        if not self._is_behind() or not _passed(self._sparse_at, now, self._config.sparse_seconds):
            return
        dense_due = self._sent.dense_step != self._step and _passed(self._dense_at, now, self._config.dense_seconds)
        if self._sent.sequence and self._sent.step == self._step and not dense_due:
            return
        try:
            self._send(now, dense_due)
        except StorageError as error:
            self.last_error = str(error)

    def _send(self, now: float, dense_due: bool) -> None:
        sent, parameters = self._sent, self._parameters
        version = parameters.table.version
        header = Header(
            epoch=self.epoch,
            sequence=sent.sequence + 1,
            config=self._digest,
            registry=parameters.registry_digest,
            base=self._base,
            since=sent.step,
            step=self._step,
            position=self._position,
            received=self._received,
            published_at=self._clock.now(),
            storage=self._config.rows,
            learned_at=self._learned_at,
        )
        dense = parameters.dense() if dense_due else None
        self._channel.publish(Delta(header, parameters.touched(sent.version), dense))
        self._announce(header.sequence)
        self.last_error = self._told = None
        self._sent = replace(sent, sequence=header.sequence, step=self._step, version=version)
        self._steps.append((header.sequence, self._step))
        self._sparse_at = now
        if dense_due:
            self._sent = replace(self._sent, dense_step=self._step)
            self._dense_at = now
        while self._former:
            self._channel.remove(*self._former[-1])
            self._former.pop()

    def _say_held(self, hold: Hold) -> None:
        """Leave what followers have as it is, of an earlier epoch or of this one, and tell them why."""
        if hold == self._told:
            return
        try:
            head = self._channel.head()
            if head is None or (head.config, head.registry) != (self._digest, self._parameters.registry_digest):
                head = Head(self.epoch, 0, self._digest, self._parameters.registry_digest, step=0, position=0, at=0)
            held_at = head.held_at if head.hold is not None else self._clock.now()
            self._channel.announce(msgspec.structs.replace(head, hold=hold, held_at=held_at))
        except StorageError as error:
            self.last_error = str(error)
        else:
            self._told = hold

    def _announce(self, sequence: int) -> None:
        parameters = self._parameters
        self._channel.announce(
            Head(
                epoch=self.epoch,
                sequence=sequence,
                config=self._digest,
                registry=parameters.registry_digest,
                step=self._step,
                position=self._position,
                at=self._received,
            )
        )


def _passed(last: float | None, now: float, seconds: float) -> bool:
    """Whether so much time has passed, or never was the time."""
    return last is None or now - last >= seconds
