"""Policies side by side: each lives in its own copy of one world, with the same people, items, drift and chances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from feedmill.domain.errors import InvalidArgument
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.policies import Oracle, Policy
from feedmill.simulation.records import arrivals_of, seen_in
from feedmill.simulation.tally import Measures, Tally
from feedmill.simulation.world import World

Change = Callable[[World], object]
"""What somebody does to a world, as `lambda world: world.shock("cats")`."""


class Outcome(msgspec.Struct, frozen=True):
    """How one policy did."""

    days: list[Measures]
    quarters: list[Measures]
    """Of the world's time; the last tells how well a policy does once it knows the users."""
    next_day: float | None
    """The share of those active on a day who were active on the next; None in worlds of a day."""
    next_week: float | None
    """The same of the day a week later; None in worlds of a week or less."""
    feeds: int
    """Pages served."""
    impressions: int
    """Items seen."""
    actions: dict[str, int]
    """How often each action followed."""

    @property
    def engagement(self) -> float | None:
        """In the last quarter: the mean watched share of what was seen; None where that was nothing."""
        return self.quarters[-1].engagement

    @property
    def by_day(self) -> list[float | None]:
        """Engagement by day."""
        return [day.engagement for day in self.days]

    @property
    def by_quarter(self) -> list[float | None]:
        """Engagement by quarter."""
        return [quarter.engagement for quarter in self.quarters]


class ContestResult(msgspec.Struct, frozen=True):
    """One contest."""

    seed: int
    days: int
    users: int
    items: int
    """That could have been born."""
    outcomes: dict[str, Outcome]
    """By the name of the policy, in the order in which they were given; the oracle last."""

    def regret(self, name: str) -> list[float | None]:
        """By day: the engagement that the oracle had, in its own copy of the world, less that of a policy in its own;
        None where one of them had none.

        Raises KeyError where one of the two is not in the contest.
        """
        pairs = zip(self.outcomes["oracle"].by_day, self.outcomes[name].by_day, strict=True)
        return [None if best is None or reached is None else best - reached for best, reached in pairs]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a contest stands after a step."""

    now: int
    """UTC milliseconds in the world."""
    step: int
    steps: int
    feeds: int
    """Pages that the first policy has filled."""
    by_day: dict[str, list[float | None]]
    """Engagement of each policy by day, up to today; None where nothing was seen."""


class Entrant:
    """A policy, its copy of the world, and what it has brought so far."""

    def __init__(self, policy: Policy, world: World) -> None:
        """`world` becomes the entrant's own."""
        self.policy = policy
        self.world = world
        self.tally = Tally(world)

    def live(self) -> None:
        """One step: the policy is told what was born and who joined, fills the feeds of those who arrive, is told what
        they did, and fills further pages for those who want more."""
        world, policy, tally = self.world, self.policy, self.tally
        step = world.step()
        tally.open(step)
        news = arrivals_of(world, step)
        if news:
            policy.observe(news)
        users, now = step.arrivals, step.now
        for _ in range(world.config.pages_per_session):
            if len(users) == 0:
                break
            slates = policy.slate([world.users.ids[user] for user in users.tolist()], now, world.config.page)
            responses = world.respond(users, world.item_indices([slate.items for slate in slates]))
            tally.add(responses)
            records = seen_in(world, responses, [slate.request_id for slate in slates])
            if records:
                policy.observe(records)
            # Those who go on are asked for together, once the last of them has come to the end of the page.
            users, now = users[responses.goes_on], max(now, int(responses.timestamps.max())) + 1

    def outcome(self) -> Outcome:
        """What has come of it up to now."""
        tally, steps = self.tally, len(self.tally.seen)
        bounds = [quarter * steps // 4 for quarter in range(5)]
        return Outcome(
            days=tally.by_day(),
            quarters=[tally.between(start, end) for start, end in pairwise(bounds)],
            next_day=tally.returned(1),
            next_week=tally.returned(7),
            feeds=tally.feeds,
            impressions=sum(tally.seen),
            actions=dict(tally.actions),
        )


class Contest:
    """Policies that live through one world at the same time."""

    def __init__(self, origin: World, policies: Sequence[Policy], *, oracle: bool = True) -> None:
        """Each policy gets a copy of `origin`; the oracle is added unless `oracle` is False.

        Raises InvalidArgument where two policies have one name.
        """
        self.config = origin.config
        self.entrants = [Entrant(policy, origin.copy()) for policy in policies]
        if oracle:
            world = origin.copy()
            self.entrants.append(Entrant(Oracle(world), world))
        names = [entrant.policy.name for entrant in self.entrants]
        if len(set(names)) < len(names):
            raise InvalidArgument(f"policies: two are called alike ({', '.join(names)}); give each a name of its own")
        self.steps = 0
        """That all have lived."""

    def step(self) -> None:
        """Let everybody live one step. Raises InvalidArgument once the world has ended."""
        for entrant in self.entrants:
            entrant.live()
        self.steps += 1

    def apply(self, change: Change) -> None:
        """Do the same to every copy of the world; between steps."""
        for entrant in self.entrants:
            change(entrant.world)

    def standing(self) -> Standing:
        """Where the contest stands now."""
        first = self.entrants[0] if self.entrants else None
        return Standing(
            now=self.config.start + self.steps * self.config.step,
            step=self.steps,
            steps=self.config.steps,
            feeds=first.tally.feeds if first else 0,
            by_day={entrant.policy.name: entrant.tally.engagement_by_day() for entrant in self.entrants},
        )

    def outcomes(self) -> dict[str, Outcome]:
        """By the name of the policy."""
        return {entrant.policy.name: entrant.outcome() for entrant in self.entrants}


def run(
    config: WorldConfig,
    policies: Sequence[Policy],
    seed: int,
    *,
    oracle: bool = True,
    changes: Mapping[int, Change] | None = None,
    progress: Callable[[Standing], None] | None = None,
) -> ContestResult:
    """Let the policies, and the oracle unless `oracle` is False, fill the feeds of one world from beginning to end.

    `changes` are what is done to every copy before a step, by its number from 0. `progress` is called after each step.
    """
    origin = World(config, np.random.default_rng(seed))
    contest = Contest(origin, policies, oracle=oracle)
    for number in range(config.steps):
        if changes and number in changes:
            contest.apply(changes[number])
        contest.step()
        if progress is not None:
            progress(contest.standing())
    return ContestResult(
        seed=seed, days=config.days, users=len(origin.users), items=len(origin.items), outcomes=contest.outcomes()
    )
