"""The look of the page: its colours and type as CSS variables, its style sheet, and its mark."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from feedmill.run.console.palette import ACCENT, CSS_VARIABLES, css_root

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="{size}" height="{size}" aria-hidden="true">'
    '<g fill="none" stroke="{ink}" stroke-width="3.2" stroke-linecap="round">'
    '<path d="M16 5v8M16 19v8M5 16h8M19 16h8"/></g>'
    '<g fill="{accent}"><circle cx="24" cy="8" r="3.2"/><circle cx="8" cy="24" r="3.2"/></g>'
    '<g fill="{ink}"><circle cx="8" cy="8" r="2.2"/><circle cx="24" cy="24" r="2.2"/></g></svg>'
)
"""A mill wheel of four arms between which things pass; two of the four glow."""

_SHEETS = Path(__file__).parent / "static" / "page"
_IN_ORDER = ("frame", "engine", "world", "narrow")
"""The last one has the last word: it lays out anew what the others did."""


def mark(size: int) -> str:
    """The mark as inline SVG, `size` pixels wide and high."""
    return MARK.format(size=size, ink=CSS_VARIABLES["--fm-text"], accent=ACCENT)


def dress() -> None:
    """Gives the page that is being built its look. Nothing is fetched from elsewhere."""
    ui.add_head_html('<meta name="theme-color" content="' + CSS_VARIABLES["--fm-background"] + '">')
    sheets = [(_SHEETS / f"{name}.css").read_text(encoding="utf-8") for name in _IN_ORDER]
    ui.add_head_html("".join(f"<style>{sheet}</style>" for sheet in (css_root(), *sheets)))
