"""A trial: Feedmill learns the first four fifths of a file, and is judged on the last, beside popularity.

The file goes through the parts that a home has: import, log, learner, feed. Where it says what was shown, each
impression of the last fifth is predicted before it is learned. Where it holds only what people did, both are asked for
lists of ten.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import tomli_w

from feedmill.domain.clock import DAY, HOUR, Clock, format_time
from feedmill.domain.errors import HomeError, InvalidFile
from feedmill.domain.records import Record
from feedmill.learn.training.learner import Learner
from feedmill.run.config_file import add_proposal
from feedmill.run.engine import Engine
from feedmill.run.feed import make_feed
from feedmill.run.home import Home
from feedmill.run.ingesting import open_entrance
from feedmill.run.progress import Report
from feedmill.run.trial_models import BatchLists
from feedmill.run.trial_objectives import ObjectiveTally
from feedmill.run.trial_ranking import Answers, PopularityLists, draw, likes
from feedmill.run.trial_report import FeedItem, RankingComparison, TrialReport, UserFeed, verdict
from feedmill.run.trial_source import EventsAndItems
from feedmill.serve.feed import Feed
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.fan_out import FanOutConfig
from feedmill.serve.pipeline.request import Request
from feedmill.serve.selectors.fresh_positions import FreshPositionsConfig
from feedmill.stream.files import atomic_write
from feedmill.stream.importing.proposals import Proposal
from feedmill.stream.importing.result import ImportResult
from feedmill.stream.importing.runner import run_import
from feedmill.stream.importing.source import Source
from feedmill.stream.log.protocol import Log

LEAST_EVENTS = 50
"""Fewer leave too little to learn from and to judge by."""
MOST_ASKED = 1_000
"""Lists that are asked for in each comparison; where there could be more, some are drawn."""
SHOWN = 10
"""Items of a feed that is shown."""
AFFINITY, SOURCES = 10, 40.0
"""For logs without impressions: `features.affinity` and `feed.weighted.sources`."""
RECENT_SHARE, LATEST_SHARE = 20, 160
"""What is recent depends on how long the log is: counters forget half in such parts of its time."""


class Stopped(Exception):
    """Raised out of a trial that was told to stop."""


@dataclass(frozen=True, slots=True)
class TrialFile:
    """What a trial is made of."""

    name: str
    events: Source
    items: Source | None = None


def prepare(home: Home, file: TrialFile, clock: Clock, report: Report) -> ImportResult:
    """Bring a file into a new home, with a configuration that suits it.

    Raises HomeError where the home has a log, InvalidFile where the file holds too little.
    """
    if home.log.exists():
        raise HomeError(f"{home.path}: holds a log already; name a new directory for a trial")
    with open_entrance(home, clock) as entrance:
        result = run_import(
            EventsAndItems(file.events, file.items),
            entrance.ingest,
            clock,
            rejects=home.path / "rejects" / f"{file.name}.jsonl",
            progress=report,
            work_dir=home.path,
        )
    if result.accepted < LEAST_EVENTS:
        raise InvalidFile(
            f"{file.name}: {result.accepted} events that can be used{_first_reject(result)}; a trial needs at least"
            f" {LEAST_EVENTS}, to learn from four fifths and to be judged on the last"
        )
    alone = any(action.example_without_impression for action in result.actions.values())
    if alone and not home.config.exists():
        span = (result.last_timestamp or 0) - (result.first_timestamp or 0)
        atomic_write(home.config, tomli_w.dumps(_without_impressions(span)).encode())
    add_proposal(home.config, Proposal(result.actions, result.objectives, result.features), file.name)
    return result


def run_trial(
    engine: Engine,
    file: TrialFile,
    imported: ImportResult,
    report: Report,
    stopped: Callable[[], bool],
    seed: int = 0,
) -> TrialReport:
    """Learn, judge, and make feeds; raises Stopped where `stopped` says so between two steps."""
    started = time.perf_counter()
    trial = _Trial(engine.make_learner(), engine.config.feed, engine.log, imported, report, stopped)
    trial.learn()
    test = trial.rest()
    shown = any(record.kind == "seen" for record in test)
    at_the_split = as_it_goes = None
    if not shown:
        at_the_split = trial.ask_at_the_split(test, seed)
    as_it_goes = trial.go_on(test, 0 if shown else MOST_ASKED, seed)
    objectives = trial.tally.compare(seed) if shown else {}
    has_times = bool(imported.timestamp_unit)
    return TrialReport(
        file=file.name,
        events=imported.accepted,
        rejected=imported.rejected,
        users=len(trial.learner.state.catalog.users),
        items=len(trial.learner.state.catalog.items),
        trained=trial.cut,
        tested=imported.accepted - trial.cut,
        split=format_time(test[0].timestamp) if has_times else "",
        as_it_goes=as_it_goes,
        at_the_split=at_the_split,
        objectives=objectives,
        feeds=trial.feeds(),
        verdict=verdict(as_it_goes, at_the_split, objectives),
        notes=_notes(imported, shown, as_it_goes),
        seconds=round(time.perf_counter() - started + imported.seconds, 3),
    )


@dataclass(slots=True)
class _Seen:
    """What is noted of the users on the way."""

    events: Counter[str] = field(default_factory=Counter)
    liked: dict[str, deque[str]] = field(default_factory=dict)

    def note(self, record: Record, liked: bool) -> None:
        self.events[record.subject] += 1
        if liked:
            latest = self.liked.setdefault(record.subject, deque(maxlen=3))
            if record.object in latest:
                latest.remove(record.object)
            latest.appendleft(record.object)


class _Trial:
    def __init__(
        self,
        learner: Learner,
        feed: FeedConfig,
        log: Log,
        imported: ImportResult,
        report: Report,
        stopped: Callable[[], bool],
    ) -> None:
        self.learner = learner
        self.cut = imported.accepted - imported.accepted // 5
        span = (imported.last_timestamp or 0) - (imported.first_timestamp or 0)
        half_life = max(span / RECENT_SHARE, DAY)
        self.tally = ObjectiveTally(learner, half_life)
        self.popularity = PopularityLists(learner, half_life)
        self.models = BatchLists(learner)
        self._feed_config = feed
        self._log = log
        self._events = imported.accepted
        self._report = report
        self._stopped = stopped
        self._position = 0
        self._passed = 0
        self._seen = _Seen()

    def learn(self) -> None:
        """Up to the split."""
        read: deque[list[Record]] = deque()
        for step in self.learner.run(self._batches(read)):
            self.tally.add(step.examples, step.predictions, judged=False)
            self.models.add(read[0])
            self._pass(read.popleft(), "learning the first four fifths", self.cut)

    def rest(self) -> list[Record]:
        """The records behind the split; the last fifth of the file is held in memory."""
        records: list[Record] = []
        while self._position < self._log.end():
            more, self._position = self._log.read(self._position, 10_000)
            records += more
        return records

    def ask_at_the_split(self, test: Sequence[Record], seed: int) -> RankingComparison | None:
        """For each user what is liked first in the test, in one list of ten, asked before it begins: of Feedmill, of
        popularity, and of models that learn in batch from the same likes."""
        wanted: dict[str, set[str]] = {}
        for record in self._first_likes(test):
            wanted.setdefault(record.subject, set()).add(record.object)
        users = list(wanted)
        answers = self._answers()
        for index in draw(MOST_ASKED, len(users), np.random.default_rng(seed)):
            answers.ask(users[index], test[0].timestamp, wanted[users[index]])
            self._look_up("asking at the split", len(answers.users), min(len(users), MOST_ASKED))
        known = frozenset(self._seen.events)
        if answers.users:
            answers.others = self.models.of(answers.users)
        return answers.compare(len(users), known.__contains__, seed)

    def go_on(self, test: Sequence[Record], most: int, seed: int) -> RankingComparison | None:
        """Through the test record by record; before some first likes both are asked for ten items."""
        known = frozenset(self._seen.events)
        first = self._first_likes(test)
        chosen = {id(first[index]) for index in draw(most, len(first), np.random.default_rng(seed))} if most else set()
        answers = self._answers()
        waiting: list[Record] = []
        for record in test:
            asked = id(record) in chosen
            if waiting and (asked or len(waiting) == self.learner.config.training.batch):
                step = self.learner.step(waiting)
                self.tally.add(step.examples, step.predictions, judged=True)
                self._pass(waiting, "going through the last fifth", self._events)
                waiting = []
            if asked:
                answers.ask(record.subject, record.timestamp, {record.object})
            waiting.append(record)
        step = self.learner.step(waiting)
        self.tally.add(step.examples, step.predictions, judged=True)
        self._pass(waiting, "going through the last fifth", self._events)
        return answers.compare(len(first), known.__contains__, seed)

    def feeds(self) -> list[UserFeed]:
        """For the busiest user, one of middling activity, and one whom nobody knows."""
        by_activity = sorted(self._seen.events, key=lambda user: (-self._seen.events[user], user))
        active = [user for user in by_activity if user in self._seen.liked] or by_activity
        newcomer = "a-new-user"
        while newcomer in self._seen.events:
            newcomer += "-"
        feed = self._feed(exploring=True)
        chosen = [(active[0], "the busiest"), (active[len(active) // 2], "a typical one"), (newcomer, "a new one")]
        return [self._user_feed(feed, user, who) for user, who in dict(reversed(chosen)).items()][::-1]

    def _user_feed(self, feed: Feed, user: str, who: str) -> UserFeed:
        items = self.learner.state.catalog.items
        now = self.learner.state.watermark
        page = feed.recommend(Request(user_id=user, now=now, limit=SHOWN))
        bodies = [(item, items.body(items.ids.find(item))) for item in self._seen.liked.get(user, ())]
        return UserFeed(
            user_id=user,
            who=who,
            events=self._seen.events[user],
            liked=[body.title if body is not None and body.title else item for item, body in bodies],
            items=[FeedItem(item.item_id, item.title, item.why) for item in page.items],
        )

    def _batches(self, read: deque[list[Record]]) -> Iterator[list[Record]]:
        """Steps of records up to the split."""
        size = self.learner.config.training.batch
        left = self.cut
        while left > 0:
            if self._stopped():
                raise Stopped
            records, position = self._log.read(self._position, size)
            happened = [index for index, record in enumerate(records) if record.kind in ("event", "seen")]
            if len(happened) > left:
                records, position = self._log.read(self._position, happened[left])
                happened = happened[:left]
            if not records:
                return
            left -= len(happened)
            self._position = position
            read.append(records)
            yield records

    def _pass(self, records: Sequence[Record], phase: str, total: int) -> None:
        """Note what has been learned."""
        self.popularity.add(records)
        for record in records:
            if record.kind in ("event", "seen"):
                self._passed += 1
                self._seen.note(record, likes(self.learner, record))
        self._look_up(phase, self._passed, total)

    def _look_up(self, phase: str, done: int, total: int) -> None:
        if self._stopped():
            raise Stopped
        self._report(phase, done, total)

    def _first_likes(self, test: Sequence[Record]) -> list[Record]:
        """What is liked by somebody who has had nothing to do with it before."""
        state = self.learner.state
        met: set[tuple[str, str]] = set()
        found = []
        for record in test:
            if record.kind not in ("event", "seen") or (record.subject, record.object) in met:
                continue
            met.add((record.subject, record.object))
            if not likes(self.learner, record):
                continue
            user, item = state.catalog.users.ids.find(record.subject), state.catalog.items.ids.find(record.object)
            if user < 0 or item < 0 or state.views(user, np.array([item], dtype=np.int32))[0] == 0:
                found.append(record)
        return found

    def _answers(self) -> Answers:
        return Answers(self.learner, self._feed(exploring=False), self.popularity)

    def _feed(self, *, exploring: bool) -> Feed:
        """Without threads and deadlines, which would make the answers depend on the machine."""
        config = msgspec.structs.replace(self._feed_config, fan_out=FanOutConfig(parallel=False))
        if not exploring:
            config = msgspec.structs.replace(config, fresh_positions=FreshPositionsConfig(enabled=False))
        return make_feed(self.learner.state, lambda: self.learner.parameters, config)


def _without_impressions(span: int) -> dict[str, object]:
    """What suits a log of so many milliseconds that does not say what was shown: measured on MovieLens, see the log of
    what was tried."""
    recent, latest = (max(span / share / HOUR, hours) for share, hours in ((RECENT_SHARE, 24.0), (LATEST_SHARE, 6.0)))
    return {
        "features": {
            "half_lives": [round(recent, 1), round(latest, 1)],
            "popularity_half_life": round(recent, 1),
            "affinity": AFFINITY,
        },
        "feed": {"weighted": {"sources": SOURCES}},
    }


def _first_reject(result: ImportResult) -> str:
    """Why the first of the rejected rows could not be read."""
    if not result.rejects:
        return ""
    with Path(result.rejects).open("rb") as file:
        first = msgspec.json.decode(file.readline())
    return f" ({result.rejected:,} rows cannot be read; line {first['line']}: {first['field']} {first['reason']})"


def _notes(imported: ImportResult, shown: bool, as_it_goes: RankingComparison | None) -> list[str]:
    notes = []
    if not imported.timestamp_unit:
        notes.append("The file has no column of times: the order of its rows stands for them.")
    if imported.rejected:
        notes.append(f"Rows left out{_first_reject(imported)}.")
    if imported.duplicates:
        notes.append(f"{imported.duplicates:,} rows repeat others and count once.")
    if not shown and as_it_goes is None:
        notes.append("Nobody likes anything new in the last fifth: there is nothing to judge a ranking by.")
    return notes
