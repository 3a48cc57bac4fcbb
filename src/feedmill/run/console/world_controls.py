"""What a person can do to the world: four buttons and a topic."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import run, ui

from feedmill.run.console.palette import TOPIC_HUES
from feedmill.run.console.plain import Words, change, element, press, restyle
from feedmill.run.console.teller import Teller
from feedmill.run.demo.telling import Told


class WorldControls:
    """What a button did is seen on the charts; here only that it was heard."""

    def __init__(self, life: Teller) -> None:
        self._life = life
        self._topic = next(iter(TOPIC_HUES))
        self._buttons: list[ui.element] = []
        self._notes = 0
        with element("section", "mill-controls", aria_label="Do something to the world"):
            with element("header", "mill-controls-head"):
                Words("Do something to the world", "h2", "mill-title")
                with element("label", "mill-pick") as self._pick:
                    Words("about", "span", "mill-label")
                    with element("select", "mill-select", testid="shock-topic", aria_label="Topic") as select:
                        for topic in sorted(TOPIC_HUES):
                            change(Words(topic, "option", value=topic), selected=topic == self._topic)
                    select.on("change", self._choose, js_handler="(event) => emit(event.target.value)")
            with element("div", "mill-actions"):
                self._shock = self._action("Taste shock", "", "shock", self._life.shock)
                self._viral = self._action("Viral item", "", "viral", self._life.release_viral)
                self._studio = self._action("New creator", "", "studio", self._life.open_studio)
                self._kill = self._action(
                    "Kill the trainer", "and watch it come back", "kill-trainer", self._end_trainer
                )
            self._heard = Words("", "p", "mill-label mill-heard", testid="heard", role="status")
        self._name_topic()

    def _action(self, title: str, said: str, testid: str, do: Callable[[str], str | None]) -> Words:
        with press("", "mill-action", testid=testid, disabled=True) as button:
            Words(title, "span", "mill-action-title")
            words = Words(said, "span", "mill-action-said")

        async def act() -> None:
            answer = await run.io_bound(do, self._topic)
            self._heard.set_text(answer or f"{title}: it shows on the charts in a moment")

        button.on("click", act, args=[])
        self._buttons.append(button)
        return words

    def show(self, told: Told) -> None:
        """There is nothing to be done to a world that has not begun; what was done is said on the charts."""
        if len(told.notes) != self._notes:
            self._notes = len(told.notes)
            self._heard.set_text("")
        for button in self._buttons:
            change(button, disabled=not told.started)

    def _end_trainer(self, _: str) -> str | None:
        return None if self._life.kill_trainer() else "The trainer is not running: it is already on its way back"

    def _choose(self, event: object) -> None:
        topic = getattr(event, "args", None)
        if topic in TOPIC_HUES:
            self._topic = str(topic)
            self._name_topic()

    def _name_topic(self) -> None:
        restyle(self._pick, hue=f"var(--fm-topic-{self._topic})")
        self._shock.set_text(f"everyone now wants {self._topic}")
        self._viral.set_text(f"one about {self._topic} that all love")
        self._studio.set_text(f"a gifted one, all about {self._topic}")
