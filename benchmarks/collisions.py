"""What collisions cost: the experiment of Monolith (arXiv 2209.07663), section 3.1.1, with its numbers.

The same model learns from the same log with a row for each id; with ids hashed into so few rows that 2.9 %, 7.7 %, 25 %
or 50 % of them share one; and with each id composed of two rows out of twice half as many (quotient and remainder,
added: Shi et al., 2020), which takes as many bytes as a row for each id. AUC is of the last fifth of the log, after one
pass over the rest and after ten. Intervals are over seeds, differences seed by seed.

    python benchmarks/collisions.py [--json] [--quick] [--data FOLDER] [--plot FILE]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
import xxhash
from torch import nn

from feedmill import EmbeddingBag, EmbeddingTable
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, Slot
from feedmill.measure.metrics import auc, mean_interval
from public_data import FOLDERS, with_data
from report import Figure, arguments, progress, report

PLOT = Path(__file__).parents[1] / "docs" / "images" / "collisions.svg"
COLLIDING = (0.029, 0.077, 0.25, 0.5)
ALONE = "a row for each id"
COMPOSED = "quotient and remainder"
DIMENSION = 8
BATCH = 256
EPOCHS = 10
NOW = 1_651_161_600_000

Rows = Callable[[UInt64s], UInt64s]
"""Keys uint64 [n] to feature ids uint64 [n, rows of an id]."""


@dataclass(frozen=True)
class Log:
    """Impressions in the order of their times."""

    keys: UInt64s
    """uint64 [n, fields]: a 64-bit key of each value, the field mixed in."""
    labels: npt.NDArray[np.float32]

    @property
    def ids(self) -> int:
        return len(np.unique(self.keys))


class Network(nn.Module):
    """A factorization machine and a small network over the vectors of the fields."""

    def __init__(self, fields: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.network = nn.Sequential(nn.Linear(fields * DIMENSION, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows float32 [n, fields, 1 + DIMENSION] to logits float32 [n]."""
        vectors = rows[:, :, 1:]
        total = vectors.sum(1)
        pairs = 0.5 * (total * total - (vectors * vectors).sum(1)).sum(1)
        return self.bias + rows[:, :, 0].sum(1) + pairs + self.network(vectors.flatten(1))[:, 0]


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    parser.add_argument("--plot", type=Path, help=f"where to draw it; {PLOT.name} in docs/images unless --quick")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.seed, options.seed + (2 if options.quick else 5))
    epochs = 2 if options.quick else EPOCHS
    logs = {
        "MovieLens": movielens(options.data / FOLDERS["movielens"]),
        "KuaiRand": kuairand(options.data / FOLDERS["kuairand"]),
    }
    found: dict[str, Any] = {}
    for name, log in logs.items():
        if options.quick:
            log = Log(log.keys[:20_000], log.labels[:20_000])
        found[name] = compared(name, log, seeds, epochs)
    if options.plot or not options.quick:
        draw(found, options.plot or PLOT)
    half = f"{COLLIDING[-1]:.1%} collide"
    report(
        {
            f"AUC lost where half of the ids collide, {name}, after {passes}": Figure(
                round(-each[passes][half]["less a row for each id"][0], 5), "AUC", less_is_better=True
            )
            for name, each in found.items()
            for passes in ("one pass", f"{epochs} passes")
        },
        options=options,
        libraries=("numpy", "torch"),
        seeds=list(seeds),
        logs=found,
    )


def compared(name: str, log: Log, seeds: range, epochs: int) -> dict[str, Any]:
    """Every way to find rows, in every seed."""
    ids = log.ids
    ways: dict[str, Rows] = {ALONE: alone()}
    ways |= {f"{part:.1%} collide": hashed(round(-ids / np.log1p(-part))) for part in COLLIDING}
    ways[COMPOSED] = composed(ids // 2)
    reached = {}
    for way, rows in ways.items():
        reached[way] = np.array([learn(log, rows, seed, epochs) for seed in seeds])
        progress(f"{name}, {way}: {reached[way].mean(0).round(4).tolist()}")
    found: dict[str, Any] = {"ids": ids, "rows": len(log.labels)}
    for column, passes in enumerate(("one pass", f"{epochs} passes")):
        found[passes] = {
            way: {
                "auc": interval(values[:, column]),
                "less a row for each id": interval(values[:, column] - reached[ALONE][:, column]),
            }
            for way, values in reached.items()
        }
    found["colliding"] = {way: round(collided(log, rows), 4) for way, rows in ways.items()}
    return found


def learn(log: Log, rows: Rows, seed: int, epochs: int) -> tuple[float, float]:
    """AUC of the last fifth after one pass over the rest, and after all."""
    segment = Segment(1, Adagrad(0.05)), Segment(DIMENSION, Adagrad(0.05), initial_scale=0.05)
    bag = EmbeddingBag(EmbeddingTable([Slot(1, "collisions/id", segment)], seed=seed))
    torch.manual_seed(seed)
    network = Network(log.keys.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    # Which ids collide is another matter in each seed.
    keys = log.keys.ravel() ^ np.uint64(xxhash.xxh3_64_intdigest(f"seed {seed}".encode()))
    ids = rows(keys).reshape(len(log.labels), log.keys.shape[1], -1)
    cut = len(ids) * 4 // 5
    labels = torch.from_numpy(log.labels.copy())

    def looked_up(some: UInt64s) -> torch.Tensor:
        offsets = np.arange(0, some.size + 1, some.shape[2])
        return bag(np.ascontiguousarray(some.ravel()), offsets).view(len(some), some.shape[1], 1 + DIMENSION)

    def measured() -> float:
        with torch.inference_mode():
            return auc(log.labels[cut:] > 0.5, network(looked_up(ids[cut:])).numpy())

    reached = []
    for epoch in range(epochs):
        for start in range(0, cut, BATCH):
            some = slice(start, min(start + BATCH, cut))
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(looked_up(ids[some])), labels[some], reduction="sum"
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            bag.step(now=NOW)
        if epoch in (0, epochs - 1):
            reached.append(measured())
    return reached[0], reached[-1]


def alone() -> Rows:
    """A row for each id."""
    return lambda keys: feature_ids(1, keys | np.uint64(1))


def hashed(rows: int) -> Rows:
    """One of so many rows."""
    return lambda keys: feature_ids(1, keys % np.uint64(rows) + np.uint64(1))


def composed(rows: int) -> Rows:
    """Two rows for each id, of so many each: which two, no other id shares in all likelihood."""

    def pairs(keys: UInt64s) -> UInt64s:
        remainder, quotient = keys % np.uint64(rows), keys // np.uint64(rows) % np.uint64(rows)
        both = np.stack([remainder + np.uint64(1), quotient + np.uint64(rows + 1)], axis=1)
        return feature_ids(1, both.ravel()).reshape(both.shape)

    return pairs


def collided(log: Log, rows: Rows) -> float:
    """The share of the ids that have all their rows in common with another."""
    keys = np.unique(log.keys)
    own = rows(keys).reshape(len(keys), -1)
    _, inverse, counts = np.unique(own, axis=0, return_inverse=True, return_counts=True)
    return float((counts[inverse.ravel()] > 1).mean())


def keys_of(frame: pl.DataFrame, fields: tuple[str, ...]) -> UInt64s:
    """uint64 [n, fields]."""
    columns = []
    for field in fields:
        values, inverse = np.unique(frame[field].cast(pl.String).fill_null("").to_numpy(), return_inverse=True)
        hashes = np.array([xxhash.xxh3_64_intdigest(f"{field}={value}".encode()) for value in values], dtype=np.uint64)
        columns.append(hashes[inverse])
    return np.stack(columns, axis=1)


def movielens(folder: Path) -> Log:
    """Ratings: four stars and more are liked."""
    movies = pl.read_csv(folder / "movies.csv").select(
        "movieId", genre=pl.col("genres").str.split("|").list.first(), title="title"
    )
    ratings = (
        pl.read_csv(folder / "ratings.csv")
        .join(movies, on="movieId", how="left")
        .sort("timestamp", maintain_order=True)
    )
    ratings = ratings.with_columns(year=pl.col("title").str.extract(r"\((\d{4})\)"))
    labels = (ratings["rating"] >= 4).cast(pl.Float32).to_numpy()
    return Log(keys_of(ratings, ("userId", "movieId", "genre", "year")), labels)


def kuairand(folder: Path) -> Log:
    """Impressions: what was clicked."""
    videos = pl.read_csv(folder / "video_features_basic_pure.csv", columns=["video_id", "author_id", "tag"])
    log = pl.read_csv(folder / "log_standard_4_22_to_5_08_pure.csv").unique(
        ["user_id", "video_id", "time_ms"], keep="first", maintain_order=True
    )
    log = log.join(videos, on="video_id", how="left").sort("time_ms", maintain_order=True)
    labels = log["is_click"].cast(pl.Float32).to_numpy()
    return Log(keys_of(log, ("user_id", "video_id", "author_id", "tag", "tab")), labels)


def interval(values: npt.NDArray[np.float64]) -> list[float]:
    """The mean, and the bounds of its 95 % interval."""
    found = mean_interval(values)
    return [round(value, 5) for value in (found.estimate, found.low, found.high)]


def draw(found: dict[str, Any], path: Path) -> None:
    """What is lost by the share of ids that collide."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
    )
    figure, places = pyplot.subplots(1, len(found), figsize=(8.5, 3.2), layout="constrained", sharey=True)
    for place, (name, each) in zip(places, found.items(), strict=True):
        passes = [key for key in each if key.endswith(("pass", "passes"))]
        for key, colour in zip(passes, ("#d9562f", "#5b6b8c"), strict=True):
            points = [(100 * part, each[key][f"{part:.1%} collide"]["less a row for each id"]) for part in COLLIDING]
            shares = [share for share, _ in points]
            means = np.array([value[0] for _, value in points])
            bounds = np.array([value[1:] for _, value in points]).T
            place.errorbar(
                shares, means, np.abs(bounds - means), color=colour, marker="o", markersize=4, capsize=2, label=key
            )
            composed_at = each[key][COMPOSED]["less a row for each id"]
            place.axhline(composed_at[0], color=colour, linestyle=":", linewidth=1)
        place.axhline(0, color="#999", linewidth=0.8)
        place.set(title=name, xlabel="% of the ids that collide", xlim=(0, 55))
    places[0].set_ylabel("AUC beside a row for each id")
    places[0].legend(frameon=False, title="dotted: quotient and remainder", title_fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
