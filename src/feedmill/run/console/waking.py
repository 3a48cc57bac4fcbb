"""What stands in the place of the charts until the world has begun."""

from __future__ import annotations

from feedmill.run.console.plain import Words, change, element
from feedmill.run.demo.telling import Told


class Waking:
    """Lies over the charts, and says what is there already."""

    def __init__(self) -> None:
        with element("div", "mill-waking", data_testid="waking", role="status") as self._box:
            Words("The world is waking up", "h2", "mill-waking-title")
            Words("Its people, its items and an engine that knows nothing yet.", "p", "mill-quiet")
            self._steps = {
                name: Words(said, "div", "mill-step", data_done="false")
                for name, said in (
                    ("server", "A server that answers with feeds"),
                    ("trainer", "A trainer that learns from what happens"),
                    ("people", "People who open their phones"),
                )
            }

    def show(self, told: Told) -> None:
        change(self._box, data_over="true" if told.started else "false")
        running = {process.name for process in told.processes if process.pid is not None}
        for name, step in self._steps.items():
            change(step, data_done="true" if name in running or told.started else "false")
