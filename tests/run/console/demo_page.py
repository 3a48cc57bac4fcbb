"""A process with the whole page over a world made by hand. Run with a port.

`/did` says what reached the world, `/be` changes what it tells, `/anew` begins again for the next test.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from nicegui import app, ui

from feedmill.client import FeedmillConnectionError, FeedmillHTTPError
from feedmill.domain.errors import Unavailable
from feedmill.run.console.page import build
from feedmill.run.console.palette import TOPIC_HUES
from feedmill.run.demo.telling import Ages, Belief, Card, EventAges, Moment, ProcessTold, Reaction, Told

HOUR = 3_600_000
MIDNIGHT = 20_000 * 24 * HOUR
TOPICS = tuple(TOPIC_HUES)


def moment(hour: int, lag: int) -> Moment:
    return Moment(
        now=MIDNIGHT + hour * HOUR,
        engagement={"random": 0.2, "popularity": 0.4, "feedmill": 0.5, "oracle": 0.6},
        event_to_feed_ms=Ages(24.4, 81.0),
        event_to_model_ms=Ages(180.0, 1250.0),
        auc=0.7312,
        sources={"two_tower": 0.75, "fresh": 0.25},
        trainer_lag=lag,
    )


class World:
    """Tells what `state` says; every button is a line of `did` and a note."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.did: list[Any] = []
        self.state: dict[str, Any] = {"started": True, "pid": 7, "restarts": 0, "step": 40, "serves": True}
        self.state |= {"refuses": [], "has_items": True, "lag": 20, "varied": False, "held": []}
        self.notes: list[tuple[int, str]] = []
        self.visitors = 0

    def told(self) -> Told:
        started = self.state["started"]
        return Told(
            seed=0,
            started=started,
            now=MIDNIGHT + 34 * HOUR,
            day=1.0,  # It began at ten in the morning.
            users=600,
            items=1234,
            events=182331,
            feeds=4000,
            moments=tuple(moment(hour, self.state["lag"]) for hour in range(10, 35)) if started else (),
            processes=(
                ProcessTold("server", 6, 0),
                ProcessTold("trainer", self.state["pid"], self.state["restarts"]),
            ),
            parameters_step=self.state["step"],
            learned=started,
            notes=tuple(self.notes),
            ages=EventAges(Ages(2.4, 9.0), Ages(71.0, 140.0), Ages(190.0, 1300.0)) if started else EventAges(),
            held=tuple(self.state["held"]),
        )

    def _do(self, what: str, topic: str) -> None:
        self.did.append([what, topic])
        self.notes.append((MIDNIGHT + 30 * HOUR, f"{what} of {topic}"))

    def shock(self, topic: str) -> None:
        self._do("shock", topic)

    def release_viral(self, topic: str) -> None:
        self._do("viral", topic)

    def open_studio(self, topic: str) -> None:
        self._do("studio", topic)

    def kill_trainer(self) -> bool:
        self.did.append(["kill"])
        return self.state["pid"] is not None


class Visitor:
    """Is shown each topic in turn, from the first; what was watched to its end is believed to be liked."""

    def __init__(self, world: World, number: int) -> None:
        self.user_id = f"visitor-{number}"
        self._world = world
        # What a tab of an earlier test says when it goes is not heard in the next.
        self._did = world.did
        self._shown = 0
        self._liked: dict[str, float] = dict.fromkeys(TOPICS, 0.25)

    def _serve(self, what: str) -> None:
        if not self._world.state["serves"]:
            raise FeedmillConnectionError("the server is starting")
        if what in self._world.state["refuses"]:
            raise FeedmillHTTPError(422, "Unprocessable", "it cannot be", (), None)

    def next(self) -> Card:
        self._serve("next")
        if not self._world.state["has_items"]:
            raise Unavailable("there is nothing to show yet")
        topic = TOPICS[self._shown % len(TOPICS)]
        self._shown += 1
        return Card(
            request_id=f"{self.user_id}-{self._shown}",
            item_id=f"item-{self._shown}",
            title=f"All about {topic}",
            author_id="studio-1",
            topic=topic,
            topics=(topic,),
            mood="calm",
            duration=0.25,
            varied=self._world.state["varied"],
            sources=("two_tower", "my_own"),
            why=f"because you watched {topic}",
            predictions={"watched": 0.62, "like": 0.08},
            score=0.684,
            rank=2,
            considered=1412,
            explored=0.125 if topic == TOPICS[1] else None,
            ahead_of=(("The next best", 0.671),),
        )

    def react(self, reaction: Reaction) -> None:
        self._serve("react")
        self._did.append([self.user_id, reaction.item_id, reaction.request_id, list(reaction.actions)])
        self._liked[TOPICS[(self._shown - 1) % len(TOPICS)]] += 0.5 if "like" in reaction.actions else -0.1

    def follow(self, item_id: str) -> None:
        self._serve("follow")
        self._did.append([self.user_id, "follow", item_id])

    def beliefs(self) -> tuple[Belief, ...]:
        best_first = sorted(self._liked.items(), key=lambda one: -one[1])
        return tuple(Belief(topic, watched) for topic, watched in best_first)


world = World()


def make_visitor() -> Visitor:
    world.visitors += 1
    return Visitor(world, world.visitors)


@app.get("/did")
def did() -> list[Any]:
    return world.did


@app.get("/anew")
def anew() -> None:
    world.begin()


@app.get("/be")
def be(state: str) -> dict[str, Any]:
    world.state.update(msgspec.json.decode(state))
    return world.state


if __name__ in ("__main__", "__mp_main__"):
    build(world, make_visitor)
    ui.run(
        port=int(sys.argv[1]), host="127.0.0.1", show=False, reload=False, show_welcome_message=False, tailwind=False
    )
