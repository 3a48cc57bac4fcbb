"""What it is worth to bring parameters to the server often (figure L7): the protocol of Monolith, section 3.2.2.

A model learns the first part of a log. Then, in turns, what it has learned goes to the server, the next slice of the
log is predicted with that, and learned. The slices are as long as the sync interval; a frozen server keeps what the
first part gave. Histories and counters go on for all alike: only parameters are late. AUC is over all of the second
part: over all of its rows, and within slices as long as the shortest interval, each of which one set of parameters has
predicted, as it does the items of a page.

Two logs: the KuaiRand excerpt (its last two days, five seeds of the model), and drifting worlds under an ordinary feed
(the second half of their days, twelve worlds), by which the trend is judged.

    python benchmarks/sync_interval.py [--json] [--quick] [--data FOLDER] [--plot FILE]
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from feedmill.domain.batches import Features
from feedmill.domain.clock import DAY, HOUR, MINUTE
from feedmill.domain.objectives import Objective
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.parameters import Parameters
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner
from feedmill.measure.metrics import auc, grouped_auc, mean_interval
from feedmill.run.world_config import world_config
from feedmill.simulation import WorldConfig
from feedmill.simulation.ordinary_feed import OrdinaryFeed
from feedmill.simulation.records import arrivals_of, seen_in
from feedmill.simulation.world import World
from public_data import WINDOW_MS, batches_of, opened, with_data
from report import Figure, arguments, cores, progress, report

PLOT = Path(__file__).parents[1] / "docs" / "images" / "sync_interval.svg"
FROZEN = "never"
OVERALL, WITHIN = "over all rows", "within ten minutes"
INTERVALS = {
    "5 days": 5 * DAY, "2 days": 2 * DAY, "1 day": DAY, "6 hours": 6 * HOUR, "1 hour": HOUR, "10 minutes": 10 * MINUTE,
}  # fmt: skip
WORLD = WorldConfig(users=350, days=20)
QUICK = WorldConfig(users=80, days=6, backlog=250, births_per_day=40, authors=60)

Batches = Iterator[Sequence[Record]]


@dataclass
class Compared:
    """A seed's AUC, of each objective, by measure and sync interval."""

    objectives: list[str]
    auc: dict[str, dict[str, list[float]]]
    examples: int


class Server:
    """Parameters that are brought up to date at intervals."""

    def __init__(self, learner: Learner, interval: int | None, start: int) -> None:
        """The first time is `start`, UTC milliseconds; `interval` in ms, None for never again."""
        columns = learner.state.native.dense_columns
        self._parameters = Parameters(learner.config, SlotRegistry(), columns)
        self._learner = learner
        self._interval = interval
        self._next = start
        self._version = 0
        self.predictions: list[npt.NDArray[np.float32]] = []

    def bring(self, now: int) -> None:
        """What has been learned by now, where it is due."""
        if now < self._next:
            return
        learned = self._learner.parameters
        self._parameters.put(learned.touched(self._version), learned.dense(), now=now)
        self._version = learned.table.version
        if self._interval is None:
            self._next = 1 << 62
        else:
            self._next += (1 + (now - self._next) // self._interval) * self._interval

    def predict(self, features: Features) -> None:
        self.predictions.append(self._parameters.predict(features))


def compared(config: LearningConfig, batches: Batches, start: int, intervals: dict[str, int]) -> Compared:
    """Learn what comes before `start`, then serve and learn the rest."""
    torch.set_num_threads(1)
    learner = Learner(config, SlotRegistry(), learn_retrieval=False)
    servers: dict[str, Server] = {}
    labels: list[npt.NDArray[np.float32]] = []
    slices: list[npt.NDArray[np.int64]] = []
    for records in batches:
        now = records[0].timestamp
        if now >= start and not servers:
            servers = {name: Server(learner, every, start) for name, every in {FROZEN: None, **intervals}.items()}
        for server in servers.values():
            server.bring(now)
        examples = learner.step(records).examples
        if servers and len(examples):
            labels.append(examples.labels)
            slices.append(np.full(len(examples), (now - start) // (10 * MINUTE)))
            for server in servers.values():
                server.predict(examples.features)
    known, part = np.concatenate(labels) > 0.5, np.concatenate(slices)
    found: dict[str, dict[str, list[float]]] = {OVERALL: {}, WITHIN: {}}
    for name, server in servers.items():
        predicted = np.concatenate(server.predictions)
        columns = [(known[:, o], predicted[:, o]) for o in range(known.shape[1])]
        found[OVERALL][name] = [auc(*column) for column in columns]
        found[WITHIN][name] = [grouped_auc(*column, part) for column in columns]
    return Compared(list(config.objectives), found, len(known))


def in_kuairand(data: Path, seed: int, intervals: dict[str, int]) -> Compared:
    """One seed of the model."""
    with opened("kuairand", data, f"training.seed={seed}") as engine:
        return compared(engine.config.learning(), batches_of(engine), WINDOW_MS, intervals)


def in_world(world_config_: WorldConfig, seed: int, intervals: dict[str, int]) -> Compared:
    """The world of a seed, under an ordinary feed."""
    config = world_config(seed)
    objectives = {"watched": Objective("watched", threshold=0.6), "like": Objective("like")}
    learning = LearningConfig(
        config.actions, objectives, config.features, config.join, config.ranker, config.retrieval, config.training
    )
    world = World(world_config_, np.random.default_rng(seed))
    start = world_config_.start + (world_config_.end - world_config_.start) // 2
    return compared(learning, in_batches(lived(world, seed), learning.training.batch), start, intervals)


def lived(world: World, seed: int) -> Iterator[list[Record]]:
    """What happens in a world, step by step."""
    feed = OrdinaryFeed(world, np.random.default_rng([seed, 2]))
    while not world.ended:
        step = world.step()
        records, users = arrivals_of(world, step), step.arrivals
        for _ in range(world.config.pages_per_session):
            if not len(users):
                break
            responses = world.respond(users, feed.page(users, world.live_items, world.config.page))
            feed.observe(responses)
            records += seen_in(world, responses)
            users = users[responses.goes_on]
        records.sort(key=lambda record: record.timestamp)
        yield records


def in_batches(steps: Iterator[list[Record]], size: int) -> Batches:
    """A batch never crosses a step, so that nothing is learned before it is served."""
    for records in steps:
        for first in range(0, len(records), size):
            yield records[first : first + size]


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    parser.add_argument("--plot", type=Path, help=f"where to draw it; {PLOT.name} in docs/images unless --quick")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + (2 if options.quick else 5))
    lives = range(options.seed, options.seed + (2 if options.quick else 12))
    within = {name: every for name, every in INTERVALS.items() if every <= DAY}
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    found: dict[str, list[Compared]] = {"world": [], "kuairand": []}
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        worlds = [pool.submit(in_world, QUICK if options.quick else WORLD, seed, INTERVALS) for seed in lives]
        logs = [pool.submit(in_kuairand, options.data, seed, within) for seed in seeds]
        for name, futures in (("world", worlds), ("kuairand", logs)):
            for number, future in enumerate(futures):
                found[name].append(future.result())
                progress(f"{name}, {number + 1} of {len(futures)}: {json.dumps(found[name][-1].auc)}")
    context = {name: summary(some) for name, some in found.items()}
    if options.plot or not options.quick:
        draw(context, options.plot or PLOT)
    gains = {
        "L7": context["world"][OVERALL]["watched"],
        "L7.within": context["world"][WITHIN]["watched"],
        "L7.kuairand": context["kuairand"][OVERALL]["click"],
        "L7.kuairand.within": context["kuairand"][WITHIN]["click"],
    }
    report(
        {name: Figure(100 * gain["10 minutes"]["less frozen"][0], "points of AUC") for name, gain in gains.items()},
        options=options,
        libraries=("torch",),
        published={"Monolith, Criteo": "0.24 to 0.37 points, more with faster sync"},
        seeds={"world": list(lives), "kuairand": list(seeds)},
        **context,
    )


def summary(some: list[Compared]) -> dict[str, Any]:
    """By measure and objective, means over seeds: AUC, what it is above the frozen server's and above the next slower,
    with 95 % intervals."""
    return {
        "examples": [each.examples for each in some],
        **{
            measure: {
                objective: by_interval([{name: auc[o] for name, auc in each.auc[measure].items()} for each in some])
                for o, objective in enumerate(some[0].objectives)
            }
            for measure in (OVERALL, WITHIN)
        },
    }


def by_interval(seeds: list[dict[str, float]]) -> dict[str, Any]:
    names = list(seeds[0])
    reached = {name: np.array([each[name] for each in seeds]) for name in names}
    found: dict[str, Any] = {
        name: {
            "auc": round(float(reached[name].mean()), 5),
            "less frozen": bounds(reached[name] - reached[FROZEN]),
            **({"less the next slower": bounds(reached[name] - reached[names[i - 1]])} if i else {}),
        }
        for i, name in enumerate(names)
    }
    synced = [name for name in names if name != FROZEN]
    days = np.log10([INTERVALS[name] / DAY for name in synced])
    slopes = [-np.polyfit(days, [each[name] for name in synced], 1)[0] for each in seeds]
    return {**found, "for each tenth of the interval": bounds(np.array(slopes))}


def bounds(values: npt.NDArray[np.float64]) -> list[float]:
    found = mean_interval(values)
    return [round(float(each), 6) for each in (found.estimate, found.low, found.high)]


def draw(context: dict[str, Any], path: Path) -> None:
    """Online minus frozen, by interval."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {
            "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none",
            "svg.hashsalt": "sync interval",
        }
    )  # fmt: skip
    figure, places = pyplot.subplots(2, 2, figsize=(9.5, 6.4), layout="constrained", sharey="row")
    colours = ("#d9562f", "#5b6b8c", "#8aa17c")
    titles = {"world": "Drifting worlds", "kuairand": "KuaiRand, two days"}
    for measure, row in zip((OVERALL, WITHIN), places, strict=True):
        for place, (name, title) in zip(row, titles.items(), strict=True):
            for colour, (objective, reached) in zip(colours, context[name][measure].items(), strict=False):
                names = [each for each in reached if each in INTERVALS]
                points = np.array([reached[each]["less frozen"] for each in names]) * 100
                across = np.arange(len(names))
                place.fill_between(across, points[:, 1], points[:, 2], color=colour, alpha=0.14, linewidth=0)
                place.plot(across, points[:, 0], "o-", color=colour, markersize=4, label=objective.replace("_", " "))
                place.set_xticks(across, names)
            place.axhline(0, color="#9aa1a9", linewidth=0.8)
            place.set_title(f"{title}, {measure}", loc="left", fontweight="bold")
        row[0].set_ylabel("AUC above a frozen server's, points")
    for place in places[0]:
        place.legend(frameon=False)
    for place in places[1]:
        place.set_xlabel("parameters reach the server every ...")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    progress(f"drawn: {path}")


if __name__ == "__main__":
    main()
