"""Progressive AUC on KuaiRand (figure L2), beside boosted trees, over five seeds, learned on and frozen.

One pass over the log with one multi-task model: every row is predicted before it is learned. The peer, LightGBM, is
trained on every row before the window, on running counts and rates of user, video, author and their pairs (no row sees
itself; they go on through the window), and predicts the window.

    python benchmarks/replay.py [--data FOLDER] [--json] [--quick]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import polars as pl

from feedmill.domain.records import Item, Record, User
from feedmill.measure.metrics.bootstrap import Interval, paired_bootstrap
from feedmill.measure.metrics.classification import auc
from feedmill.stream.log.sqlite import SqliteLog
from public_data import WINDOW, WINDOW_MS, imported, with_data
from report import Figure, arguments, progress, report

OBJECTIVES = ("click", "long_view", "like")
RESAMPLES = 1_000


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + (2 if options.quick else 5))
    with tempfile.TemporaryDirectory() as folder:
        home = imported("kuairand", options.data, Path(folder) / "home")
        online = [replay(home, seed) for seed in seeds]
        frozen = [replay(home, seed, "--frozen-from", WINDOW) for seed in seeds]
        progress("LightGBM ...")
        trees = boosted_trees(rows_of(home))
    window = online[0][1]["timestamp"].dt.epoch("ms").to_numpy() >= WINDOW_MS
    users = online[0][1].filter(window)["user_id"].to_numpy()
    generator = np.random.default_rng(options.seed)
    figures: dict[str, Figure] = {}
    context: dict[str, Any] = {"rows": len(window), "window_rows": int(window.sum()), "seeds": len(seeds)}
    for index, name in enumerate(OBJECTIVES):
        progress(f"bootstrap of {name} ...")
        label = online[0][1].filter(window)[f"{name}_label"].to_numpy()
        ours, stopped = (
            [scores.filter(window)[f"{name}_prediction"].to_numpy() for _, scores in runs] for runs in (online, frozen)
        )
        aucs, frozen_aucs = ([auc(label, scores) for scores in group] for group in (ours, stopped))
        peer = trees[window, index]
        figures[f"L2.{name}"] = Figure(float(np.mean(aucs)), "AUC", peers={"lightgbm": auc(label, peer)})

        def minus(
            other: npt.NDArray[np.float64], ours: npt.NDArray[np.float64] = ours[0], label: Any = label
        ) -> Interval:
            return paired_bootstrap(auc, label, ours, other, users, RESAMPLES, generator)

        context[name] = {
            "auc_by_seed": aucs,
            "frozen_auc_by_seed": frozen_aucs,
            "online_minus_frozen": float(np.mean(aucs) - np.mean(frozen_aucs)),
            "first_seed_minus_lightgbm": interval(minus(peer)),
            "first_seed_minus_frozen": interval(minus(stopped[0])),
        }
    figures["replay"] = Figure(float(np.median([run["rows_per_second"] for run, _ in online])), "rows/s")
    report(figures, options=options, libraries=("lightgbm", "torch"), **context)


def feedmill(*words: str) -> dict[str, Any]:
    """What a command of Feedmill's answers."""
    command = [Path(sys.executable).with_name("feedmill"), *words, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def replay(home: Path, seed: int, *words: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """The report of a replay, and its predictions."""
    scores = home.with_suffix(".parquet")
    place = ("--home", str(home), "--window-from", WINDOW, "--scores", str(scores))
    run = feedmill("replay", *place, "--seed", str(seed), *words)
    progress(f"seed {seed} {' '.join(words)}: {run['rows_per_second']:,.0f} rows/s")
    return run, pl.read_parquet(scores)


def interval(found: Interval) -> dict[str, float]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def rows_of(home: Path) -> pl.DataFrame:
    """The impressions of the log, a row each, with what is known of user and video."""
    log = SqliteLog(home / "log.sqlite", read_only=True)
    items: dict[str, dict[str, Any]] = {}
    users: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    position, end = 0, log.end()
    while position < end:
        records, position = log.read(position, 10_000)
        for record in records:
            if isinstance(record.body, Item):
                items[record.object] = {"author": record.body.author_id, "tag": next(iter(record.body.tags), "")}
            elif isinstance(record.body, User):
                users[record.subject] = {f"user_{name}": value for name, value in record.body.attributes.items()}
            else:
                rows.append(impression(record) | items.get(record.object, {}) | users.get(record.subject, {}))
    log.close()
    return pl.from_dicts(rows, infer_schema_length=None)


def impression(record: Record) -> dict[str, Any]:
    outcomes = record.outcomes or {}
    return {
        "user": record.subject,
        "video": record.object,
        "time": record.timestamp,
        "hour": record.timestamp // 3_600_000 % 24,
        "duration": record.context["duration"],
        "tab": record.context["surface"],
        **{name: float(outcomes.get(name, 0) > 0) for name in OBJECTIVES},
    }


def boosted_trees(rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    """float64 [n, objectives]: predictions of trees that were trained before the window."""
    groups = (["user"], ["video"], ["author"], ["user", "tag"], ["user", "tab"], ["video", "tab"], ["user", "author"])
    columns = [pl.col("duration").log1p(), pl.col("tab").cast(pl.Int32), pl.col("hour")]
    for group in groups:
        name = "_".join(group)
        before = pl.int_range(pl.len()).over(group)
        columns.append(before.alias(f"{name}_count"))
        for objective in OBJECTIVES:
            liked = pl.col(objective).cum_sum().over(group) - pl.col(objective)
            prior = 5 * pl.col(objective).mean()
            columns.append(((liked + prior) / (before + 5)).alias(f"{name}_{objective}"))
    profile = [name for name in rows.columns if name.startswith("user_")]
    for name in profile:
        numeric = rows[name].dtype.is_numeric()
        columns.append(pl.col(name) if numeric else pl.col(name).cast(pl.Categorical).to_physical())
    features = rows.select(columns).to_numpy()
    before_window = rows["time"].to_numpy() < WINDOW_MS
    predictions = np.empty((len(rows), len(OBJECTIVES)))
    for index, objective in enumerate(OBJECTIVES):
        label = rows[objective].to_numpy()
        trees = lightgbm.LGBMClassifier(
            n_estimators=300, learning_rate=0.05, num_leaves=31, min_child_samples=50, colsample_bytree=0.6,
            subsample=0.8, subsample_freq=1, random_state=0, verbose=-1,
        )  # fmt: skip
        trees.fit(features[before_window], label[before_window])
        predictions[:, index] = trees.predict_proba(features)[:, 1]
    return predictions


if __name__ == "__main__":
    main()
