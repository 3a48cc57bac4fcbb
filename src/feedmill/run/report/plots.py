"""Plots of a report: marks placed by percent in the page itself, so that text stays text at every width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Mark:
    """An estimate with its interval; NaN bounds draw none."""

    label: str
    estimate: float
    low: float = math.nan
    high: float = math.nan
    strong: bool = False


def intervals(marks: Sequence[Mark], *, digits: int = 3, zero: bool = True, label: str = "") -> str:
    """A row a mark: a dot at the estimate on a bar from low to high, all on one axis; `zero` begins the axis at 0."""
    shown = [v for mark in marks for v in (mark.estimate, mark.low, mark.high) if not math.isnan(v)]
    if not shown:
        return '<p class="about">Nothing to show.</p>'
    low, high, ticks = axis(min(0.0, *shown) if zero else min(shown), max(shown))
    rows = []
    for mark in marks:
        kind = " strong" if mark.strong else ""
        spoken = f"{mark.label}: {mark.estimate:.{digits}f}"
        bar = ""
        if not (math.isnan(mark.low) or math.isnan(mark.high)):
            start, end = _percent(mark.low, low, high), _percent(mark.high, low, high)
            bar = f'<i class="bar" style="left:{start:.2f}%;width:{max(end - start, 0.3):.2f}%"></i>'
            spoken += f", {mark.low:.{digits}f} to {mark.high:.{digits}f}"
        dot = (
            ""
            if math.isnan(mark.estimate)
            else f'<i class="dot" style="left:{_percent(mark.estimate, low, high):.2f}%"></i>'
        )
        value = "–" if math.isnan(mark.estimate) else f"{mark.estimate:,.{digits}f}"
        rows.append(
            f'<div class="row{kind}" role="img" aria-label="{escape(spoken)}">'
            f'<span class="name">{escape(mark.label)}</span>'
            f'<span class="track">{_lines(ticks, low, high)}{bar}{dot}</span><span class="value">{value}</span></div>'
        )
    return f'<div class="plot">{"".join(rows)}{_scale(ticks, low, high, digits, label)}</div>'


def shares(rows: Sequence[tuple[str, Sequence[float]]], parts: Sequence[str]) -> str:
    """A row of stacked shares for each name, which add up to 1, with a key."""
    key = "".join(f'<span class="key part{i}">{escape(part)}</span>' for i, part in enumerate(parts))
    drawn = []
    for name, values in rows:
        spoken = f"{name}: " + ", ".join(f"{part} {v:.0%}" for part, v in zip(parts, values, strict=True))
        cells = "".join(
            f'<i class="part{i}" style="width:{100 * v:.2f}%">{f"{v:.0%}" if v >= 0.1 else ""}</i>'
            for i, v in enumerate(values)
            if v > 0
        )
        drawn.append(
            f'<div class="row" role="img" aria-label="{escape(spoken)}"><span class="name">{escape(name)}</span>'
            f'<span class="stack">{cells}</span></div>'
        )
    return f'<p class="keys">{key}</p><div class="plot stacks">{"".join(drawn)}</div>'


def columns(
    values: Sequence[float], labels: Sequence[str], *, spoken: str, marked: frozenset[int] = frozenset()
) -> str:
    """Columns from 0, side by side, with the first, middle and last label below; `marked` are drawn in the accent."""
    most = max(values, default=0) or 1
    bars = "".join(
        f'<i class="{"marked" if i in marked else ""}"'
        f' style="height:{max(100 * value / most, 0.6 if value else 0):.2f}%"'
        f' title="{escape(f"{label}: {value:,.6g}")}"></i>'
        for i, (value, label) in enumerate(zip(values, labels, strict=True))
    )
    middle = labels[len(labels) // 2] if len(labels) > 2 else ""
    below = "".join(f"<span>{escape(text)}</span>" for text in (labels[0], middle, labels[-1])) if labels else ""
    return (
        f'<div class="columns" role="img" aria-label="{escape(spoken)}"><b>{most:,.4g}</b>'
        f'<div class="bars">{bars}</div><p class="below">{below}</p></div>'
    )


def curve(points: Sequence[tuple[float, float]], *, spoken: str, x_label: str, y_label: str) -> str:
    """A line through points whose coordinates go from 0 to 1, beside the diagonal."""
    path = " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in points)
    return (
        f'<div class="curve" role="img" aria-label="{escape(spoken)}"><b>{escape(y_label)}</b>'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="M0 100L100 0" class="even"/>'
        f'<polygon points="0,100 {path} 100,100" class="area"/><polyline points="{path}" class="line"/></svg>'
        f'<p class="below"><span>0 %</span><span>{escape(x_label)}</span><span>100 %</span></p></div>'
    )


def curves(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """Lines of several names over the same square, as predictions over what was observed, beside the diagonal."""
    shown = [value for _, points in lines for point in points for value in point]
    _, high, _ = axis(0.0, max(shown, default=1.0))
    key = "".join(f'<span class="key line{i}">{escape(name)}</span>' for i, (name, _) in enumerate(lines))
    drawn = "".join(
        '<polyline points="'
        + " ".join(f"{100 * x / high:.2f},{100 - 100 * y / high:.2f}" for x, y in points)
        + f'" class="line{i}"/>'
        for i, (_, points) in reversed(list(enumerate(lines)))
    )
    spoken = "predicted against observed, of " + ", ".join(name for name, _ in lines)
    return (
        f'<p class="keys">{key}</p><div class="curve" role="img" aria-label="{escape(spoken)}">'
        f"<b>observed, to {high:g}</b>"
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path d="M0 100L100 0" class="even"/>'
        f'{drawn}</svg><p class="below"><span>0</span><span>predicted</span><span>{high:g}</span></p></div>'
    )


def axis(low: float, high: float) -> tuple[float, float, list[float]]:
    """Bounds of an axis and its ticks, round numbers.

    >>> axis(0.0, 0.088)
    (0.0, 0.1, [0.0, 0.05, 0.1])
    """
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(step * i, 12) for i in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _percent(value: float, low: float, high: float) -> float:
    return 100 * (value - low) / (high - low)


def _lines(ticks: Sequence[float], low: float, high: float) -> str:
    return "".join(f'<i class="grid" style="left:{_percent(tick, low, high):.2f}%"></i>' for tick in ticks)


def _scale(ticks: Sequence[float], low: float, high: float, digits: int, label: str) -> str:
    marks = "".join(f'<b style="left:{_percent(t, low, high):.2f}%">{_short(t, digits)}</b>' for t in ticks)
    return (
        '<div class="row scale" aria-hidden="true"><span class="name"></span>'
        f'<span class="track">{marks}</span><span class="value">{escape(label)}</span></div>'
    )


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
