"""Policies side by side: each lives in its own copy of one world, with the same births, drift, arrivals and noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.clock import DAY
from feedmill.domain.errors import InvalidArgument
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.policies import Oracle, Policy
from feedmill.simulation.records import arrivals_of, seen_in
from feedmill.simulation.world import World


class Outcome(msgspec.Struct, frozen=True):
    """How one policy did. Engagement is the mean watched share of the impressions seen; NaN where there were none."""

    engagement: float
    """In the last quarter of the world's time."""
    by_day: list[float]
    by_quarter: list[float]
    feeds: int
    impressions: int
    """Items seen."""
    actions: dict[str, int]
    """How often each action followed."""


class ContestResult(msgspec.Struct, frozen=True):
    """One contest."""

    seed: int
    days: int
    users: int
    items: int
    outcomes: dict[str, Outcome]
    """By the name of the policy, in the order in which they were given; the oracle last."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a contest stands after a step."""

    now: int
    """UTC milliseconds in the world."""
    step: int
    steps: int
    feeds: int
    """Feeds that each policy has filled."""
    by_day: dict[str, list[float]]
    """Engagement of each policy by day, up to today."""


def run(
    config: WorldConfig,
    policies: Sequence[Policy],
    seed: int,
    *,
    oracle: bool = True,
    progress: Callable[[Standing], None] | None = None,
) -> ContestResult:
    """Let the policies fill the feeds of one world from its first to its last step.

    In a step a policy is told what was born and who joined, fills the feeds of those who arrive, and is then told what
    they did. The oracle is added unless `oracle` is False. `progress` is called after each step.
    """
    origin = World(config, np.random.default_rng(seed))
    entrants = [_Entrant(policy, origin.copy()) for policy in policies]
    if oracle:
        world = origin.copy()
        entrants.append(_Entrant(Oracle(world), world))
    names = [entrant.policy.name for entrant in entrants]
    if len(set(names)) < len(names):
        raise InvalidArgument(f"policies: two are called alike ({', '.join(names)}); give each a name of its own")
    for step in range(config.steps):
        for entrant in entrants:
            entrant.live(step)
        if progress is not None:
            progress(_standing(entrants, config, step))
    return ContestResult(
        seed=seed,
        days=config.days,
        users=len(origin.users),
        items=len(origin.items),
        outcomes={entrant.policy.name: entrant.outcome() for entrant in entrants},
    )


class _Entrant:
    """A policy, its copy of the world, and what it has brought so far."""

    def __init__(self, policy: Policy, world: World) -> None:
        self.policy = policy
        self.feeds = 0
        self._world = world
        self._watched = np.zeros(world.config.steps)
        self._seen = np.zeros(world.config.steps, dtype=np.int64)
        self._actions: dict[str, int] = {}

    def live(self, number: int) -> None:
        world, policy = self._world, self.policy
        step = world.step()
        news = arrivals_of(world, step)
        if news:
            policy.observe(news)
        if len(step.arrivals) == 0:
            return
        user_ids = [world.users.ids[user] for user in step.arrivals.tolist()]
        slates = policy.slate(user_ids, step.now, world.config.page)
        responses = world.respond(step.arrivals, world.item_indices([slate.items for slate in slates]))
        records = seen_in(world, responses, [slate.request_id for slate in slates])
        if records:
            policy.observe(records)
        self.feeds += len(slates)
        self._watched[number] = responses.watched.sum(dtype=np.float64)
        self._seen[number] = responses.seen.sum()
        for record in records:
            for action in record.outcomes or ():
                self._actions[action] = self._actions.get(action, 0) + 1

    def by_day(self, steps: int) -> list[float]:
        """Engagement by day in the first `steps`."""
        day = DAY // self._world.config.step
        return [self._mean(start, min(start + day, steps)) for start in range(0, steps, day)]

    def outcome(self) -> Outcome:
        steps = self._world.config.steps
        quarters: npt.NDArray[np.int64] = np.arange(5) * steps // 4
        by_quarter = [self._mean(int(start), int(end)) for start, end in pairwise(quarters)]
        return Outcome(
            engagement=by_quarter[-1],
            by_day=self.by_day(steps),
            by_quarter=by_quarter,
            feeds=self.feeds,
            impressions=int(self._seen.sum()),
            actions=dict(sorted(self._actions.items())),
        )

    def _mean(self, start: int, end: int) -> float:
        seen = int(self._seen[start:end].sum())
        return float(self._watched[start:end].sum()) / seen if seen else float("nan")


def _standing(entrants: Sequence[_Entrant], config: WorldConfig, step: int) -> Standing:
    return Standing(
        now=config.start + (step + 1) * config.step,
        step=step + 1,
        steps=config.steps,
        feeds=entrants[0].feeds if entrants else 0,
        by_day={entrant.policy.name: entrant.by_day(step + 1) for entrant in entrants},
    )
