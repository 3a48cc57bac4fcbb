"""Who sits before the phone, and what happens where the server does not answer or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from feedmill.client import FeedmillConnectionError, FeedmillHTTPError
from feedmill.domain.errors import InvalidRecord, Unavailable
from feedmill.run.console.seat import Seat, Seats, Trouble
from feedmill.run.demo.telling import Belief, Card, Reaction

_Answer = TypeVar("_Answer")

CARD = Card("r", "i", "", "a", "cats", ("cats",), "", 1.0, (), "", {}, 0.5, 1, 9, None, ())
LIKED = Reaction("i", "r", 1.0, ("like",))


class Person:
    """Raises, call by call, what it was given; then it answers."""

    user_id = "someone"

    def __init__(self, *raises: Exception) -> None:
        self.raises = list(raises)
        self.called: list[str] = []

    def _call(self, name: str) -> None:
        self.called.append(name)
        if self.raises:
            raise self.raises.pop(0)

    def next(self) -> Card:
        self._call("next")
        return CARD

    def react(self, reaction: Reaction) -> None:
        self._call("react")

    def follow(self, item_id: str) -> None:
        self._call("follow")

    def beliefs(self) -> tuple[Belief, ...]:
        self._call("beliefs")
        return (Belief("cats", 0.5),)


class Heard:
    """Remembers the troubles, and goes on waiting."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []

    def __call__(self, trouble: Trouble | None) -> bool:
        if trouble is not None:
            self.troubles.append(trouble)
        return True


def done(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """In a thread of its own: where a browser is open, this one has a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work)).result()


def refused(status: int) -> FeedmillHTTPError:
    return FeedmillHTTPError(status, "no", "", (), None)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (FeedmillConnectionError("nobody"), "away"),
        (refused(503), "away"),
        (refused(500), "away"),
        (refused(429), "away"),
        (Unavailable("nothing"), "empty"),
    ],
)
def test_what_passes_is_said_and_asked_again(error: Exception, trouble: Trouble) -> None:
    person, heard = Person(error), Heard()
    assert done(Seat(person).next(None, heard)) == CARD
    assert (person.called, heard.troubles) == (["next", "next"], [trouble])


@pytest.mark.parametrize("error", [refused(422), refused(404), InvalidRecord("outcomes", "too large"), KeyError("x")])
def test_a_reaction_that_is_refused_is_told_once_and_the_next_card_comes(error: Exception) -> None:
    person, heard = Person(error), Heard()
    assert done(Seat(person).next(LIKED, heard)) == CARD
    assert (person.called, heard.troubles) == (["react", "next"], [])


def test_a_card_that_is_refused_is_said_and_not_asked_for_again() -> None:
    person, heard = Person(KeyError("items")), Heard()
    assert done(Seat(person).next(None, heard)) is None
    assert (person.called, heard.troubles) == (["next"], ["failed"])


def test_beliefs_that_are_refused_stay_what_they_were() -> None:
    person = Person()
    seat = Seat(person)
    done(seat.ask_beliefs(Heard()))
    person.raises.append(refused(400))
    done(seat.ask_beliefs(Heard()))
    assert (seat.beliefs, seat.version) == ((Belief("cats", 0.5),), 1)


def test_who_is_followed_is_known_unless_it_was_refused() -> None:
    person = Person()
    seat = Seat(person)
    done(seat.follow("i", "a", Heard()))
    person.raises.append(refused(422))
    done(seat.follow("j", "b", Heard()))
    assert (seat.followed, person.called) == ({"a"}, ["follow", "follow"])


def test_nobody_waits_for_an_answer_when_the_tab_is_gone() -> None:
    person = Person(FeedmillConnectionError("nobody"))
    assert done(Seat(person).next(None, lambda _: False)) is None
    assert person.called == ["next"]


def test_of_too_many_seats_the_one_that_was_not_used_for_longest_is_given_away() -> None:
    seats = Seats(Person)
    taken = [seats.of(str(number)) for number in range(Seats.MOST)]
    assert seats.of("0") is taken[0]
    seats.keep("1", taken[1])
    seats.of("one more")
    assert [seats.of(name) is taken[int(name)] for name in ("0", "1", "2")] == [True, True, False]
