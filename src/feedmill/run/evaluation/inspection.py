"""What a home's log is like, and what it can show: everything that `feedmill inspect` says."""

from __future__ import annotations

import msgspec
import numpy as np

from feedmill.domain.clock import DAY, HOUR, format_time
from feedmill.domain.errors import InvalidFile
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item
from feedmill.measure.inspection.drift import Drift, drift_of
from feedmill.measure.inspection.fitness import Fitness, fitness
from feedmill.measure.inspection.machines import find_machines
from feedmill.measure.inspection.shape import Shape, shape_of
from feedmill.run.config import Config
from feedmill.run.engine import Engine
from feedmill.run.evaluation.logged import Logged, Progress, read_log
from feedmill.run.evaluation.protocols import PROGRESSIVE, RANKING_PROTOCOLS

COLUMNS = 48
"""Of the plot over time."""
SHOWN_MACHINES = 20
_FIELDS = ("title", "author_id", "categories", "tags", "text", "created_at", "duration", "embedding")


class Suspect(msgspec.Struct, frozen=True):
    """A user who looks like a machine."""

    user_id: str
    events: int
    sign: str


class Activity(msgspec.Struct, frozen=True):
    """Events over the time of the log, and over the hours of a day."""

    starts: list[int]
    """UTC milliseconds."""
    events: list[int]
    by_hour: list[int]
    """24, in UTC."""


class InspectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `feedmill inspect` says."""

    home: str
    events: Shape
    """All events and impressions."""
    taken: str
    """What counts as taking to an item."""
    interactions: Shape | None
    """Of them, those in which a user took to an item; None where there are none."""
    actions: dict[str, int]
    first: str
    last: str
    days: float
    described_items: int
    unmet_items: int
    """Items that are described, and that no event names."""
    missing: dict[str, float]
    """For each field and attribute of items, the share of the described items that lack it."""
    without_value: float
    """The share of events without a value."""
    machines: int
    suspects: list[Suspect]
    """The busiest of them."""
    machine_events: float
    """Their share of all events."""
    drift: Drift | None
    activity: Activity
    protocols: list[Fitness]
    findings: list[str]
    """What to know before models are compared on it, in sentences."""
    command: str
    report: str = ""


def inspect_home(
    engine: Engine,
    *,
    actions: tuple[str, ...] = (),
    seed: int = 0,
    progress: Progress = lambda phase, done, total: None,
) -> InspectionReport:
    """Read the log of a home, and say what it is like. Raises InvalidFile where it holds no events."""
    logged = read_log(engine.log, engine.config, actions, progress)
    if not len(logged.users):
        raise InvalidFile(f"{engine.home.log}: holds no events; `feedmill import events` brings some in")
    everything = Interactions.of(
        logged.users, logged.items, logged.times, n_users=len(logged.user_ids), n_items=len(logged.item_ids)
    )
    taken = logged.interactions if logged.taken.any() else None
    progress("looking for machines", 1, 3)
    machines = find_machines(logged.users, logged.items, logged.times)
    progress("trying protocols", 2, 3)
    protocols = fitness(taken, [kind() for kind in RANKING_PROTOCOLS.values()]) if taken is not None else []
    protocols.append(_progressive(logged, engine.config))
    drift = drift_of(everything if taken is None else taken, np.random.default_rng(seed))
    first, last = int(logged.times.min()), int(logged.times.max())
    report = InspectionReport(
        home=str(engine.home.path),
        events=shape_of(everything),
        taken=logged.rule,
        interactions=None if taken is None else shape_of(taken),
        actions=dict(sorted(logged.actions.items(), key=lambda entry: -entry[1])),
        first=format_time(first),
        last=format_time(last),
        days=(last - first) / DAY,
        described_items=len(logged.bodies),
        unmet_items=len(set(logged.bodies) - set(np.unique(logged.items).tolist())),
        missing=_missing(list(logged.bodies.values())),
        without_value=float(np.isnan(logged.values).mean()),
        machines=len(machines),
        suspects=[Suspect(logged.user_ids[m.user], m.events, m.sign) for m in machines[:SHOWN_MACHINES]],
        machine_events=sum(m.events for m in machines) / len(logged.users),
        drift=drift,
        activity=_activity(logged, first, last),
        protocols=protocols,
        findings=[],
        command=f"feedmill inspect --home {engine.home.path}" + (f" --actions {','.join(actions)}" if actions else ""),
    )
    return msgspec.structs.replace(report, findings=findings(report))


def _progressive(logged: Logged, config: Config) -> Fitness:
    """The progressive protocol needs rows to predict: impressions, or actions that are examples of their own."""
    alone = [name for name, action in config.actions.items() if action.example_without_impression]
    if not logged.shown and not set(alone) & set(logged.actions):
        why = (
            "No: nothing was shown, and no action that occurs is an example of its own (actions.NAME in feedmill.toml)."
        )
        return Fitness(PROGRESSIVE, False, 0, 0, why)
    later = logged.times >= np.median(logged.times)
    return Fitness(
        PROGRESSIVE, True, len(np.unique(logged.users[later])), int(later.sum()), "Yes: it judges predictions."
    )


def findings(report: InspectionReport) -> list[str]:
    """What stands out, in sentences; the most important first."""
    said = []
    events, taken = report.events, report.interactions
    if taken is None:
        return [
            f"Nothing in the log counts as taking to an item ({report.taken}): name actions that do with --actions."
        ]
    bears = [one.protocol for one in report.protocols if one.bears]
    said.append(f"It can bear {', '.join(bears)}." if bears else "It can bear no protocol: there is too little of it.")
    if report.drift is not None and report.drift.distance > 1.5 * report.drift.by_chance:
        said.append(
            f"What users take to drifts: the halves are {report.drift.distance:.2f} apart, by chance they would be"
            f" {report.drift.by_chance:.2f}; {report.drift.new_items:.0%} of the second half is on items that the first"
            " does not have. Compare by time."
        )
    if report.machines:
        one = report.machines == 1
        who = "One user looks like a machine, with" if one else f"{report.machines:,} users look like machines, with"
        said.append(f"{who} {report.machine_events:.1%} of the events.")
    if events.doubled > 0.001 * events.rows:
        said.append(f"{events.doubled:,} rows stand there twice, with the same user, item and time.")
    if taken.by_user.one > 0.5:
        said.append(f"{taken.by_user.one:.0%} of the users took to one item only: nothing can be asked of them.")
    if taken.head["1%"] > 0.3:
        said.append(f"One item in a hundred has {taken.head['1%']:.0%} of it all: popularity will be hard to beat.")
    if report.days == 0:
        said.append("All events have the same time: only folds can be used.")
    bare = [name for name in ("title", "categories", "tags", "text") if report.missing.get(name, 1.0) < 1]
    if report.described_items and not bare:
        said.append("Items have neither title, categories, tags nor text: a new item cannot be told from another.")
    return said


def _missing(bodies: list[Item]) -> dict[str, float]:
    """Fields first, then attributes by how many lack them."""
    n = len(bodies)
    if not n:
        return {}
    shares = {name: sum(not _has(body, name) for body in bodies) / n for name in _FIELDS}
    counts: dict[str, int] = {}
    for body in bodies:
        for name, value in body.attributes.items():
            counts[name] = counts.get(name, 0) + (value is not None)
    return shares | {name: 1 - count / n for name, count in sorted(counts.items(), key=lambda entry: -entry[1])[:20]}


def _has(body: Item, name: str) -> bool:
    value = getattr(body, name)
    return value is not None and value not in ("", ())


def _activity(logged: Logged, first: int, last: int) -> Activity:
    width = max((last - first + 1) / COLUMNS, 1.0)
    counts = np.bincount(((logged.times - first) / width).astype(np.int64), minlength=COLUMNS)[:COLUMNS]
    hours = np.bincount((logged.times % DAY) // HOUR, minlength=24)
    return Activity([round(first + i * width) for i in range(COLUMNS)], counts.tolist(), hours.tolist())
