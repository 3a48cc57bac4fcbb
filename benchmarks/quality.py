"""Every batch model beside the same model of a peer library, on the same splits: quality and seconds.

Models rank the whole catalogue of the training part. Quality is NDCG and hit rate at 10, with 95 % intervals from
resampling users, and so is the difference, user by user. Models that draw random numbers are fitted under five seeds,
and a user counts with the mean; the others are fitted three times; seconds are medians over fits. Users of whom the
training part says nothing get what is popular from every model of ours; peers, which have no answer for them, are
given the same lists.

Models of click-through stand beside a peer's on joined examples: see `click_quality.py`.

Each peer runs in an environment of its own, made from `benchmarks/peers/NAME.txt` at the first run and kept; one that
cannot be had is named with the reason.

    python benchmarks/quality.py [--data FOLDER] [--environments FOLDER] [--json] [--quick]
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from click_quality import (
    CLICK_MODELS,
    CLICK_PEER,
    RATES,
    Predictions,
    compared_clicks,
    predictions_of,
    predictions_of_peer,
    rows_of,
)
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.named import BATCH_MODELS
from feedmill.learn.models.popularity import Popularity
from feedmill.measure.evaluation.protocol import Split
from feedmill.measure.evaluation.temporal import LeaveLastOut, Temporal
from feedmill.measure.metrics import Interval, hits_in_arrays, user_interval
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import read_log
from peers.environment import Unavailable, ask, python_of
from public_data import WINDOW_MS, imported, with_data
from report import Figure, arguments, progress, report

K = 10
SAMPLES = 2_000
FITS = 3
"""Of a model that draws nothing."""
SETTINGS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item-neighbours": {"neighbours": 100},
    "user-neighbours": {"neighbours": 100},
    "ease": {"regularization": 200.0},
    "als": {"factors": 64, "regularization": 0.01, "alpha": 1.0, "iterations": 20},
    "bpr": {"factors": 64, "learning_rate": 0.05, "regularization": 0.01, "iterations": 100},
}
"""The same for ours and the peer's."""
PEERS = {"implicit": ("item-neighbours", "als", "bpr"), "rectools": ("ease",), "lenskit": ("user-neighbours",)}
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What one model answered on one split, fit by fit."""

    lists: npt.NDArray[np.integer]
    """[fits, users, K], by the ordinals of the split"""
    fit: Sequence[float]
    """Seconds."""
    recommend: Sequence[float]


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    parser.add_argument(
        "--environments", type=Path, default=Path(__file__).parents[1] / "build" / "peers",
        help="where environments of peers are kept; build/peers unless told",
    )  # fmt: skip
    options = parser.parse_args()
    seeds = list(range(options.seed, options.seed + (1 if options.quick else 5)))
    rates = RATES[2:3] if options.quick else RATES
    libraries = (*PEERS, CLICK_PEER)
    pythons: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for library in libraries:
        progress(f"the environment of {library} ...")
        try:
            pythons[library] = python_of(library, options.environments)
        except Unavailable as error:
            missing[library] = str(error)
    figures: dict[str, Figure] = {}
    splits: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, split in splits_of(options.data, Path(folder)):
            ours = {model: answers_of(model, split, seeds) for model in SETTINGS}
            theirs: dict[str, tuple[str, Answers]] = {}
            for library in PEERS:
                if library not in pythons:
                    continue
                try:
                    answered = answers_of_peer(library, pythons[library], split, seeds, Path(folder))
                except Unavailable as error:
                    missing[f"{library}, {name}"] = str(error)
                    continue
                theirs |= {model: (library, answers) for model, answers in answered.items()}
            splits[name], judged = compared(name, split, ours, theirs, options.seed)
            figures |= judged
        for name, home, judged_from in homes_of_clicks(options.data, Path(folder)):
            rows = rows_of(home, judged_from)
            predicted = {kind.name: predictions_of(kind, rows, rates, seeds) for kind in CLICK_MODELS}
            predicted_by_peer: dict[str, Predictions] = {}
            if CLICK_PEER in pythons:
                try:
                    predicted_by_peer = predictions_of_peer(pythons[CLICK_PEER], rows, rates, Path(folder))
                except Unavailable as error:
                    missing[f"{CLICK_PEER}, {name}"] = str(error)
            splits[name], judged = compared_clicks(name, rows, predicted, predicted_by_peer, options.seed)
            figures |= judged
    report(
        figures,
        options=options,
        libraries=("numpy", "scipy", "implicit"),
        settings=SETTINGS,
        seeds=seeds,
        peers={
            library: (Path(__file__).parent / "peers" / f"{library}.txt").read_text().split() for library in libraries
        },
        unavailable=missing,
        splits=splits,
    )


def splits_of(data: Path, folder: Path) -> Iterator[tuple[str, Split]]:
    """The splits by name."""
    films = interactions_of("movielens", data, folder, ("rating",))
    yield "MovieLens, leave-last-out", next(LeaveLastOut().splits(films))
    films = interactions_of("movielens", data, folder, ())
    yield "MovieLens, temporal", next(Temporal().splits(films))
    videos = interactions_of("kuairand", data, folder, ())
    yield "KuaiRand, temporal", next(Temporal().splits(videos))


def homes_of_clicks(data: Path, folder: Path) -> Iterator[tuple[str, Path, int | None]]:
    """By name the homes whose clicks are predicted, and from when on; None: the last fifth."""
    yield "KuaiRand, clicks", home_of("kuairand", data, folder), WINDOW_MS
    # An objective of its own there: a rating above 3.5, beside items that were drawn.
    yield "MovieLens, likes", home_of("movielens", data, folder), None


def home_of(source: str, data: Path, folder: Path) -> Path:
    """A home with a data set; imported once."""
    home = folder / source
    return home if home.exists() else imported(source, data, home)


def interactions_of(source: str, data: Path, folder: Path, actions: Sequence[str]) -> Interactions:
    """What `feedmill evaluate` makes of the data: who took to what."""
    with Engine.open(home_of(source, data, folder), environment={}) as engine:
        return read_log(engine.log, engine.config, actions).interactions


def draws(name: str) -> bool:
    """Whether a model draws random numbers."""
    return "seed" in BATCH_MODELS[name].Config.__struct_fields__


def answers_of(name: str, split: Split, seeds: Sequence[int]) -> Answers:
    """What our model answers."""
    make = BATCH_MODELS[name]
    seeded = draws(name)
    few = split.train.take(split.train.users < 64)
    make().fit(few).recommend(np.arange(8), 1)
    lists, fit, recommend = [], [], []
    for seed in seeds if seeded else seeds[:FITS]:
        model: BatchModel = make(make.Config(**SETTINGS[name], **({"seed": seed} if seeded else {})))
        started = time.perf_counter()
        model.fit(split.train)
        fitted = time.perf_counter()
        lists.append(model.recommend(split.users, K)[0])
        recommend.append(time.perf_counter() - fitted)
        fit.append(fitted - started)
    return Answers(np.array(lists), fit, recommend)


def answers_of_peer(library: str, python: Path, split: Split, seeds: Sequence[int], folder: Path) -> dict[str, Answers]:
    """What a library's models answer, by the names of ours. Raises Unavailable."""
    progress(f"{library} ...")
    train = split.train
    users, items = np.unique(train.users), np.unique(train.items)
    known = np.isin(split.users, users)
    requests = {
        name: {"settings": SETTINGS[name], "seeds": list(seeds if draws(name) else seeds[:FITS])}
        for name in PEERS[library]
    }
    question, answer = folder / "question.npz", folder / "answer.npz"
    np.savez(
        question,
        users=np.searchsorted(users, train.users),
        items=np.searchsorted(items, train.items),
        asked=np.searchsorted(users, split.users[known]),
        k=K,
        requests=json.dumps(requests),
    )
    ask(library, python, question, answer)
    popular = Popularity().fit(train).recommend(split.users, K)[0]
    found = {}
    with np.load(answer) as file:
        for name in requests:
            own = file[f"{name}.lists"]
            lists = np.tile(popular, (len(own), 1, 1))
            lists[:, known] = np.where(own >= 0, items[own], -1)
            found[name] = Answers(lists, file[f"{name}.fit"].tolist(), file[f"{name}.recommend"].tolist())
    return found


def compared(
    name: str, split: Split, ours: dict[str, Answers], theirs: dict[str, tuple[str, Answers]], seed: int
) -> tuple[dict[str, Any], dict[str, Figure]]:
    """What the models reach on a split, and the figures of it."""
    generator = np.random.default_rng(seed)
    models: dict[str, Any] = {}
    figures: dict[str, Figure] = {}
    for model, answers in ours.items():
        own = by_user(split, answers)
        judged: dict[str, Any] = {metric: bounds(values, generator) for metric, values in own.items()}
        judged["seconds"] = seconds(answers)
        key = f"{name}, {model}"
        peers: dict[str, float] = {}
        if model in theirs:
            library, other = theirs[model]
            its = by_user(split, other)
            peer: dict[str, Any] = {metric: bounds(values, generator) for metric, values in its.items()}
            judged[library] = peer | {"seconds": seconds(other)}
            judged["less the peer's"] = {metric: bounds(own[metric] - its[metric], generator) for metric in own}
            judged["within the peer's interval or above"] = judged["ndcg"][0] >= peer["ndcg"][1]
            peers[library] = peer["ndcg"][0]
            figures[f"{key}, fit"] = Figure(
                judged["seconds"]["fit"], "s", peers={library: seconds(other)["fit"]}, less_is_better=True
            )
        figures[f"{key}, NDCG@{K}"] = Figure(judged["ndcg"][0], "NDCG", peers=peers)
        models[model] = judged
        progress(f"{key}: {json.dumps(judged)}")
    known = np.isin(split.users, split.train.users)
    about = {
        "users": len(split.users), "known users": int(known.sum()), "train": len(split.train),
        "items": len(np.unique(split.train.items)), "asked for": len(split.test), "left out": split.left_out,
    }  # fmt: skip
    return about | {"models": models}, figures


def by_user(split: Split, answers: Answers) -> dict[str, Doubles]:
    """Each metric of each user, the mean over fits."""
    rows = np.searchsorted(split.users, split.test.users)
    fits = [hits_in_arrays(lists, rows, split.test.items).by_user() for lists in answers.lists]
    return {metric: np.mean([fit[metric] for fit in fits], axis=0) for metric in ("ndcg", "hit_rate")}


def bounds(values: Doubles, generator: np.random.Generator) -> list[float]:
    """The mean over users and its interval."""
    found: Interval = user_interval(values, SAMPLES, generator)
    return [round(value, 5) for value in (found.estimate, found.low, found.high)]


def seconds(answers: Answers) -> dict[str, float]:
    """Medians over fits."""
    return {
        "fit": round(float(np.median(answers.fit)), 4),
        "recommend": round(float(np.median(answers.recommend)), 4),
    }


if __name__ == "__main__":
    main()
