"""Going back to an earlier version: at once where nothing trains, else by asking the trainer that runs.

A trainer takes the request up between two steps, and leaves an answer with the same id.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec
import structlog

from feedmill.domain.errors import FeedmillError, HomeInUse, SnapshotError, StorageError
from feedmill.learn.training.trainer import Trainer
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.run.local.processes import read_processes
from feedmill.stream.files import atomic_write

PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.05


class RolledBack(msgspec.Struct, frozen=True):
    """What a rollback has made."""

    version: int
    """The step of the new snapshot, which has the parameters of the earlier one."""
    to: int
    position: int
    """Where the log is learned on."""


class _Request(msgspec.Struct, frozen=True):
    id: str
    to: int
    relearn: bool


class _Answer(msgspec.Struct, frozen=True):
    id: str
    done: RolledBack | None
    error: str = ""


class Requests:
    """What the trainer of a home is asked."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def pending(self) -> bool:
        """One look at whether there is a file."""
        return self._home.rollback.exists()

    def fulfil(self, trainer: Trainer) -> None:
        """Roll back as is asked, and answer. Raises what the disk does not allow; the request is still there then."""
        log = structlog.get_logger()
        try:
            asked = msgspec.json.decode(self._home.rollback.read_bytes(), type=_Request)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("a request to roll back that cannot be read is left out", reason=str(error))
        else:
            answer = _fulfilled(trainer, asked)
            log.info("rolled back" if answer.done else "not rolled back", to=asked.to, reason=answer.error)
            atomic_write(self._home.rolled_back, msgspec.json.encode(answer))
        self._home.rollback.unlink(missing_ok=True)


def roll_back(
    engine: Engine, to: int, *, relearn: bool = False, sleep: Callable[[float], None] = time.sleep
) -> RolledBack:  # fmt: skip
    """Go back to version `to` of a home, whether it is served or not.

    Raises SnapshotError where there is no such version or it is damaged, and HomeInUse where a process trains that
    takes no requests, or has not answered within a minute.
    """
    try:
        trainer = engine.trainer
    except HomeInUse:
        if not any(process.name == "trainer" for process in read_processes(engine.home.processes)):
            raise
        return _ask(engine.home, _Request(secrets.token_hex(8), to, relearn), sleep)
    return _rolled_back(trainer, to, relearn=relearn)


def _ask(home: Home, request: _Request, sleep: Callable[[float], None]) -> RolledBack:
    atomic_write(home.rollback, msgspec.json.encode(request))
    for _ in range(round(PATIENCE_SECONDS / _LOOK_SECONDS)):
        answer = _answer(home)
        if answer is not None and answer.id == request.id:
            if answer.done is None:
                raise SnapshotError(answer.error)
            return answer.done
        sleep(_LOOK_SECONDS)
    home.rollback.unlink(missing_ok=True)
    raise HomeInUse(
        f"{home.path}: its trainer has not answered for {PATIENCE_SECONDS:.0f} seconds; its log says why. Run this"
        " again, or stop `feedmill serve` first"
    )


def _answer(home: Home) -> _Answer | None:
    try:
        return msgspec.json.decode(home.rolled_back.read_bytes(), type=_Answer)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _fulfilled(trainer: Trainer, asked: _Request) -> _Answer:
    try:
        return _Answer(asked.id, _rolled_back(trainer, asked.to, relearn=asked.relearn))
    except StorageError:
        raise
    except FeedmillError as error:
        return _Answer(asked.id, None, str(error))


def _rolled_back(trainer: Trainer, to: int, *, relearn: bool) -> RolledBack:
    trainer.roll_back(to, relearn=relearn)
    return RolledBack(trainer.step, to, trainer.position)
