"""The comparison in the simulated world, drawn: engagement by day, and below it regret and what became of the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, MaxNLocator

from feedmill.measure.metrics import mean_interval
from feedmill.simulation import ContestResult

INK, FAINT, PAPER = "#23282e", "#9aa1a9", "#ffffff"
COLOURS = {
    "oracle": "#23282e",
    "feedmill": "#d9480f",
    "frozen": "#f0a878",
    "item neighbours": "#1c7293",
    "als": "#6aa5b8",
    "popularity": "#7a6c9e",
    "random": "#adb5bd",
}
LABELS = {"feedmill": "Feedmill", "frozen": "Feedmill, frozen early", "als": "ALS, once a day"}
Read = Callable[[ContestResult, str], Sequence[float | None]]
"""What to draw of a policy in one world, by day."""


def measure(field: str) -> Read:
    """One field of `Measures` by day."""
    return lambda result, name: [getattr(day, field) for day in result.outcomes[name].days]


SMALL = (
    ("Regret", "behind the oracle, that day", lambda result, name: result.regret(name), "{:.0%}"),
    ("Minutes watched", "by a member in a day", measure("minutes"), "{:g}"),
    ("Members who came", "share of all who ever joined", measure("active"), "{:.0%}"),
    ("Topics on a page", "of ten items", measure("topics"), "{:g}"),
    ("Creators' audience", "Gini coefficient; 0 is even", measure("gini"), "{:g}"),
)


def draw(results: Sequence[ContestResult], path: Path, *, popularity: str) -> None:
    """Draw the worlds of all seeds into a file, whose suffix says its form; `popularity` is the decay window shown."""
    sources = {name: popularity if name == "popularity" else name for name in COLOURS}
    with mpl.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "svg.hashsalt": "world", "text.color": INK}):
        canvas = Canvas(figsize=(11, 7.4), facecolor=PAPER)
        grid = canvas.add_gridspec(
            2,
            len(SMALL),
            height_ratios=(2.1, 1),
            left=0.055,
            right=0.97,
            top=0.875,
            bottom=0.065,
            hspace=0.5,
            wspace=0.32,
        )
        top = canvas.add_subplot(grid[0, :])
        ends = lines(top, results, sources, measure("engagement"), emphasis=2.2)
        label_ends(top, ends, results[0].days)
        style(top, "{:.0%}")
        top.set_xlim(0.5, results[0].days * 1.22)
        top.set_xlabel("day", color=FAINT, x=0.41)
        canvas.text(0.055, 0.955, "What is watched of an item that is seen", fontsize=14, weight="bold")
        canvas.text(
            0.055,
            0.918,
            f"Mean share by day; each policy lives in its own copy of the same {len(results)} worlds of "
            f"{results[0].users} people. Bands: 95 % intervals over worlds",
            color="#68707a",
        )
        for place, (title, unit, read, form) in enumerate(SMALL):
            axes = canvas.add_subplot(grid[1, place])
            lines(axes, results, sources, read, emphasis=1.8)
            style(axes, form)
            axes.set_title(title, loc="left", fontsize=10, weight="bold", pad=20)
            axes.text(0, 1.06, unit, transform=axes.transAxes, color="#68707a", fontsize=8)
            axes.set_xlim(0.5, results[0].days + 0.5)
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)


def lines(
    axes: Axes,
    results: Sequence[ContestResult],
    sources: dict[str, str],
    read: Read,
    *,
    emphasis: float,
) -> dict[str, float]:
    """A line and a band for each policy; returns where the lines end. There is a gap where nothing was measured."""
    ends, lowest, highest = {}, 0.0, 0.0
    for name in reversed(COLOURS):
        # None becomes NaN.
        days = np.array([read(result, sources[name]) for result in results], dtype=np.float64)
        found = [mean_interval(column[~np.isnan(column)]) for column in days.T]
        mean: npt.NDArray[np.float64] = np.array([day.estimate for day in found])
        number = np.arange(1, len(mean) + 1)
        width = emphasis if name in ("feedmill", "oracle") else emphasis * 0.65
        dashes = (0, (4, 2)) if name == "oracle" else "solid"
        axes.plot(number, mean, color=COLOURS[name], linewidth=width, linestyle=dashes, solid_capstyle="round")
        low, high = [day.low for day in found], [day.high for day in found]
        axes.fill_between(number, low, high, color=COLOURS[name], alpha=0.13, linewidth=0)
        known = mean[~np.isnan(mean)]
        ends[name] = float(known[-1]) if len(known) else 0.0
        lowest, highest = min(lowest, *known.tolist(), 0.0), max(highest, *known.tolist(), 0.0)
    # Where few worlds make a band wide, it may leave the picture.
    axes.set_ylim(1.15 * lowest, 1.15 * highest or 1)
    return ends


def label_ends(axes: Axes, ends: dict[str, float], day: int) -> None:
    """Each policy's name beside the end of its line, moved apart where two would touch."""
    apart = 0.062 * axes.get_ylim()[1]
    names = sorted(ends, key=lambda name: ends[name])
    places = np.array([ends[name] for name in names])
    for _ in range(200):
        gaps = np.diff(places)
        close = np.flatnonzero(gaps < apart - 1e-9)
        if len(close) == 0:
            break
        for lower in close:
            push = (apart - gaps[lower]) / 2
            places[lower] -= push
            places[lower + 1] += push
    for name, place in zip(names, places, strict=True):
        weight = "bold" if name == "feedmill" else "normal"
        text = LABELS.get(name, name)
        axes.text(1.015 * day, place, text, color=COLOURS[name], va="center", weight=weight, clip_on=False)


def style(axes: Axes, form: str) -> None:
    """A quiet frame: faint lines across, nothing else."""
    axes.set_facecolor(PAPER)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.grid(axis="y", color="#e9ecef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor="#68707a", labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
