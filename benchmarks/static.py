"""How far static models fall behind a model that learns on, by how often they are learned anew.

Logistic regression, random forest and boosted trees (scikit-learn, LightGBM), and Feedmill's multi-task ranker, learn
the first part of a log. Over the second part each is learned anew never, daily or hourly, from everything that was
known by then, and predicts what comes until the next time; the online ranker learns each batch after it has predicted
it. The rows, their labels and their features are those of the engine's own joiner (as `feedmill examples` writes them),
for all models. Features go on for all: counters and histories know every event before a row, however old the parameters
are; but for one logistic regression, which has ids and attributes and no counters. The ranker learned anew in one pass
is the online one as it was at that time.

Two logs: the KuaiRand excerpt (judged are its last two days; intervals are from resampling users), and drifting worlds
under an ordinary feed (the second half of their days; intervals are over worlds). Since learning anew each hour takes
long, only every fourth hour of KuaiRand and every seventh of a world is judged, for all models alike. Settings of each
static model are chosen from a grid on the last fifth of the first part.

    python benchmarks/static.py [--data FOLDER] [--json] [--quick] [--plot FILE]
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from feedmill.domain.batches import Features
from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.objectives import Objective
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.learner import Learner
from feedmill.measure.metrics import auc, mean_interval, paired_bootstrap
from feedmill.run.world_config import world_config
from feedmill.simulation import WorldConfig
from feedmill.simulation.world import World
from public_data import WINDOW_MS, batches_of, opened, with_data
from report import Figure, arguments, cores, progress, report
from sync_interval import Batches, Server, in_batches, lived

PLOT = Path(__file__).parents[1] / "docs" / "images" / "static.svg"
INTERVALS = {"never": None, "daily": DAY, "hourly": HOUR}
RANKER, ONLINE = "multi-task ranker", "online ranker"
OBJECTIVES = {"world": ("watched", "like"), "kuairand": ("click", "like")}
JUDGED_HOURS = {"world": 7, "kuairand": 4}
"""Every how-manieth hour is judged."""
WORLD = WorldConfig(users=150, days=12)
QUICK = WorldConfig(users=80, days=6, backlog=250, births_per_day=40, authors=60)
KUAIRAND_STEP = 12 * HOUR
RESAMPLES = 1_000
WIDTH = 1 << 18
"""Columns of the linear model: ids are hashed to them."""
MOST_VALUES = 200
"""A slot with more values in the first part is no category for trees; what it says of a row its counters say."""

Doubles = npt.NDArray[np.float64]
Predictions = dict[str, Doubles]
"""[judged, objectives] by the model and how often it is learned anew."""


@dataclass(frozen=True)
class Log:
    """The examples of a log in the order in which they were learned, and what the ranker predicted of the judged."""

    features: Features
    labels: npt.NDArray[np.bool_]
    """bool [n, objectives]"""
    users: npt.NDArray[np.uint64]
    """uint64 [n]: keys"""
    arrivals: npt.NDArray[np.int64]
    """int64 [n]: when each could be learned from, UTC milliseconds"""
    first: int
    """The first row of the second part."""
    start: int
    """When that begins."""
    ranker: Predictions
    """Of every row of the second part."""


def walk(config: LearningConfig, wanted: Sequence[str], batches: Batches, start: int) -> Log:
    """Learn a log online, with servers beside the learner whose parameters come at intervals."""
    torch.set_num_threads(1)
    learner = Learner(config, SlotRegistry(), learn_retrieval=False)
    columns = [list(config.objectives).index(name) for name in wanted]
    servers: dict[str, Server] = {}
    features: list[Features] = []
    labels, users, arrivals, online = [], [], [], []
    first = 0
    for records in batches:
        now = records[0].timestamp
        if now >= start and not servers:
            servers = {name: Server(learner, every, start) for name, every in INTERVALS.items()}
            first = sum(map(len, labels))
        for server in servers.values():
            server.bring(now)
        step = learner.step(records)
        # What takes a label back, or says nothing of an objective, is no row for models that learn from scratch.
        rows = np.flatnonzero((step.examples.weights[:, columns] > 0).all(axis=1))
        if not len(rows):
            continue
        examples = step.examples.take(rows)
        features.append(examples.features)
        labels.append(examples.labels[:, columns] > 0.5)
        users.append(examples.users)
        arrivals.append(np.full(len(rows), now))
        if servers:
            online.append(step.predictions[rows][:, columns])
            for server in servers.values():
                server.predict(examples.features)
    ranker = {f"{RANKER}, {name}": np.concatenate(server.predictions)[:, columns] for name, server in servers.items()}
    return Log(
        Features.concatenate(features), np.concatenate(labels), np.concatenate(users), np.concatenate(arrivals), first,
        start, ranker | {ONLINE: np.concatenate(online)},
    )  # fmt: skip


class Inputs:
    """The features of a log as static models read them."""

    def __init__(self, log: Log) -> None:
        features, n = log.features, len(log.labels)
        slots = (len(features.offsets) - 1) // n
        lengths = np.diff(features.offsets).reshape(n, slots)
        dense = StandardScaler().fit(features.dense[: log.first]).transform(features.dense)
        of_row = np.repeat(np.arange(n), lengths.sum(axis=1))
        # A bag counts as its mean, as it does for the ranker.
        weight = np.repeat(1 / np.maximum(lengths, 1).ravel(), lengths.ravel()).astype(np.float32)
        ids = sparse.csr_matrix((weight, (of_row, (features.ids % WIDTH).astype(np.int64))), shape=(n, WIDTH))
        self.ids = ids
        """Hashed ids: of user and item, their attributes, the history, the time."""
        self.wide = sparse.hstack([sparse.csr_matrix(dense), ids], format="csr")
        """Standardized dense columns (counters and rates) and hashed ids."""
        heads = np.zeros((n, slots), dtype=np.uint64)
        some = lengths > 0
        heads[some] = features.ids[features.offsets[:-1].reshape(n, slots)[some]]
        codes = []
        for column in heads.T:
            values, counts = np.unique(column[: log.first], return_counts=True)
            if 1 < len(values) <= MOST_VALUES:
                order = np.argsort(-counts, kind="stable")
                place = np.full(len(values) + 1, len(values))
                place[order] = np.arange(len(values))
                at = np.searchsorted(values, column)
                at[(at == len(values)) | (values[np.minimum(at, len(values) - 1)] != column)] = len(values)
                codes.append(place[at])
        self.narrow = np.column_stack([features.dense, *codes]).astype(np.float32)
        """Dense columns, and the first value of each slot of few values as its place by frequency."""


@dataclass(frozen=True)
class Static:
    """A model that learns all it is given, at once."""

    grid: dict[str, list[Any]]
    inputs: str
    """Which of `Inputs` it reads."""
    fit: Callable[[Any, npt.NDArray[np.bool_], dict[str, Any]], Callable[[Any], Doubles]]
    """From inputs, labels [n, objectives] and settings: what gives probabilities [m, objectives]."""


def logistic(inputs: Any, labels: npt.NDArray[np.bool_], settings: dict[str, Any]) -> Callable[[Any], Doubles]:
    with warnings.catch_warnings():
        # 100 rounds are enough for the order of predictions, which is what AUC sees.
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [LogisticRegression(solver="lbfgs", max_iter=100, **settings).fit(inputs, label) for label in labels.T]
    return lambda rows: np.column_stack([model.predict_proba(rows)[:, 1] for model in models])


def forest(inputs: Any, labels: npt.NDArray[np.bool_], settings: dict[str, Any]) -> Callable[[Any], Doubles]:
    model = RandomForestClassifier(random_state=0, n_jobs=1, **settings).fit(inputs, labels)
    return lambda rows: np.column_stack([part[:, 1] for part in model.predict_proba(rows)])


def trees(inputs: Any, labels: npt.NDArray[np.bool_], settings: dict[str, Any]) -> Callable[[Any], Doubles]:
    models = [
        lightgbm.LGBMClassifier(
            min_child_samples=50, colsample_bytree=0.6, subsample=0.8, subsample_freq=1, random_state=0, n_jobs=1,
            verbose=-1, **settings,
        ).fit(inputs, label)
        for label in labels.T
    ]  # fmt: skip
    return lambda rows: np.column_stack([model.predict_proba(rows)[:, 1] for model in models])


STATIC = {
    "logistic regression without counters": Static({"C": [0.01, 0.1, 1.0]}, "ids", logistic),
    "logistic regression": Static({"C": [0.001, 0.01, 0.1]}, "wide", logistic),
    "random forest": Static(
        {"n_estimators": [100], "min_samples_leaf": [10, 40], "max_samples": [0.3]}, "narrow", forest
    ),
    "boosted trees": Static(
        {"n_estimators": [100], "learning_rate": [0.05], "num_leaves": [7, 15, 31]}, "narrow", trees
    ),
}


def settings_of(model: Static, inputs: Any, log: Log) -> dict[str, Any]:
    """The settings of the grid with the best mean AUC on the last fifth of the first part."""
    cut = log.first - log.first // 5
    part = slice(cut, log.first)
    best, found = -np.inf, {}
    for values in itertools.product(*model.grid.values()):
        settings = dict(zip(model.grid, values, strict=True))
        predicted = model.fit(inputs[:cut], log.labels[:cut], settings)(inputs[part])
        reached = float(np.mean(aucs(log.labels[part], predicted)))
        if reached > best:
            best, found = reached, settings
    return found


def predictions_of(
    model: Static, inputs: Any, log: Log, settings: dict[str, Any], rows: npt.NDArray[np.intp]
) -> Predictions:
    """What the model predicts of some rows of the second part, by how often it is learned anew."""
    found: Predictions = {}
    learned: dict[int, Callable[[Any], Doubles]] = {}
    for name, every in INTERVALS.items():
        turns = np.zeros(len(rows), dtype=np.int64) if every is None else (log.arrivals[rows] - log.start) // every
        found[name] = np.empty((len(rows), log.labels.shape[1]))
        for turn in np.unique(turns).tolist():
            known = max(log.first, int(np.searchsorted(log.arrivals, log.start + turn * (every or 0))))
            if known not in learned:
                learned[known] = model.fit(inputs[:known], log.labels[:known], settings)
            own = turns == turn
            found[name][own] = learned[known](inputs[rows[own]])
    return found


def aucs(labels: npt.NDArray[np.bool_], predicted: Doubles) -> Doubles:
    """float64 [objectives]; NaN where all labels are the same."""
    return np.array(
        [
            auc(label, scores) if 0 < label.sum() < len(label) else np.nan
            for label, scores in zip(labels.T, predicted.T, strict=True)
        ]
    )


@dataclass(frozen=True)
class Judged:
    """One log's outcome."""

    whole: dict[str, list[float]]
    """AUC of each objective over the whole judged part."""
    over_time: dict[str, list[list[float]]]
    """The same, step of time by step."""
    less_online: dict[str, list[list[float]]]
    """What it is above the online ranker's: estimate and bounds from resampling users; of each objective."""
    settings: dict[str, dict[str, Any]]
    rows: int
    judged: int


def judged(log: Log, hours: int, step: int, resamples: int) -> Judged:
    """Static models and rankers on every so manieth hour of a log's second part, also by steps of time."""
    inputs = Inputs(log)
    second = np.arange(log.first, len(log.labels))
    rows = second[(log.arrivals[second] - log.start) // HOUR % hours == 0]
    predicted = {name: values[rows - log.first] for name, values in log.ranker.items()}
    settings = {}
    for name, model in STATIC.items():
        own = getattr(inputs, model.inputs)
        settings[name] = settings_of(model, own, log)
        answers = predictions_of(model, own, log, settings[name], rows)
        predicted |= {f"{name}, {every}": values for every, values in answers.items()}
        progress(f"{name}: {settings[name]}")
    labels, users = log.labels[rows], log.users[rows]
    steps = (log.arrivals[rows] - log.start) // step
    parts = [steps == number for number in range(int(steps.max()) + 1)]
    generator = np.random.default_rng(0)
    less: dict[str, list[list[float]]] = {}
    for name, values in predicted.items():
        if resamples and name != ONLINE:
            found = [
                paired_bootstrap(auc, labels[:, o], values[:, o], predicted[ONLINE][:, o], users, resamples, generator)
                for o in range(labels.shape[1])
            ]
            less[name] = [[each.estimate, each.low, each.high] for each in found]
    return Judged(
        {name: aucs(labels, values).tolist() for name, values in predicted.items()},
        {name: [aucs(labels[part], values[part]).tolist() for part in parts] for name, values in predicted.items()},
        less, settings, len(log.labels), len(rows),
    )  # fmt: skip


def in_kuairand(data: Path, resamples: int) -> Judged:
    with opened("kuairand", data) as engine:
        log = walk(engine.config.learning(), OBJECTIVES["kuairand"], batches_of(engine), WINDOW_MS)
    return judged(log, JUDGED_HOURS["kuairand"], KUAIRAND_STEP, resamples)


def in_world(shape: WorldConfig, seed: int) -> Judged:
    config = world_config(seed)
    objectives = {"watched": Objective("watched", threshold=0.6), "like": Objective("like")}
    learning = LearningConfig(
        config.actions, objectives, config.features, config.join, config.ranker, config.retrieval, config.training
    )
    start = shape.start + (shape.end - shape.start) // 2
    batches = in_batches(lived(World(shape, np.random.default_rng(seed)), seed), learning.training.batch)
    return judged(walk(learning, OBJECTIVES["world"], batches, start), JUDGED_HOURS["world"], DAY, 0)


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    parser.add_argument("--plot", type=Path, help=f"where to draw it; {PLOT.name} in docs/images unless --quick")
    options = parser.parse_args()
    lives = range(options.seed, options.seed + (2 if options.quick else 4))
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    worlds = []
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        shape = QUICK if options.quick else WORLD
        log = pool.submit(in_kuairand, options.data, 100 if options.quick else RESAMPLES)
        for number, future in enumerate([pool.submit(in_world, shape, seed) for seed in lives]):
            worlds.append(future.result())
            progress(f"world {number + 1} of {len(lives)}: {json.dumps(worlds[-1].whole)}")
        kuairand = log.result()
    context = {"world": of_worlds(worlds), "kuairand": of_log(kuairand)}
    if options.plot or not options.quick:
        draw(context, options.plot or PLOT)
    figures = {}
    for name, (objective, *_) in OBJECTIVES.items():
        reached = context[name]["objectives"][objective]
        for every in INTERVALS:
            peers = {model: reached[f"{model}, {every}"]["auc"] for model in STATIC}
            figures[f"{name}, {every}"] = Figure(reached[ONLINE]["auc"], f"AUC of {objective}, online", peers=peers)
    report(figures, options=options, libraries=("lightgbm", "scikit-learn", "torch"), worlds=len(lives), **context)


def of_worlds(worlds: list[Judged]) -> dict[str, Any]:
    """Means over worlds, and intervals of what each is above the online ranker."""
    objectives: dict[str, Any] = {}
    for o, objective in enumerate(OBJECTIVES["world"]):
        objectives[objective] = {}
        for name in worlds[0].whole:
            own, online = (np.array([world.whole[each][o] for world in worlds]) for each in (name, ONLINE))
            days, of_online = (
                np.array([[day[o] for day in world.over_time[each]] for world in worlds]) for each in (name, ONLINE)
            )
            objectives[objective][name] = {
                "auc": round(float(own.mean()), 5),
                "less online": interval(own - online),
                "less online, by day": [interval(day) for day in (days - of_online).T],
            }
    about = {"rows": [world.rows for world in worlds], "judged": [world.judged for world in worlds]}
    return about | {"settings": [world.settings for world in worlds], "objectives": objectives}


def of_log(log: Judged) -> dict[str, Any]:
    """One log: intervals are over users; by time there are none."""
    objectives: dict[str, Any] = {}
    for o, objective in enumerate(OBJECTIVES["kuairand"]):
        objectives[objective] = {}
        for name, values in log.whole.items():
            found: dict[str, Any] = {"auc": round(values[o], 5)}
            if name in log.less_online:
                found["less online"] = [round(value, 5) for value in log.less_online[name][o]]
            steps = zip(log.over_time[name], log.over_time[ONLINE], strict=True)
            found["less online, by half day"] = [round(own[o] - online[o], 5) for own, online in steps]
            objectives[objective][name] = found
    return {"rows": log.rows, "judged": log.judged, "settings": log.settings, "objectives": objectives}


def interval(values: Doubles) -> list[float]:
    found = mean_interval(values[~np.isnan(values)])
    return [round(float(each), 5) for each in (found.estimate, found.low, found.high)]


def draw(context: dict[str, Any], path: Path) -> None:
    """By how often they are learned anew, and over time where never."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    pyplot.rcParams.update(
        {
            "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none",
            "svg.hashsalt": "static",
        }
    )  # fmt: skip
    figure, places = pyplot.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
    colours = dict(zip((*STATIC, RANKER), ("#9aa1a9", "#5b6b8c", "#8aa17c", "#b58a3c", "#d9562f"), strict=True))
    titles = {"world": "Drifting worlds: watched", "kuairand": "KuaiRand, two days: click"}
    for place, (name, title) in zip(places, titles.items(), strict=False):
        reached = context[name]["objectives"][OBJECTIVES[name][0]]
        for number, (model, colour) in enumerate(colours.items()):
            points = 100 * np.array([reached[f"{model}, {every}"]["less online"] for every in INTERVALS])
            across = np.arange(len(INTERVALS)) + 0.08 * (number - 2)
            errors = np.abs(points[:, 1:] - points[:, :1]).T
            place.errorbar(across, points[:, 0], errors, fmt="o-", color=colour, markersize=4, label=model)
        place.set_xticks(np.arange(len(INTERVALS)), list(INTERVALS))
        place.set_xlabel("learned anew")
        place.set_title(title, loc="left", fontweight="bold")
    reached = context["world"]["objectives"][OBJECTIVES["world"][0]]
    for model, colour in colours.items():
        points = 100 * np.array(reached[f"{model}, never"]["less online, by day"])
        days = np.arange(1, len(points) + 1)
        places[2].fill_between(days, points[:, 1], points[:, 2], color=colour, alpha=0.12, linewidth=0)
        places[2].plot(days, points[:, 0], "o-", color=colour, markersize=3)
    places[2].set_xlabel("days since it was learned")
    places[2].set_title("Worlds: never learned anew", loc="left", fontweight="bold")
    for place in places:
        place.axhline(0, color="#9aa1a9", linewidth=0.8)
        # What is far below would leave no room for what is near.
        place.set_yscale("symlog", linthresh=3.5, linscale=2)
        ticks = [
            tick for tick in (-20, -10, -3, -2, -1, 0, 1, 2, 3) if place.get_ylim()[0] <= tick <= place.get_ylim()[1]
        ]
        place.set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
        place.yaxis.set_minor_locator(NullLocator())
    places[0].set_ylabel("AUC above the online ranker's, points")
    figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(colours), frameon=False)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    progress(f"drawn: {path}")


if __name__ == "__main__":
    main()
