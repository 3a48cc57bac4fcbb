"""The page of the demonstration: the phone, the inside of the engine, and the world with its charts and buttons."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nicegui import background_tasks, ui

from feedmill.run.console import theme, wording
from feedmill.run.console.charts import Charts
from feedmill.run.console.drawer import Drawer
from feedmill.run.console.phone import Phone
from feedmill.run.console.plain import Words, change, element, press
from feedmill.run.console.seat import Seat, Seats, Trouble
from feedmill.run.console.teller import Teller, Viewer
from feedmill.run.console.trainer_watch import TrainerWatch
from feedmill.run.console.visitor import recognise_visitors, visitor
from feedmill.run.console.world_controls import WorldControls
from feedmill.run.demo.telling import Card, Reaction, Told

REFRESH = 0.5
"""Seconds between looks at the world."""

PLAYED_IN = 5.0
"""A card plays in its duration over this: a minute of the world is long before a small screen."""

_AWAY = "The server is starting again. The next card comes as soon as it answers."
_ASLEEP = "The feed opens as soon as the server answers."
_EMPTY = "There is nothing to show yet. The first card comes as soon as there is."
_FAILED = "The next card could not be had. Load the page again to go on."
_TABS = (
    ("feed", "Feed", "M7 3h10a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM10 17.5h4"),
    ("engine", "Engine", "M4 6h16M4 12h10M4 18h6"),
    ("world", "World", "M3 20h18M4 15l5-5 4 3 7-8"),
)
"""Name, label, and the path of an icon of 24 pixels."""


def build(life: Teller, make_person: Callable[[], Viewer]) -> None:
    """Registers the page at "/". A browser's tabs share one person, made at its first visit."""
    seats = Seats(make_person)
    recognise_visitors()

    @ui.page("/", title="Feedmill learns", favicon=theme.mark(32), dark=True, language="en-US")
    def page() -> None:
        _Page(life, seats, visitor())


class _Page:
    """One tab."""

    def __init__(self, life: Teller, seats: Seats, visitor: str) -> None:
        self._life = life
        self._seats = seats
        self._visitor = visitor
        self._seat: Seat | None = None
        """None until the browser connects: who only fetches the page takes nobody's seat."""
        self._unsaid: Reaction | None = None
        """What was done with the card in the hand."""
        self._client = ui.context.client
        self._watch = TrainerWatch()
        self._beliefs_shown = 0
        theme.dress()
        with element("main", "mill-page", data_tab="feed") as self._root:
            with element("header", "mill-head"):
                with element("div", "mill-brand"):
                    ui.html(theme.mark(24), sanitize=False, tag="span").classes("mill-mark")
                    Words("Feedmill", "h1", "mill-name")
                with element("div", "mill-state", testid="trainer-state", data_state="waking") as self._state:
                    element("i", "mill-dot")
                    with element("div"):
                        # A number that runs is not read out each time: it stands beside what is.
                        self._state_said = Words("The trainer is starting", role="status")
                        self._state_number = Words()
                self._facts = _Facts()
            with element("section", "mill-phone-side", aria_label="Feed"):
                self._trouble = Words("", "p", "mill-trouble", testid="feed-state", role="status", data_shown="false")
                self._phone = Phone(on_leave=self._left, on_act=self._acted)
            self._drawer = Drawer()
            with element("div", "mill-world"):
                self._charts = Charts()
                self._controls = WorldControls(life)
            self._bar()
        ui.timer(REFRESH, self._look)
        ui.timer(0, self._sit, once=True)
        self._client.on_delete(self._gone)

    def _bar(self) -> None:
        with element("nav", "mill-tabs", aria_label="Parts of the page"):
            buttons = {}
            for tab, said, icon in _TABS:
                pressed = "true" if tab == "feed" else "false"
                with press("", "mill-tab", testid=f"tab-{tab}", aria_pressed=pressed) as buttons[tab]:
                    with element("svg", width="22", height="22", viewBox="0 0 24 24", aria_hidden="true"):
                        element("path", d=icon)
                    Words(said)

        def turn_to(chosen: str) -> None:
            change(self._root, data_tab=chosen)
            for tab, button in buttons.items():
                change(button, aria_pressed="true" if tab == chosen else "false")

        for tab, button in buttons.items():
            button.on("click", lambda tab=tab: turn_to(tab), args=[])

    def _look(self) -> None:
        told = self._life.told()
        state = self._watch.see(told, time.monotonic())
        change(self._state, data_state=state.state)
        self._state_said.set_text(state.sentence)
        self._state_number.set_text(state.number)
        self._facts.show(told)
        self._drawer.show(told)
        self._charts.show(told)
        self._controls.show(told)
        if self._seat is not None and self._beliefs_shown != self._seat.version:
            self._show_beliefs(self._seat)

    async def _sit(self) -> None:
        self._seat = self._seats.of(self._visitor)
        await self._advance(self._seat, None)

    def _left(self, said: dict[str, Any]) -> None:
        self._unsaid = None
        if self._seat is not None:
            self._seats.keep(self._visitor, self._seat)
            background_tasks.create(self._advance(self._seat, _reaction(said)), name="next card")

    def _acted(self, said: dict[str, Any]) -> None:
        """A follow is told at once; all else when the card is left, since it may be taken back."""
        self._unsaid = _reaction(said)
        if self._seat is not None and said["action"] == "follow":
            following = self._seat.follow(self._unsaid.item_id, str(said["author_id"]), self._say_trouble)
            background_tasks.create(following, name="follow")

    async def _gone(self) -> None:
        """The tab was closed: what was done with the card in the hand was done."""
        if self._seat is not None and self._unsaid is not None:
            await self._seat.react(self._unsaid, self._say_trouble)

    async def _advance(self, seat: Seat, reaction: Reaction | None) -> None:
        """The next card, and then what the reaction has changed."""
        card = await seat.next(reaction, self._say_trouble)
        if card is None or self._client.is_deleted:
            return
        with self._root:
            self._phone.show(shown(card, card.author_id in seat.followed))
            self._drawer.show_card(card)
        await seat.ask_beliefs(self._say_trouble)
        if not self._client.is_deleted:
            with self._root:
                self._show_beliefs(seat)

    def _show_beliefs(self, seat: Seat) -> None:
        self._beliefs_shown = seat.version
        self._drawer.show_beliefs(seat.beliefs)

    def _say_trouble(self, trouble: Trouble | None) -> bool:
        """Whether anyone is still there to wait for an answer."""
        if self._client.is_deleted:
            return False
        if trouble is not None:
            away = _AWAY if self._life.told().started else _ASLEEP
            self._trouble.set_text({"away": away, "empty": _EMPTY, "failed": _FAILED}[trouble])
        change(self._trouble, data_shown="false" if trouble is None else "true")
        return True


class _Facts:
    """A line of numbers; their names are small beside them."""

    def __init__(self) -> None:
        with element("dl", "mill-facts", testid="facts"):
            self._values = {name: self._fact(name) for name in ("time", "people", "items", "events", "feeds", "step")}

    def _fact(self, name: str) -> Words:
        with element("div", "mill-fact", data_fact=name):
            Words("world" if name == "time" else name, "dt")
            return Words(wording.NOTHING, "dd", "mill-tabular")

    def show(self, told: Told) -> None:
        if not told.started:
            return
        counts = {
            "people": told.users,
            "items": told.items,
            "events": told.events,
            "feeds": told.feeds,
            "step": told.parameters_step,
        }
        self._values["time"].set_text(wording.clock(told))
        for name, number in counts.items():
            self._values[name].set_text(wording.count(number))


def _reaction(said: dict[str, Any]) -> Reaction:
    """What the phone says of a card."""
    return Reaction(
        item_id=str(said["item_id"]),
        request_id=str(said["request_id"]),
        watched=min(1.0, max(0.0, float(said["watched"]))),
        actions=tuple(said["actions"]),
    )


def shown(card: Card, followed: bool) -> dict[str, Any]:
    """A card as the phone takes it; `followed` says whether the person follows its creator."""
    return {
        "item_id": card.item_id,
        "request_id": card.request_id,
        "title": card.title,
        "author_id": card.author_id,
        "topic": card.topic,
        "topics": list(dict.fromkeys(card.topics)),
        "mood": card.mood,
        "seconds": card.duration / PLAYED_IN,
        "why": card.why,
        "followed": followed,
    }
