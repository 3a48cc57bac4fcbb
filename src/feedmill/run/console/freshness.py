"""How fresh the engine is, and whether what it learns is held back."""

from __future__ import annotations

from feedmill.run.console import wording
from feedmill.run.console.plain import Words, change, element
from feedmill.run.demo.telling import Ages, Told

_HELD = "What it learns is held back, and the last good version serves: "


class Freshness:
    """Three ages, each with its name, and a sentence where there is something wrong."""

    def __init__(self) -> None:
        with element("div", "mill-fresh", testid="fresh"):
            with element("dl", "mill-fresh-ages", aria_label="How soon it knows an event"):
                self._state = _Row("known in", "age-state")
                self._trained = _Row("learned in", "age-trained")
                self._served = _Row("served in", "age-served")
            self._held = Words("", "p", "mill-because", testid="held", role="status", data_shown="false")

    def show(self, told: Told) -> None:
        self._state.show(told.ages.to_state)
        self._trained.show(told.ages.to_trained)
        self._served.show(told.ages.to_served)
        self._held.set_text(_HELD + "; ".join(told.held) if told.held else "")
        change(self._held, data_shown="true" if told.held else "false")


class _Row:
    def __init__(self, name: str, testid: str) -> None:
        with element("div", data_testid=testid):
            Words(name, "dt")
            self._value = Words(wording.NOTHING, "dd", "mill-tabular")

    def show(self, ages: Ages) -> None:
        within = f"99 of 100 within {wording.milliseconds(ages.p99)}"
        self._value.set_text(wording.milliseconds(ages.p50))
        change(self._value, title="" if ages.p99 is None else within)
