"""What the engine knows of items and users that are new: cold start.

In drifting worlds under an ordinary feed, at noon of each day of the second half, the engine ranks items that nobody
has been shown for users with a past, once with all features and once with ids alone (the user's and the item's, with
their counters). Users who join then are ranked live items for before they have done anything, and so is a twin of
each who is the same but declares no interests. How well an order agrees with the truth is the share of pairs of items
that stand in it as the user's true expected watched share has them (ties count half): one half is chance.

On KuaiRand the same engines predict every impression before they learn it: AUC of those whose video had not been shown
before, and what all features are above ids there, with intervals from resampling users.

    python benchmarks/cold_start.py [--data FOLDER] [--json] [--quick]
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.records import Record, User
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.training.learner import Learner
from feedmill.measure.metrics import auc, mean_interval, metric_interval, paired_bootstrap
from feedmill.run.config import Config
from feedmill.run.feed import make_feed
from feedmill.run.world_config import world_config
from feedmill.serve.pipeline.request import Request
from feedmill.simulation import WorldConfig
from feedmill.simulation.ordinary_feed import OrdinaryFeed
from feedmill.simulation.records import arrivals_of, seen_in
from feedmill.simulation.world import World
from public_data import batches_of, opened, with_data
from report import Figure, arguments, cores, progress, report

# Many join late, and half of all declare interests, so that there are enough of both kinds.
WORLD = WorldConfig(users=300, days=12, late_users=0.5, declare_interests=0.5)
QUICK = WorldConfig(
    users=80, days=6, backlog=250, births_per_day=40, authors=60, late_users=0.5, declare_interests=0.5
)  # fmt: skip
ASKED_USERS, ASKED_ITEMS = 40, 100
"""At most so many are ranked for, and so many ranked, at a time."""
SILENT = "silent-"
"""Before the id of a twin who declares no interests."""
SAMPLES = 1_000
OBJECTIVE = "long_view"

Doubles = npt.NDArray[np.float64]


def ids_alone(config: Config) -> Config:
    """The configuration with nothing but the ids of user and item, and their counters."""
    features = msgspec.structs.replace(config.features, groups=(("user",), ("item",)), crosses=())
    return msgspec.structs.replace(config, features=features, ranker=RankerConfig(slots=("user", "item")))


class Ranker:
    """An engine that follows a world, and ranks."""

    def __init__(self, config: Config) -> None:
        self.learner = Learner(config.learning(), SlotRegistry(), learn_retrieval=False)
        self.feed = make_feed(self.learner.state, lambda: self.learner.parameters, config.feed)

    def learn(self, records: Sequence[Record]) -> None:
        size = self.learner.config.training.batch
        for start in range(0, len(records), size):
            self.learner.step(records[start : start + size])

    def scores(self, user_id: str, item_ids: Sequence[str], now: int) -> Doubles:
        """float64 [items]; NaN for an item that the user may not be shown."""
        ranked = self.feed.rank(Request(user_id=user_id, now=now, limit=len(item_ids)), item_ids).page.items
        # The last bits of a prediction depend on its place in the batch.
        score = {item.item_id: round(item.score, 6) for item in ranked}
        return np.array([score.get(item_id, np.nan) for item_id in item_ids])


@dataclass
class Found:
    """Shares of pairs in the right order, one a user and moment."""

    items: list[float] = field(default_factory=list)
    """Items that nobody has been shown, by all features."""
    items_by_ids: list[float] = field(default_factory=list)
    declared: list[float] = field(default_factory=list)
    """New users with interests."""
    silent: list[float] = field(default_factory=list)
    """Their twins."""


def agreement(scores: Doubles, truth: Doubles) -> float:
    """The share of pairs that scores order as the truth does; ties of scores count half."""
    known = ~np.isnan(scores)
    scores, truth = scores[known], truth[known]
    by_score = np.sign(scores[:, None] - scores[None, :])
    by_truth = np.sign(truth[:, None] - truth[None, :])
    pairs = by_truth != 0
    return float((1 + by_score * by_truth)[pairs].mean() / 2) if pairs.any() else np.nan


def truth_of(world: World, users: npt.NDArray[np.int64], items: npt.NDArray[np.int64]) -> Doubles:
    """float64 [users, items]: the expected watched share of each item at the top of a page."""
    return np.stack([world.value(users, np.full((len(users), 1), item)) for item in items.tolist()], axis=1)


def in_world(shape: WorldConfig, seed: int) -> Found:
    torch.set_num_threads(1)
    config = world_config(seed)
    engine, by_ids = Ranker(config), Ranker(ids_alone(config))
    world = World(shape, np.random.default_rng(seed))
    feed = OrdinaryFeed(world, np.random.default_rng([seed, 2]))
    generator = np.random.default_rng([seed, 3])
    found = Found()
    shown = np.zeros(len(world.items), dtype=bool)
    active = np.zeros(len(world.users), dtype=bool)
    half = shape.start + (shape.end - shape.start) // 2
    while not world.ended:
        step = world.step()
        arrived = arrivals_of(world, step)
        arrived += [twin_of(record) for record in arrived if isinstance(record.body, User) and record.body.interests]
        for ranker in (engine, by_ids):
            ranker.learn(arrived)
        if world.now >= half:
            joined = np.array([i for i in step.joined.tolist() if world.users.bodies[i].interests], dtype=np.int64)
            ask_for_new_users(world, engine, joined, generator, found)
            if (world.now - shape.start) % DAY == 12 * HOUR:
                unseen = world.live_items[~shown[world.live_items]]
                ask_for_new_items(world, (engine, by_ids), np.flatnonzero(active), unseen, generator, found)
        records, users = [], step.arrivals
        for _ in range(shape.pages_per_session):
            if not len(users):
                break
            responses = world.respond(users, feed.page(users, world.live_items, shape.page))
            feed.observe(responses)
            shown[responses.items[responses.seen]] = True
            active[users] = True
            records += seen_in(world, responses)
            users = users[responses.goes_on]
        records.sort(key=lambda record: record.timestamp)
        for ranker in (engine, by_ids):
            ranker.learn(records)
    return found


def twin_of(record: Record) -> Record:
    """The same user without interests."""
    assert isinstance(record.body, User)
    body = msgspec.structs.replace(record.body, interests=())
    return msgspec.structs.replace(record, subject=SILENT + record.subject, body=body)


def ask_for_new_users(
    world: World, engine: Ranker, joined: npt.NDArray[np.int64], generator: np.random.Generator, found: Found
) -> None:
    """Rank live items for users who have just joined, and for their twins."""
    if not len(joined):
        return
    live = world.live_items
    items = np.sort(generator.choice(live, min(ASKED_ITEMS, len(live)), replace=False))
    names = [world.items.ids[i] for i in items]
    for user, truth in zip(joined.tolist(), truth_of(world, joined, items), strict=True):
        name = world.users.ids[user]
        found.declared.append(agreement(engine.scores(name, names, world.now), truth))
        found.silent.append(agreement(engine.scores(SILENT + name, names, world.now), truth))


def ask_for_new_items(
    world: World,
    engines: tuple[Ranker, Ranker],
    active: npt.NDArray[np.int64],
    unseen: npt.NDArray[np.int64],
    generator: np.random.Generator,
    found: Found,
) -> None:
    """Rank items that nobody has been shown for users with a past."""
    if len(unseen) < 2:
        return
    users = np.sort(generator.choice(active, min(ASKED_USERS, len(active)), replace=False))
    items = np.sort(generator.choice(unseen, min(ASKED_ITEMS, len(unseen)), replace=False))
    names = [world.items.ids[i] for i in items]
    for user, truth in zip(users.tolist(), truth_of(world, users, items), strict=True):
        name = world.users.ids[user]
        for engine, into in zip(engines, (found.items, found.items_by_ids), strict=True):
            into.append(agreement(engine.scores(name, names, world.now), truth))


@dataclass(frozen=True)
class FirstSeen:
    """Impressions of videos that had not been shown before."""

    predictions: Doubles
    labels: npt.NDArray[np.bool_]
    users: npt.NDArray[np.uint64]


def in_kuairand(data: Path, alone: bool) -> FirstSeen:
    """The first impression of each video, in the last four fifths of the log."""
    torch.set_num_threads(1)
    with opened("kuairand", data) as engine:
        config = ids_alone(engine.config) if alone else engine.config
        learner = Learner(config.learning(), SlotRegistry(), learn_retrieval=False)
        column = list(config.objectives).index(OBJECTIVE)
        predictions, labels, users, items = [], [], [], []
        for records in batches_of(engine):
            step = learner.step(records)
            predictions.append(step.predictions[:, column])
            labels.append(step.examples.labels[:, column] > 0.5)
            users.append(step.examples.users)
            items.append(step.examples.items)
    first = np.sort(np.unique(np.concatenate(items), return_index=True)[1])
    # The first videos come to a model that knows nothing of anything.
    first = first[first >= sum(map(len, labels)) // 5]
    return FirstSeen(
        np.concatenate(predictions)[first].astype(np.float64), np.concatenate(labels)[first],
        np.concatenate(users)[first],
    )  # fmt: skip


def main() -> None:
    parser = with_data(arguments((__doc__ or "").splitlines()[0]))
    options = parser.parse_args()
    lives = range(options.seed, options.seed + (2 if options.quick else 6))
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    worlds: list[Found] = []
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        logs = [pool.submit(in_kuairand, options.data, alone) for alone in (False, True)]
        for future in [pool.submit(in_world, QUICK if options.quick else WORLD, seed) for seed in lives]:
            worlds.append(future.result())
            progress(json.dumps({name: float(np.nanmean(values)) for name, values in vars(worlds[-1]).items()}))
        full, alone = (future.result() for future in logs)
    means = {name: np.array([np.nanmean(getattr(world, name)) for world in worlds]) for name in vars(worlds[0])}
    asked = {name: [len(getattr(world, name)) for world in worlds] for name in ("items", "declared")}
    generator = np.random.default_rng(options.seed)
    alike = (full.labels == alone.labels).all()
    assert alike, "both engines see the same rows"
    video = {
        name: bounds(metric_interval(auc, one.labels, one.predictions, one.users, SAMPLES, generator))
        for name, one in (("all features", full), ("ids", alone))
    }
    less = paired_bootstrap(auc, full.labels, full.predictions, alone.predictions, full.users, SAMPLES, generator)
    report(
        {
            "unseen items": Figure(float(means["items"].mean()), "pairs in order",
                                   peers={"ids": float(means["items_by_ids"].mean()), "chance": 0.5}),
            "new users": Figure(float(means["declared"].mean()), "pairs in order",
                                peers={"without interests": float(means["silent"].mean()), "chance": 0.5}),
            "KuaiRand, unseen videos": Figure(video["all features"][0], f"AUC of {OBJECTIVE}",
                                              peers={"ids": video["ids"][0]}),
        },
        options=options,
        libraries=("torch",),
        worlds=len(worlds),
        asked=asked,
        unseen_items={name: bounds(mean_interval(means[name])) for name in ("items", "items_by_ids")},
        new_users={name: bounds(mean_interval(means[name])) for name in ("declared", "silent")},
        items_less_ids=bounds(mean_interval(means["items"] - means["items_by_ids"])),
        declared_less_silent=bounds(mean_interval(means["declared"] - means["silent"])),
        unseen_videos={"rows": len(full.labels), **video, "all features less ids": bounds(less)},
    )  # fmt: skip


def bounds(found: Any) -> list[float]:
    return [round(float(value), 4) for value in (found.estimate, found.low, found.high)]


if __name__ == "__main__":
    main()
