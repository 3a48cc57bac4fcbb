"""The phone of the page: shows one card at a time, and tells what the person does with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from feedmill.run.console.palette import TOPIC_COLOURS, TOPIC_HUES

STATIC = Path(__file__).parent / "static"


class Phone(Element, component="static/phone.js", esm={"feedmill-console": "static"}):
    """A feed of drawn cards. The page sets the variables of `palette.css_root` and says which card comes next.

    `on_leave` is called with {item_id, request_id, watched, actions} when the person leaves a card, by a swipe, a
    wheel, a key or a button. `watched` is the share of its seconds that it was seen, 0 to 1; `actions` is all that was
    done with it and not taken back, with "skip" where less than 15 % was seen. `on_act` is called with {item_id,
    request_id, author_id, action, watched, actions} at each like, comment, save, share, follow and hide, and when a
    like or a save is taken back: `actions` is all that is done by then, `watched` the share so far. Either may be a
    coroutine function.

    The size follows the window; the CSS variables --fm-phone-width and --fm-phone-height override it.
    """

    def __init__(self, *, on_leave: Callable[[dict[str, Any]], Any], on_act: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__()
        ui.add_css(STATIC / "phone.css")
        self._props["hues"] = TOPIC_HUES
        self._props["colours"] = TOPIC_COLOURS
        self._props["serial"] = 0
        self.on("leave", _told(on_leave))
        self.on("act", _told(on_act))

    def show(self, card: Mapping[str, Any]) -> None:
        """The next card: item_id, request_id, title, author_id, topic, topics, mood, seconds (on screen), why.

        `followed` says that the person follows its creator, and may be absent. The card slides in beneath the one that
        the person left.
        """
        self._props["card"] = dict(card)
        self._props["serial"] += 1
        self.update()


def _told(handler: Callable[[dict[str, Any]], Any]) -> Callable[[GenericEventArguments], Any]:
    return lambda event: handler(event.args)
