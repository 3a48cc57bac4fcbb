"""Feedmill beside other policies, and the oracle, in the simulated world (figure S4).

Every policy lives 20 days in its own copy of each world, one world a seed; nobody sees another's feeds. Engagement is
the mean watched share of what was seen in the last quarter. The figure is how much of the way from the best fixed
policy to the oracle Feedmill goes: (ours - best fixed) / (oracle - best fixed). Fixed are popularity (the best of three
decay windows on these very seeds), item neighbours, factors from alternating least squares refreshed each day, and
Feedmill itself with a model frozen after five days.

Intervals are lists: the mean over seeds, and the bounds of its 95 % interval; null where nothing was measured.

    python benchmarks/world.py [--json] [--quick] [--keep FOLDER] [--plot FILE]
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.clock import DAY
from feedmill.measure.metrics import mean_interval
from feedmill.simulation import (
    ContestResult,
    Measures,
    Outcome,
    Policy,
    Popularity,
    Random,
    WorldConfig,
    daily_als,
    item_neighbours,
    run,
)
from report import Figure, arguments, cores, progress, report

WORLD = WorldConfig(users=350, days=20)
QUICK = WorldConfig(users=80, days=6, backlog=250, births_per_day=40, authors=60)
WINDOWS = {"popularity, 2 days": 2 * DAY, "popularity, 8 days": 8 * DAY, "popularity, 32 days": 32 * DAY}
FIXED = (*WINDOWS, "item neighbours", "als", "frozen")
# So that all processes end at about the same time.
SLOWEST_FIRST = ("feedmill", "frozen", "item neighbours", "als", "oracle", *WINDOWS, "random")
PLOT = Path(__file__).parents[1] / "docs" / "images" / "world.svg"

Doubles = npt.NDArray[np.float64]
Interval = list[float | None] | None
"""The estimate and its bounds."""


@dataclass(frozen=True)
class Lead(Figure):
    """How much of the oracle's lead over the best fixed policy is ours; `peers` are what fixed policies reach."""

    ours: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"to_peer": float(f"{self.ours / max(self.peers.values()):.4g}")}


def main() -> None:
    parser = arguments((__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="write what each policy did there, and do not do it again")
    parser.add_argument("--plot", type=Path, help=f"where to draw it; {PLOT.name} in docs/images unless --quick")
    options = parser.parse_args()
    config = QUICK if options.quick else WORLD
    seeds = range(options.seed, options.seed + (2 if options.quick else 5))
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results, reused = live(config, seeds, options.keep or Path(folder))
    figure, context = summary(results)
    if options.plot or not options.quick:
        from world_plot import draw

        draw(results, options.plot or PLOT, popularity=context["popularity"])
    report(
        {"S4": figure},
        options=options,
        libraries=("implicit", "scipy", "torch"),
        users=config.users,
        days=config.days,
        seeds=list(seeds),
        minutes_taken=round((time.monotonic() - started) / 60, 2),
        reused=reused,
        **context,
    )


def makers(config: WorldConfig, seed: int) -> dict[str, Callable[[], Policy]]:
    """How each policy but the oracle is made for the world of a seed."""
    from feedmill.run.policy import FeedmillPolicy, frozen_policy
    from feedmill.run.world_config import world_config

    return {
        "feedmill": lambda: FeedmillPolicy(world_config(seed)),
        "frozen": lambda: frozen_policy(config, world_config(seed)),
        "item neighbours": item_neighbours,
        "als": daily_als,
        **{name: partial(Popularity, span) for name, span in WINDOWS.items()},
        "random": lambda: Random(np.random.default_rng([seed, 1])),
    }


def live(config: WorldConfig, seeds: range, folder: Path) -> tuple[list[ContestResult], list[str]]:
    """Each policy in each world, on all cores; what lies in the folder already is taken from there, and its files are
    named."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    tasks = [(name, seed) for name in SLOWEST_FIRST for seed in seeds]
    found: dict[tuple[str, int], ContestResult] = {}
    waiting = []
    for name, seed in tasks:
        path = kept(config, name, seed, folder)
        if path.exists():
            found[name, seed] = msgspec.json.decode(path.read_bytes(), type=ContestResult)
        else:
            waiting.append((name, seed))
    reused = sorted(kept(config, name, seed, folder).name for name, seed in found)
    if reused:
        progress(f"{len(reused)} of {len(tasks)} taken from {folder}")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(cores(), len(waiting))), mp_context=spawn) as pool:
        futures = {pool.submit(outcome, config, name, seed, folder): (name, seed) for name, seed in waiting}
        try:
            for done in as_completed(futures):
                name, seed = futures[done]
                found[name, seed], seconds = done.result()
                (engagement,) = rounded([found[name, seed].outcomes[name].engagement])
                progress(f"{len(found)} of {len(tasks)}: seed {seed}, {name}: {engagement} ({seconds:.0f} s)")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    order = ("random", *FIXED, "feedmill", "oracle")
    results = [
        msgspec.structs.replace(
            found["oracle", seed], outcomes={name: found[name, seed].outcomes[name] for name in order}
        )
        for seed in seeds
    ]
    return results, reused


def kept(config: WorldConfig, name: str, seed: int, folder: Path) -> Path:
    """Where the result of a policy lies: elsewhere for another world, configuration of Feedmill or set of measures."""
    from feedmill.run.world_config import world_config

    digest = hashlib.sha256(msgspec.json.encode([config, world_config(seed), Measures.__struct_fields__])).hexdigest()[
        :12
    ]
    return folder / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}-{digest}.json"


def outcome(config: WorldConfig, name: str, seed: int, folder: Path) -> tuple[ContestResult, float]:
    """What a policy brings in the world of a seed, and the seconds that took. Runs in a process of its own."""
    import torch

    torch.set_num_threads(1)
    started = time.monotonic()
    policies = [] if name == "oracle" else [makers(config, seed)[name]()]
    result = run(config, policies, seed, oracle=not policies)
    # The three windows of popularity have one name in a contest.
    result = msgspec.structs.replace(result, outcomes={name: next(iter(result.outcomes.values()))})
    path = kept(config, name, seed, folder)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(result))
    part.replace(path)
    return result, time.monotonic() - started


def summary(results: list[ContestResult]) -> tuple[Figure, dict[str, Any]]:
    """The figure, and everything else there is to know."""
    engagement = {name: by_seed(results, name, lambda found: found.engagement) for name in results[0].outcomes}
    minutes = {name: by_seed(results, name, lambda found: found.quarters[-1].minutes) for name in engagement}
    means = {name: float(values.mean()) for name, values in engagement.items()}
    popularity = max(WINDOWS, key=lambda name: means[name])
    of_engagement, of_minutes = lead(engagement), lead(minutes)
    peers = {name: round(means[name], 4) for name in FIXED}
    if of_engagement["interval"] is None:
        raise SystemExit(f"the oracle is ahead of {of_engagement['best_fixed']} in no world: there is no lead to share")
    value = of_engagement["interval"][0]
    order = ("random", popularity, "item neighbours", "feedmill", "oracle")
    return Lead(value, "of the oracle's lead", limit=1.0, peers=peers, ours=means["feedmill"]), {
        "popularity": popularity,
        "lead": of_engagement,
        "minutes": of_minutes,
        "order": {
            f"{worse} < {better}": ahead(engagement[better], engagement[worse]) for worse, better in pairwise(order)
        },
        "feedmill_ahead_of": {name: ahead(engagement["feedmill"], engagement[name]) for name in FIXED},
        "policies": {name: policy_summary(results, name) for name in engagement},
    }


def lead(reached: dict[str, Doubles]) -> dict[str, Any]:
    """How much of the oracle's lead over the best fixed policy is Feedmill's, in each world and over them."""
    best = max(FIXED, key=lambda name: float(reached[name].mean()))
    ours, oracle, peer = reached["feedmill"], reached["oracle"], reached[best]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where the oracle has no lead, there is no share of it.
        shares = np.where(oracle > peer, (ours - peer) / (oracle - peer), np.nan)
    return {"best_fixed": best, "interval": interval(shares), "by_seed": rounded(shares)}


def ahead(better: Doubles, worse: Doubles) -> dict[str, Any]:
    """By how much one policy is ahead of another in the same worlds; it holds where the whole interval is above 0."""
    difference = better - worse
    found = interval(difference)
    low = found[1] if found else None
    return {
        "difference": found,
        "holds": low is not None and low > 0,
        "in_seeds": f"{int((difference > 0).sum())} of {len(difference)}",
    }


def policy_summary(results: list[ContestResult], name: str) -> dict[str, Any]:
    """How one policy did, in the last quarter, over all days, and by day."""
    fields = Measures.__struct_fields__
    regret = floats(result.regret(name) for result in results)
    by_day = {
        field: floats([getattr(day, field) for day in result.outcomes[name].days] for result in results)
        for field in fields
    }
    overall: dict[str, Callable[[Outcome], float | None]] = {
        "next_day": lambda found: found.next_day,
        "next_week": lambda found: found.next_week,
        "items_seen": lambda found: found.impressions,
        "likes_per_thousand_seen": lambda found: 1000 * found.actions["like"] / max(1, found.impressions),
    }
    return {
        "last_quarter": {
            field: interval(by_seed(results, name, lambda found, field=field: getattr(found.quarters[-1], field)))
            for field in fields
        },
        "overall": {key: interval(by_seed(results, name, read)) for key, read in overall.items()}
        | {"regret": interval(np.nanmean(regret, axis=1))},
        "by_day": {key: [interval(day) for day in days.T] for key, days in (by_day | {"regret": regret}).items()},
    }


def by_seed(results: list[ContestResult], name: str, read: Callable[..., float | None]) -> Doubles:
    """float64 [seeds]; NaN where there was nothing to measure."""
    return floats(read(result.outcomes[name]) for result in results)


def floats(rows: Iterable[Any]) -> Doubles:
    """float64; None becomes NaN."""
    return np.array(list(rows), dtype=np.float64)


def interval(values: Doubles) -> Interval:
    """The mean over the seeds that have a value, and its 95 % interval; None where none has one."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    found = mean_interval(known)
    return rounded((found.estimate, found.low, found.high))


def rounded(values: Doubles | Sequence[float | None]) -> list[float | None]:
    """To four digits; None instead of NaN, which JSON lacks."""
    return [None if np.isnan(value) else round(value, 4) for value in np.asarray(values, dtype=np.float64).tolist()]


if __name__ == "__main__":
    main()
