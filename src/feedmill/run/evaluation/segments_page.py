"""The report of segments as one HTML file."""

from __future__ import annotations

import math
from html import escape

from feedmill.run.evaluation.segmenting import Segment, SegmentsReport
from feedmill.run.report.page import facts, page, section
from feedmill.run.report.plots import Mark, intervals

_COLOURS = (
    "#2f6fde", "#d9822b", "#2a9d6f", "#b8459c", "#7a5cd0", "#c0453c", "#3d9cb8", "#8a8a2a", "#e08aa0", "#a9772f",
    "#6fbf4b", "#9aa3b5",
)  # fmt: skip


def segments_page(report: SegmentsReport) -> str:
    """The whole file."""
    chosen = max(report.silhouettes, key=lambda count: report.silhouettes[count])
    marks = [
        Mark(f"{count} segments", value, strong=count == chosen) for count, value in sorted(report.silhouettes.items())
    ]
    lead = [f"{report.users:,} users in {len(report.segments)} segments, by what they took to ({report.taken})."]
    if report.left_out:
        lead.append(f"{report.left_out:,} users took to nothing, and are in none.")
    sections = [
        section(
            "The segments",
            "Labels and items are those that the segment's users took to more than others did.",
            facts((_named(one), _described(one)) for one in report.segments),
            wide=True,
        ),
        section(
            "The map",
            f"Users (dots, by segment) and items (squares) by the two main directions of taste, which hold"
            f" {sum(report.explained):.0%} of the differences between users.",
            _map(report),
            wide=True,
        ),
        section(
            "How many",
            "The mean silhouette by the number of segments: -1 to 1, the highest is chosen. Below .25 there are no"
            " clear groups.",
            intervals(marks),
            wide=True,
        ),
    ]
    return page("Segments", report.home, lead, sections)


def _named(one: Segment) -> str:
    known = "new" if math.isnan(one.kept) else f"{one.kept:.0%} were in it before"
    return f"Segment {one.id}: {one.users:,} users, {known}"


def _described(one: Segment) -> str:
    return ". ".join(filter(None, (", ".join(one.labels), "; ".join(one.items))))


def _map(report: SegmentsReport) -> str:
    xs, ys = [dot.x for dot in report.dots], [dot.y for dot in report.dots]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    place = {one.id: i for i, one in enumerate(report.segments)}
    drawn = []
    # Users come last, on top of the items.
    for dot in sorted(report.dots, key=lambda dot: dot.segment >= 0):
        x = 2 + 96 * (dot.x - left) / ((right - left) or 1)
        y = 98 - 96 * (dot.y - low) / ((high - low) or 1)
        title = f"<title>{escape(dot.name)}</title>"
        if dot.segment < 0:
            drawn.append(
                f'<rect x="{x - 0.3:.2f}" y="{y - 0.3:.2f}" width=".6" height=".6" fill="currentColor" opacity=".35">'
                f"{title}</rect>"
            )
        else:
            colour = _COLOURS[place[dot.segment] % len(_COLOURS)]
            drawn.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r=".55" fill="{colour}" opacity=".8">{title}</circle>')
    key = "".join(
        f'<span class="key" style="color:{_COLOURS[i % len(_COLOURS)]}">segment {one}</span>'
        for one, i in place.items()
    )
    return (
        f'<p class="keys">{key}</p><svg viewBox="0 0 100 100" role="img" aria-label="a map of users and items"'
        f' style="width:100%;max-width:720px">{"".join(drawn)}</svg>'
    )
