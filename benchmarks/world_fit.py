"""How much the simulated world looks like KuaiRand's log of a short-video app: its marginals beside the log's.

The world lives under an ordinary feed; what is seen after two days is compared with six days of KuaiRand, thinned where
KuaiRand is an excerpt. How fast a larger world is comes with it. Writes the picture of it unless --quick was given.

    python benchmarks/world_fit.py [--data FOLDER] [--plot FILE] [--json] [--quick]
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from feedmill.domain.clock import DAY
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.impression_log import ACTIONS, read_kuairand
from feedmill.simulation.marginals import LONGEST_SESSION, MOST_DAYS, Marginals, distances, gini, marginals
from feedmill.simulation.ordinary_feed import live
from report import Figure, arguments, progress, report

ROOT = Path(__file__).parent.parent
WARM_UP, MEASURED = 2, 6
"""Days."""
CROWD = 10_000
"""Users of the world whose speed is measured."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

INK, FAINT, REAL, SIMULATED = "#22252b", "#c9ccd3", "#7c828d", "#d9480f"


def main() -> None:
    parser = arguments((__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("FEEDMILL_DATA", "../shared/data")) / "kuairand"
    )
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "images" / "world-fit.svg")
    options = parser.parse_args()
    if options.quick:
        options.users = 300
    generator = np.random.default_rng(options.seed)
    real = marginals(read_kuairand(options.data), generator, draws=1)
    progress(f"KuaiRand: {real.impressions:,} impressions")

    world = World(WorldConfig(users=options.users, days=WARM_UP + MEASURED), generator)
    started = time.perf_counter()
    log = live(world, WARM_UP, generator)
    seconds = time.perf_counter() - started
    ours = marginals(log, generator, real.per_user, real.per_item)
    progress(f"the world: {ours.impressions:,} impressions of {options.users:,} users in {seconds:.0f} s")

    figures = {name: Figure(value, unit, peers={"kuairand": peer}) for name, unit, value, peer in rows(ours, real)}
    for name, figure in figures.items():
        progress(f"{name:22} {figure.value:10.4f} {figure.peers['kuairand']:10.4f}  {figure.unit}")
    figures["speed"] = Figure(speed(options.seed), "simulated s per CPU s")
    progress(f"speed: {figures['speed'].value:,.0f} times real time with {CROWD:,} users, on one core")
    if not options.quick:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        draw(ours, real, options.plot)
    report(
        figures,
        options=options,
        libraries=("numpy", "polars"),
        distances=asdict(distances(ours, real)),
        users=options.users,
        impressions={"world": ours.impressions, "kuairand": real.impressions},
    )


def speed(seed: int) -> float:
    """How many seconds of a large world pass in a second of one core's time, on its second day, under random pages."""
    generator = np.random.default_rng(seed)
    world = World(WorldConfig(users=CROWD, days=2), generator)
    started = 0.0
    for number in range(world.config.steps):
        if number == world.config.steps // 2:
            started = time.process_time()
        users = world.step().arrivals
        while len(users):
            pages = generator.choice(world.live_items, size=(len(users), world.config.page))
            users = users[world.respond(users, pages).goes_on]
    return DAY / 1000 / (time.process_time() - started)


def rows(ours: Marginals, real: Marginals) -> list[tuple[str, str, float, float]]:
    """Name, unit, the world's number and KuaiRand's."""
    measures: list[tuple[str, str, Callable[[Marginals], float]]] = [
        ("watched.mean", "share", lambda one: float(one.watched.mean())),
        ("watched.nothing", "share", lambda one: float((one.watched == 0).mean())),
        ("watched.all", "share", lambda one: float((one.watched == 1).mean())),
        *((f"watched.q{q:.0%}"[:-1], "share", lambda one, q=q: float(np.quantile(one.watched, q))) for q in QUANTILES),
        *((f"rate.{name}", "per impression", lambda one, name=name: one.rates[name]) for name in ACTIONS),
        ("duration.median", "s", lambda one: float(np.median(one.durations))),
        ("users.per_user", "impressions", lambda one: one.per_user),
        ("users.gini", "", lambda one: gini(one.user_curve)),
        ("users.top_10", "share", lambda one: 1 - float(one.user_curve[90])),
        ("items.per_item", "impressions", lambda one: one.per_item),
        ("items.gini", "", lambda one: gini(one.item_curve)),
        ("items.top_1", "share", lambda one: 1 - float(one.item_curve[99])),
        ("items.top_10", "share", lambda one: 1 - float(one.item_curve[90])),
        ("sessions.mean", "impressions", lambda one: one.session_mean),
        ("sessions.single", "share", lambda one: float(one.sessions[0])),
        ("days.mean", "days", lambda one: float(one.days @ np.arange(1, MOST_DAYS + 1))),
    ]
    return [(name, unit, measure(ours), measure(real)) for name, unit, measure in measures]


def draw(ours: Marginals, real: Marginals, path: Path) -> None:
    """Eight small pictures, each with the world's line over KuaiRand's."""
    style = {
        "font.size": 9, "text.color": INK, "axes.edgecolor": FAINT, "axes.labelcolor": REAL, "axes.linewidth": 0.8,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.titlepad": 18, "xtick.color": FAINT, "ytick.color": FAINT,
        "xtick.labelcolor": REAL, "ytick.labelcolor": REAL, "xtick.minor.visible": False, "svg.hashsalt": "feedmill",
        "figure.facecolor": "white", "lines.solid_capstyle": "round",
    }  # fmt: skip
    with mpl.rc_context(style):
        picture = Picture(figsize=(13, 6.6), layout="constrained")
        picture.get_layout_engine().set(w_pad=0.12, h_pad=0.14, rect=(0, 0, 1, 0.93))
        axes = picture.subplots(2, 4)
        picture.text(0.012, 0.945, "The world", color=SIMULATED, fontsize=15, fontweight="bold")
        picture.text(0.107, 0.945, "beside", color=INK, fontsize=15)
        picture.text(0.168, 0.945, "KuaiRand", color=REAL, fontsize=15, fontweight="bold")
        panels = (watched, actions, durations, hours, users_tail, items_tail, sessions, days)
        for axis, panel in zip(axes.flat, panels, strict=True):
            panel(axis, ours, real)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        picture.savefig(path, metadata=metadata, dpi=150)


def heading(axis: Axes, title: str, below: str) -> None:
    axis.set_title(title)
    axis.text(0, 1.035, below, transform=axis.transAxes, color=REAL, fontsize=8.5, in_layout=False)
    axis.tick_params(length=0)


def both(axis: Axes, x: npt.ArrayLike, ours: npt.ArrayLike, real: npt.ArrayLike, marker: str = "") -> None:
    axis.plot(x, real, color=REAL, linewidth=2.2, marker=marker, markersize=5)
    axis.plot(x, ours, color=SIMULATED, linewidth=1.6, marker=marker, markersize=4)


def distribution(values: npt.NDArray[np.float32], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values.searchsorted(at, "right") / len(values)


def percent(axis: Axes, which: str = "y") -> None:
    chosen = axis.yaxis if which == "y" else axis.xaxis
    chosen.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))


def watched(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Watched share", "impressions watched to at most so much")
    at = np.linspace(0, 1, 501)
    both(axis, at, distribution(ours.watched, at), distribution(real.watched, at))
    axis.set_ylim(0, 1)
    percent(axis)
    percent(axis, "x")


def actions(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Actions", "per impression")
    names = sorted(ACTIONS, key=lambda name: real.rates[name])
    for place, name in enumerate(names):
        axis.plot([ours.rates[name], real.rates[name]], [place, place], color=FAINT, linewidth=1.2, zorder=1)
    axis.scatter([real.rates[name] for name in names], range(len(names)), s=46, color=REAL, zorder=2)
    axis.scatter([ours.rates[name] for name in names], range(len(names)), s=26, color=SIMULATED, zorder=3)
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xlim(2e-4, 1)
    axis.set_xticks([1e-3, 1e-2, 1e-1, 1], ["0.1%", "1%", "10%", "100%"])
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axis.spines["left"].set_visible(False)


def durations(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Length of what is shown", "impressions of at most so many seconds")
    at = np.geomspace(3, 600, 400)
    both(axis, at, distribution(ours.durations, at), distribution(real.durations, at))
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xticks([5, 15, 60, 300], ["5", "15", "60", "300"])
    axis.set_ylim(0, 1)
    percent(axis)


def hours(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Hour of the day", "impressions, 1 is the average hour")
    both(axis, np.arange(24), ours.hours, real.hours)
    axis.set_xticks([0, 6, 12, 18, 23])
    axis.set_ylim(0)


def tail(axis: Axes, ours: npt.NDArray[np.float64], real: npt.NDArray[np.float64]) -> None:
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    both(axis, np.linspace(0, 1, len(ours)), ours, real)
    axis.text(0.04, 0.9, f"Gini {gini(ours):.2f}", color=SIMULATED, fontweight="bold")
    axis.text(0.04, 0.8, f"Gini {gini(real):.2f}", color=REAL, fontweight="bold")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    percent(axis)
    percent(axis, "x")


def users_tail(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Long tail of users", "impressions that the least active have")
    tail(axis, ours.user_curve, real.user_curve)


def items_tail(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Long tail of items", "impressions that the least shown have")
    tail(axis, ours.item_curve, real.item_curve)


def sessions(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Sessions", "by impressions left in the excerpt")
    at = np.arange(1, LONGEST_SESSION + 1)
    both(axis, at, np.where(ours.sessions > 0, ours.sessions, np.nan), real.sessions, "o")
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.set_ylim(3e-5, 1.2)
    axis.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.01%", "0.1%", "1%", "10%", "100%"])
    axis.set_xticks(at, [*map(str, at[:-1]), f"{LONGEST_SESSION}+"])


def days(axis: Axes, ours: Marginals, real: Marginals) -> None:
    heading(axis, "Days", "users seen on so many days")
    at = np.arange(1, MOST_DAYS + 1)
    both(axis, at, ours.days, real.days, "o")
    axis.set_ylim(0)
    axis.set_xticks(at)
    percent(axis)


if __name__ == "__main__":
    main()
