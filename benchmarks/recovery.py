"""Killed at random moments: what is lost, doubled and changed, and what snapshots cost (figures L5 and L6).

L5: a server and a trainer over one home, under a load of events and feeds. With SIGKILL the trainer, the server, or
both at once are ended 200 times: at random moments, while a snapshot is being written, and while a delta is being
written. Every event that was acknowledged must be in the log, once. Seconds to recover go from the kill to the first
page, or to the first parameters of the trainer that came after. In the end the parameters, counters and waiting
impressions are compared with those of a run that takes the journalled steps without interruption, byte for byte.

L6: training over one log from its beginning to its end, with a snapshot every 1,000 steps and with none but the last,
in turns; the share that snapshots add to the time, and to what the processor does in all threads.

    python benchmarks/recovery.py [--json] [--quick] [--kills N] [--records N]
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

from feedmill.domain.errors import StorageError
from feedmill.domain.records import Item, Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.sync.files import FileChannel
from feedmill.learn.training.journal import Entry, read_journal
from feedmill.learn.training.learner import Learner
from feedmill.learn.training.snapshots import Snapshots
from feedmill.learn.training.trainer import Trainer
from feedmill.measure.metrics import mean_interval
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.learner_bytes import learner_bytes
from feedmill.testing.serving import Part, Serving, serving, wait_for
from feedmill.testing.serving_load import Load
from report import Figure, arguments, progress, report

ITEMS, USERS, PAST = 2_000, 5_000, 50_000
SNAPSHOT_STEPS = 40
KILLED = ("trainer", "server", "both")
MOMENTS = ("random", "snapshot", "delta")
STEADY_SECONDS = 5.5
"""A process that has lived so long is restarted at once. One that fails sooner is made to wait, longer each time."""
SETTINGS = ("--set", f"training.snapshot_steps={SNAPSHOT_STEPS}")


@dataclass
class Kills:
    """What happened to whom."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in KILLED})
    moments: Counter[str] = field(default_factory=Counter)
    """Kills that found a snapshot or a delta half written are counted under that."""
    at: dict[str, float] = field(default_factory=dict)
    """When each process was killed last."""


class Journals:
    """All steps that a home's trainer has journalled: its files go when a snapshot covers them, so they are read on."""

    def __init__(self, folder: Path, learner: int) -> None:
        self.entries: dict[int, Entry] = {}
        self.contradictions = 0
        self._folder, self._learner = folder, learner
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.read()

    def read(self) -> None:
        for path in self._folder.glob("*.journal"):
            with contextlib.suppress(StorageError):
                for entry in read_journal(path, self._learner):
                    self.contradictions += self.entries.setdefault(entry.number, entry) != entry

    def _follow(self) -> None:
        while not self._stopping.wait(0.1):
            self.read()


def main() -> None:
    parser = arguments((__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="200 take about twenty minutes")
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="of the log by which the cost of snapshots is taken"
    )
    options = parser.parse_args()
    if options.quick:
        options.kills, options.records = 9, 40_000
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = killed(Path(folder), options.kills, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        costs = snapshots_cost(Path(folder), options.records, 2 if options.quick else 6)
    seconds = [each for some in found["seconds"].values() for each in some]
    report(
        {
            "L5": Figure(float(np.percentile(seconds, 99)), "s", less_is_better=True),
            "L5.lost": Figure(found["lost"], "events"),
            "L5.doubled": Figure(found["doubled"], "events"),
            "L5.parameters that differ": Figure(len(found["different"]), "arrays"),
            "L6": Figure(costs["clock"]["share"], "of the time", peers={"CPR": 0.0053}, less_is_better=True),
            "L6.processor": Figure(costs["processor"]["share"], "of the processor's time", less_is_better=True),
        },
        options=options,
        libraries=("torch",),
        published={"Monolith": "up to a day of updates is lost", "CPR": "0.53 to 0.68 % of the time"},
        killed=found
        | {
            "seconds": {
                part: {
                    "p50": round(statistics.median(some), 2),
                    "p99": round(float(np.percentile(some, 99)), 2),
                    "longest": round(max(some), 2),
                }
                for part, some in found["seconds"].items()
            }
        },
        snapshots=costs,
    )


def write_log(home: Path, events: int) -> None:
    """A home with items and a past."""
    now, rng = time.time_ns() // 1_000_000, random.Random(1)
    items = [
        Record("item", now - 86_400_000, object=f"i{n}", body=Item(author_id=f"a{n % 200}", tags=(f"t{n % 40}",)))
        for n in range(ITEMS)
    ]
    with contextlib.closing(SqliteLog(Home(home).log)) as log:
        log.append(items)
        for start in range(0, events, 10_000):
            log.append(
                [
                    Record(
                        "event", now - 86_400_000 + 86_000_000 * n // events, f"u{rng.randrange(USERS)}",
                        f"i{int(ITEMS * rng.random() ** 2)}", rng.choice(["like", "click", "long_view", "view"]),
                        event_id=f"past-{n}",
                    )
                    for n in range(start, min(start + 10_000, events))
                ]
            )  # fmt: skip


def killed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill so often; what that has done."""
    home, rng = folder / "home", random.Random(seed)
    write_log(home, PAST)
    done = Kills()
    with contextlib.ExitStack() as stack:
        with Engine.open(home, arguments=SETTINGS[1::2], environment={}) as engine:
            engine.make_learner().close()
            digest = xxhash.xxh3_64_intdigest(fresh_learner(engine).digest)
            journals = Journals(engine.home.snapshots, digest)
        served = stack.enter_context(serving(home, *SETTINGS))
        served.wait_until_learned(120)
        load = Load(served.url, items=ITEMS)
        stack.callback(load.stop)
        for number in range(kills):
            part, moment = KILLED[number % 3], MOMENTS[number // 3 % 3]
            done.seconds[part].append(kill(served, part, moment, load, rng, done))
            if number % 10 == 9:
                progress(f"{number + 1} kills, the last after {done.seconds[part][-1]:.2f} s; {dict(done.moments)}")
        load.stop()
        served.wait_until_learned(120)
    journals.stop()
    if load.wrong:
        raise SystemExit(f"wrong answers: {load.wrong[:3]}")
    with contextlib.closing(SqliteLog(home / "log.sqlite", read_only=True)) as log:
        logged = Counter(record.event_id for record in records_of(log) if record.kind == "event")
    acknowledged = Counter(load.acknowledged)
    different, steps = compare(folder, home, journals)
    return {
        "kills": kills,
        "moments": dict(done.moments),
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged.keys() - logged.keys()),
        "doubled": sum(count - 1 for count in logged.values()),
        "steps": steps,
        "different": different,
        "seconds": done.seconds,
    }


def kill(served: Serving, part: str, moment: str, load: Load, rng: random.Random, done: Kills) -> float:
    """Kill at such a moment; seconds until all is well again."""
    home = Home(served.home, create=False)
    channel, deltas = FileChannel(home.deltas), home.deltas / ".part"
    parts: tuple[Part, ...] = ("trainer", "server")
    hit = [one for one in parts if part in (one, "both")]
    steady = max([done.at.get(one, 0.0) for one in hit]) + STEADY_SECONDS
    time.sleep(max(0.0, steady - time.monotonic()) + rng.uniform(0.0, 1.0))
    if moment == "snapshot":
        until(lambda: any(home.snapshots.glob("*.part")), 10)
        time.sleep(rng.uniform(0, 0.05))
    elif moment == "delta":
        until(deltas.exists, 10)
    pids = [served.pid(one) for one in hit]
    head, feeds = channel.head(), load.feeds
    for pid in filter(None, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    begun = time.monotonic()
    done.at |= dict.fromkeys(hit, begun)
    if part != "server":
        half = "snapshot" if any(home.snapshots.glob("*.part")) else "delta" if deltas.exists() else "else"
        done.moments[half] += 1
    if part != "trainer":
        wait_for(lambda: load.feeds > feeds, 60)
    if part != "server":
        wait_for(lambda: (now := channel.head()) is not None and now.epoch > (head.epoch if head else 0), 60)
    return time.monotonic() - begun


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Look without a pause until it holds, but not for ever: then it is as at any moment."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        pass


def compare(folder: Path, home: Path, journals: Journals) -> tuple[list[str], int]:
    """What differs between the home's trainer and a run that takes the same steps without interruption; the steps."""
    one, other = folder / "one", folder / "other"
    one.mkdir(), other.mkdir()
    with Engine.open(home, arguments=SETTINGS[1::2], environment={}) as engine:
        trainer = engine.trainer
        progress(f"comparing {trainer.step:,} steps with a run that takes them without interruption")
        learner, position = fresh_learner(engine), 0
        for number in range(1, trainer.step + 1):
            entry = journals.entries[number]
            if entry.position != position:
                raise SystemExit(f"step {number} begins at {entry.position}, and the one before ended at {position}")
            records, position = engine.log.read(position, entry.records)
            learner.step(records)
        found, expected = learner_bytes(trainer.learner, one), learner_bytes(learner, other)
        different = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
        return [*different, *["journal"] * journals.contradictions], trainer.step


def snapshots_cost(folder: Path, records: int, rounds: int) -> dict[str, Any]:
    """Training with a snapshot every 1,000 steps beside training with none but the last: seconds by the clock, and of
    the processor in all threads."""
    write_log(folder / "home", records)
    clock: dict[int, list[float]] = {1_000: [], 10**9: []}
    processor: dict[int, list[float]] = {1_000: [], 10**9: []}
    with contextlib.closing(SqliteLog(folder / "home" / "log.sqlite", read_only=True)) as log:
        for number in range(rounds):
            for every in clock if number % 2 == 0 else reversed(clock):
                setting = f"training.snapshot_steps={every}"
                with Engine.open(folder / "home", arguments=[setting], environment={}) as engine:
                    config = engine.config.learning()
                trainer = Trainer(
                    log, lambda config=config: Learner(config, SlotRegistry()), Snapshots(folder / f"{number}-{every}")
                )
                begun, used = time.perf_counter(), time.process_time()
                trainer.run(reporting(trainer, log.end()))
                clock[every].append(time.perf_counter() - begun)
                processor[every].append(time.process_time() - used)
                trainer.close()
                progress(
                    f"round {number + 1}, a snapshot every {every:,} steps: {clock[every][-1]:.1f} s,"
                    f" {processor[every][-1]:.1f} s of the processor"
                )
    return {"records": records, "clock": added(*clock.values()), "processor": added(*processor.values())}


def added(with_snapshots: list[float], without: list[float]) -> dict[str, Any]:
    """The share that snapshots add, round by round, with the interval of the mean."""
    shares = np.array(with_snapshots) / np.array(without) - 1
    mean = mean_interval(shares)
    return {
        "share": round(float(np.median(shares)), 4),
        "mean": [round(each, 4) for each in (mean.estimate, mean.low, mean.high)],
        "shares": [round(float(share), 4) for share in shares],
        "seconds_with": [round(each, 2) for each in with_snapshots],
        "seconds_without": [round(each, 2) for each in without],
    }


def reporting(trainer: Trainer, end: int) -> Callable[[Any], bool]:
    """Told of every step."""

    def goes_on(step: Any) -> bool:
        if trainer.step % 1_000 == 0:
            progress(f"{trainer.position:,} of {end:,} records")
        return True

    return goes_on


def records_of(log: SqliteLog) -> Iterator[Record]:
    position, end = 0, log.end()
    while position < end:
        records, position = log.read(position, 50_000)
        yield from records


def fresh_learner(engine: Engine) -> Learner:
    """One that has seen nothing, and shares no file with the home's."""
    return Learner(engine.config.learning(), SlotRegistry.load(engine.home.slots))


if __name__ == "__main__":
    main()
