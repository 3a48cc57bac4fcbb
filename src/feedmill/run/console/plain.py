"""Plain elements of HTML, without the toolkit's own look: the page's style sheet gives them theirs."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement


def element(tag: str, classes: str = "", *, testid: str | None = None, **attributes: Any) -> ui.element:
    """An element that others can be put into. An attribute's underscores are hyphens on the page."""
    return _dressed(ui.element(tag), classes, testid, attributes)


class Words(TextElement):
    """An element that says something: setting its text to what it says already sends nothing."""

    def __init__(
        self, text: str = "", tag: str = "span", classes: str = "", *, testid: str | None = None, **attributes: Any
    ) -> None:
        super().__init__(tag=tag, text=text)
        _dressed(self, classes, testid, attributes)


def press(text: str, classes: str = "", *, testid: str | None = None, **attributes: Any) -> Words:
    """A button; what it does is said with `.on("click", ...)`. The mouse does not focus it: keys stay the phone's."""
    button = Words(text, "button", classes, testid=testid, type="button", **attributes)
    button.on("mousedown", js_handler="(event) => event.preventDefault()")
    return button


def change(target: ui.element, **attributes: str | bool) -> None:
    """Sets attributes where they differ: what is the same is not sent again."""
    for name, value in attributes.items():
        name = name.replace("_", "-")
        if target.props.get(name) != value:
            target.props[name] = value


def restyle(target: ui.element, **variables: str) -> None:
    """Sets CSS variables of an element where they differ; an underscore is a hyphen."""
    wanted = {f"--{name.replace('_', '-')}": value for name, value in variables.items()}
    if any(target.style.get(name) != value for name, value in wanted.items()):
        target.style(";".join(f"{name}:{value}" for name, value in wanted.items()))


def _dressed(target: ui.element, classes: str, testid: str | None, attributes: dict[str, Any]) -> ui.element:
    target.classes(classes)
    with target.props.suspend_updates():
        for name, value in attributes.items():
            target.props[name.rstrip("_").replace("_", "-")] = value
        if testid is not None:
            target.props["data-testid"] = testid
    return target
