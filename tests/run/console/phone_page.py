"""A page with the phone and, beside it, each event that the server heard as a line of JSON. Run with a port."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

from nicegui import ui

from feedmill.run.console.palette import TOPIC_HUES, css_root
from feedmill.run.console.phone import Phone

MOODS = ("calm", "bright", "wild", "dreamy", "funny")
TOPICS = tuple(TOPIC_HUES)


def cards(seconds: float) -> Iterator[dict[str, Any]]:
    """Cards without end, by two creators in turn."""
    for i in itertools.count():
        topic = TOPICS[i % len(TOPICS)]
        yield {
            "item_id": f"item-{i}",
            "request_id": f"request-{i}",
            "title": f"{topic}, number {i}",
            "author_id": f"studio-{i % 2}",
            "topic": topic,
            "topics": [topic],
            "mood": MOODS[i % len(MOODS)],
            "seconds": seconds,
            "why": "because you watched cats",
        }


@ui.page("/")
def page(seconds: float, late: int) -> None:
    """`late`: after the first card no other comes."""
    ui.add_css(css_root() + ".nicegui-content { padding: 0 }")
    coming = cards(seconds)

    def tell(kind: str, told: dict[str, Any]) -> None:
        with lines:
            ui.label(json.dumps({"event": kind, **told})).props("data-testid=told")

    def leave(told: dict[str, Any]) -> None:
        tell("leave", told)
        if not late:
            phone.show(next(coming))

    phone = Phone(on_leave=leave, on_act=lambda told: tell("act", told))
    lines = ui.column()
    phone.show(next(coming))


if __name__ in ("__main__", "__mp_main__"):
    ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False)
