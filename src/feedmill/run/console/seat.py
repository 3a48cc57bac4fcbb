"""The chair before the phone: who sits there, over all tabs of a browser, and how a tab asks for its cards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import structlog
from nicegui import run

from feedmill.client import FeedmillHTTPError
from feedmill.domain.errors import Unavailable
from feedmill.run.console.teller import Viewer
from feedmill.run.demo.telling import Belief, Card, Reaction

_Answer = TypeVar("_Answer")

Trouble = Literal["away", "empty", "failed"]
"""Why there is no card: no server answers; it has nothing to show yet; or it has refused and is not asked again."""

Heard = Callable[[Trouble | None], bool]
"""Hears what the trouble is, None where it is over, and says whether to go on trying."""

_WAITS = (0.3, 0.6, 1.2, 2.0)
"""Seconds between attempts; the last one is repeated."""

_SERVER_ERROR = 500
_TOO_MANY = 429


class Seat:
    """One person and what the engine last believed of them. All tabs of a browser share it."""

    def __init__(self, person: Viewer) -> None:
        self._person = person
        self._turn = asyncio.Lock()
        self.beliefs: tuple[Belief, ...] = ()
        self.version = 0
        """Goes up with each new answer about beliefs."""
        self.followed: set[str] = set()
        """Ids of the creators that the person follows."""

    async def next(self, reaction: Reaction | None, trouble: Heard) -> Card | None:
        """What the feed shows after a reaction, which it then knows; a reaction that it refuses is dropped.

        Tries until the server answers. None where nobody waits for it any more, or where the server refuses: `trouble`
        has heard of it then.
        """
        async with self._turn:
            if reaction is not None:
                await self._told(lambda: self._person.react(reaction), trouble)
            try:
                return await _persist(lambda: run.io_bound(self._person.next), trouble)
            except Exception as error:
                _log("the next card was refused", error)
                trouble("failed")
                return None

    async def react(self, reaction: Reaction, trouble: Heard) -> None:
        """Tells what was done with a card that no other follows."""
        async with self._turn:
            await self._told(lambda: self._person.react(reaction), trouble)

    async def follow(self, item_id: str, author_id: str, trouble: Heard) -> None:
        """Follows the creator of an item, at once."""
        self.followed.add(author_id)
        async with self._turn:
            if not await self._told(lambda: self._person.follow(item_id), trouble):
                self.followed.discard(author_id)

    async def ask_beliefs(self, trouble: Heard) -> None:
        """Renews `beliefs`; they stay what they were where the server refuses."""
        async with self._turn:
            try:
                beliefs = await _persist(lambda: run.io_bound(self._person.beliefs), trouble)
            except Exception as error:
                _log("beliefs were refused", error)
                return
        if beliefs is not None:
            self.beliefs = beliefs
            self.version += 1

    async def _told(self, tell: Callable[[], None], trouble: Heard) -> bool:
        """Whether the server knows now."""

        def told() -> bool:
            tell()
            return True

        try:
            return await _persist(lambda: run.io_bound(told), trouble) is True
        except Exception as error:
            # What it refuses once it refuses for ever: the feed goes on without it.
            _log("a reaction was refused and is dropped", error)
            return False


class Seats:
    """The seats of the last visitors, by the name of their browser."""

    MOST = 200

    def __init__(self, make_person: Callable[[], Viewer]) -> None:
        self._make_person = make_person
        self._seats: dict[str, Seat] = {}

    def of(self, visitor: str) -> Seat:
        """The seat of a visitor, a new one where they are not known."""
        seat = self._seats.get(visitor) or Seat(self._make_person())
        self.keep(visitor, seat)
        return seat

    def keep(self, visitor: str, seat: Seat) -> None:
        """Remembers that a seat was used just now. Of too many, the one that was not used for longest goes."""
        self._seats.pop(visitor, None)
        self._seats[visitor] = seat
        if len(self._seats) > self.MOST:
            del self._seats[next(iter(self._seats))]


async def _persist(ask: Callable[[], Awaitable[_Answer]], trouble: Heard) -> _Answer | None:
    """Asks until there is an answer, or nobody waits for it. Raises what asking again does not change."""
    attempt = 0
    while True:
        try:
            answer = await ask()
        except Exception as error:
            why = _passing(error)
            if why is None:
                raise
            # A server that starts again answers in a moment: the card in the hand stays until then.
            if not trouble(why):
                return None
            await asyncio.sleep(_WAITS[min(attempt, len(_WAITS) - 1)])
            attempt += 1
        else:
            trouble(None)
            return answer


def _passing(error: Exception) -> Trouble | None:
    """The trouble that an error speaks of; None where it does not pass."""
    if isinstance(error, Unavailable):
        return "empty"
    if isinstance(error, FeedmillHTTPError):
        return "away" if error.status >= _SERVER_ERROR or error.status == _TOO_MANY else None
    return "away" if isinstance(error, ConnectionError) else None


def _log(what: str, error: Exception) -> None:
    structlog.get_logger().error(what, reason=str(error), exc_info=error)
