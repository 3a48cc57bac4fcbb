"""The frame of a report: one HTML file that needs nothing else, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from feedmill.run.console.palette import ACCENT, CSS_VARIABLES, css_root
from feedmill.stream.files import atomic_write

_SHEET = Path(__file__).with_name("report.css")
_MARK = (
    '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><g fill="none" stroke="{ink}" stroke-width="3.2"'
    ' stroke-linecap="round"><path d="M16 5v8M16 19v8M5 16h8M19 16h8"/></g><g fill="{accent}"><circle cx="24" cy="8"'
    ' r="3.2"/><circle cx="8" cy="24" r="3.2"/></g><g fill="{ink}"><circle cx="8" cy="8" r="2.2"/><circle cx="24"'
    ' cy="24" r="2.2"/></g></svg>'
)


def page(title: str, kicker: str, lead: Iterable[str], sections: Iterable[str]) -> str:
    """The whole file: a head with the sentences that matter most, then the sections."""
    mark = _MARK.format(ink=CSS_VARIABLES["--fm-text"], accent=ACCENT)
    sentences = "".join(f'<p class="lead">{escape(sentence)}</p>' for sentence in lead)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{css_root()}{_SHEET.read_text(encoding='utf-8')}</style></head><body>"
        f'<header><p class="kicker">{mark}<span>{escape(kicker)}</span></p><h1>{escape(title)}</h1>{sentences}</header>'
        f"<main>{''.join(sections)}</main></body></html>\n"
    )


def section(title: str, about: str, *parts: str, wide: bool = False) -> str:
    """A card with a title and what it shows, in a sentence."""
    said = f'<p class="about">{escape(about)}</p>' if about else ""
    head = f"<h2>{escape(title)}</h2>" if title else ""
    return f'<section class="{"wide" if wide else ""}">{head}{said}{"".join(parts)}</section>'


def tiles(values: Iterable[tuple[str, str]]) -> str:
    """Large numbers with what each is of."""
    cells = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for name, value in values)
    return f'<dl class="tiles">{cells}</dl>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, first: int = 1) -> str:
    """A table whose columns from `first` on are numbers; it scrolls by itself where it is too wide."""
    names = "".join(f'<th{_number(i, first)} scope="col">{escape(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{_number(i, first)}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for, one below the other."""
    return '<dl class="facts">' + "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in pairs) + "</dl>"


def command(text: str) -> str:
    """A command line."""
    return f"<pre><code>{escape(text)}</code></pre>"


def notes(sentences: Iterable[str]) -> str:
    """Sentences that a reader must not miss; nothing where there are none."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="notes">{items}</ul>' if items else ""


def write_page(path: Path, content: str) -> None:
    """Write the file, whole or not at all. Raises StorageError."""
    atomic_write(path, content.encode())


def _number(column: int, first: int) -> str:
    return ' class="number"' if column >= first else ""
