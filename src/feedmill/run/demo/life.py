"""Simulated people who live with Feedmill through its HTTP API, and with other policies in copies of their world."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import structlog

from feedmill.client import Client, FeedmillConnectionError, FeedmillHTTPError
from feedmill.domain.clock import DAY, HOUR, ScaledClock
from feedmill.domain.errors import FeedmillError, NotFound
from feedmill.run.demo.chart import Chart
from feedmill.run.demo.http_policy import HttpPolicy, Stopped
from feedmill.run.demo.measures import Measures
from feedmill.run.demo.report import Report
from feedmill.run.demo.setting import Setting
from feedmill.run.demo.telling import Moment, ProcessTold, Told
from feedmill.run.demo.watch import Watch
from feedmill.run.demo.world import enter
from feedmill.run.local.processes import read_processes
from feedmill.simulation.contest import Entrant
from feedmill.simulation.records import arrivals_of
from feedmill.simulation.topics import TOPICS
from feedmill.simulation.world import World

LATELY = 6 * HOUR
"""Engagement of a moment is that of so much of the world's time before it."""
LEAST_FREE_BYTES = 100 * 2**20
"""Life ends before the disk is full."""
_NO_ROOM = "Less than 100 MB are free on the disk: the demonstration ends"
_TELL_SECONDS = 0.5
_NAP_SECONDS = 0.25
"""For how long it is waited at most before it is seen to what people wish of the world, and to whether time is up."""
_READY_SECONDS = 0.05
_TIRED, _RESTED = 12, 1
"""Steps by which life is behind the clock when people begin to rest, and up to which they do."""
_SAID_SECONDS = 60.0
"""For how long it is not said again that they do."""
_RECENT_OF_TOPIC = 4
_RECENT_SECONDS = 60.0
_CLIENT_SECONDS, _WATCH_SECONDS = 30.0, 1.0


class Life:
    """A world that lives in a thread of its own, one step each time its clock has passed one.

    Everything that is public may be called from any thread.
    """

    def __init__(
        self,
        setting: Setting,
        url: str,
        clock: ScaledClock,
        processes: Path,
        *,
        ended: Callable[[], None] = lambda: None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the server's, `clock` the one that it goes by; `processes` is the file in which its supervisor tells
        of processes. `ended` is called when life ends by itself: its time is over, the disk of `processes` is nearly
        full, or it has failed (`failure`).
        """
        self._setting = setting
        self._clock = clock
        self._processes = processes
        self._ended = ended
        self._timer = timer
        self._log = structlog.get_logger()
        self._client = Client(url, timeout=_CLIENT_SECONDS)
        self._watching = Client(url, timeout=_WATCH_SECONDS)
        self._measures = Measures()
        self._watch = Watch(self._watching, self._measures, self._fail, timer=timer)
        self._stopping = threading.Event()
        self._policy = HttpPolicy(
            self._client, clock, self._measures, self._stopping, posted=self._watch.follow, timer=timer
        )
        self._entrants: tuple[Entrant, ...] = ()
        self._wishes: queue.SimpleQueue[tuple[str, Callable[[World], object]]] = queue.SimpleQueue()
        self._chart = Chart()
        self._notes: list[tuple[int, str]] = []
        self._recent: dict[str, tuple[str, ...]] = {}
        self._steps = self._first_step = 0
        self._began: float | None = None
        self._over: float | None = None
        self._tired_at: float | None = None
        self._world_ended = False
        self.failure: BaseException | None = None
        self._told = self._look((), None)
        self._threads = [
            threading.Thread(target=self._run, name="feedmill-world", daemon=True),
            threading.Thread(target=self._tell, name="feedmill-told", daemon=True),
        ]

    def start(self) -> None:
        """Begin; the world starts when the server is ready."""
        self._watch.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, within a second or so; a request that is on its way is not waited for."""
        self._stopping.set()
        self._over = self._over or self._timer()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1.0)
        self._watch.stop()
        self._policy.close()
        for client in (self._client, self._watching):
            client.close(0.0)

    def told(self) -> Told:
        """How everything stands, renewed twice a second."""
        return self._told

    def recent_items(self) -> Mapping[str, Sequence[str]]:
        """Ids of some items of each topic that were born lately, by topic; renewed once a minute."""
        return self._recent

    def shock(self, topic: str) -> None:
        """Everyone now wants a topic. Raises NotFound, also below, where there is no such topic."""
        self._wish(f"Everyone now wants {_known(topic)}", lambda world: world.shock(topic))

    def release_viral(self, topic: str) -> None:
        """An item about a topic is born that everybody adores."""
        self._wish(f"A viral item about {_known(topic)} is out", lambda world: world.release_viral(topic))

    def open_studio(self, topic: str) -> None:
        """A gifted creator begins to publish about a topic."""
        self._wish(f"A gifted creator begins to publish about {_known(topic)}", lambda world: world.open_studio(topic))

    def kill_trainer(self) -> bool:
        """SIGKILL for the trainer; False where it is not running."""
        pid = next((one.pid for one in read_processes(self._processes) if one.name == "trainer"), None)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self._note("The trainer was killed")
        return True

    def report(self, url: str) -> Report:
        """What came of it so far; `url` is that of the page."""
        told = self._told
        first = self._steps - (self._steps - self._first_step) // 4
        return Report(
            url=url,
            events=self._policy.events,
            feeds=self._policy.feeds,
            engagement={entrant.policy.name: _mean(entrant, first, self._steps) for entrant in self._entrants},
            likes={
                entrant.policy.name: _share(entrant.tally.actions["like"], sum(entrant.tally.seen))
                for entrant in self._entrants
            },
            event_to_feed_ms=self._measures.event_to_feed(lately=False),
            event_to_model_ms=self._measures.event_to_model(lately=False),
            missed=self._measures.missed(),
            auc=self._measures.auc(),
            seed=self._setting.seed,
            days=round(self._days, 3),
            users=told.users,
            items=told.items,
            parameters_step=told.parameters_step,
            seconds=0.0 if self._began is None else round((self._over or self._timer()) - self._began, 3),
            notes=tuple(sentence for _, sentence in self._notes),
        )

    @property
    def _days(self) -> float:
        """Of the world, that were lived."""
        if not self._entrants:
            return 0.0
        return (self._steps - self._first_step) * self._entrants[0].world.config.step / DAY

    def _run(self) -> None:
        try:
            self._live()
        except Stopped:
            return
        except BaseException as error:
            self._fail(error)
        else:
            self._end()

    def _fail(self, error: BaseException) -> None:
        if not self._stopping.is_set():
            self.failure = self.failure or error
        self._end()

    def _end(self) -> None:
        self._over = self._over or self._timer()
        if not self._stopping.is_set():
            self._ended()

    def _live(self) -> None:
        entrants = enter(self._setting, self._policy)
        if not self._await_server():
            return
        self._rest_until_now(entrants)
        self._entrants = entrants
        self._first_step, self._began = self._steps, self._timer()
        step = entrants[0].world.config.step
        while not self._stopping.is_set() and (left := self._left()) > 0:
            self._fulfil_wishes(entrants)
            if entrants[0].world.ended:
                self._note_end()
                self._stopping.wait(min(left, _NAP_SECONDS))
                continue
            ahead = self._clock.seconds_until(entrants[0].world.now + 2 * step)
            if ahead > 0:
                self._stopping.wait(min(ahead, left, _NAP_SECONDS))
                continue
            if -ahead * self._clock.speed * 1000 > _TIRED * step:
                self._note_tired()
                self._rest_until_now(entrants)
                continue
            self._policy.begin_step()
            for entrant in entrants:
                entrant.live()
            self._steps += 1

    def _await_server(self) -> bool:
        """Whether the server has become ready before all ends."""
        while not self._stopping.wait(_READY_SECONDS):
            with contextlib.suppress(FeedmillConnectionError, FeedmillHTTPError):
                if not self._watching.status()["starting"]:
                    return True
        return False

    def _rest_until_now(self, entrants: Sequence[Entrant]) -> None:
        """Let the world go on without anybody opening a feed, up to where its clock is."""
        length = entrants[0].world.config.step
        while not self._stopping.is_set() and not entrants[0].world.ended:
            if self._clock.now() < entrants[0].world.now + (2 + _RESTED) * length:
                return
            for entrant in entrants:
                step = entrant.world.step()
                entrant.tally.open(step)
                if news := arrivals_of(entrant.world, step):
                    entrant.policy.observe(news)
            self._steps += 1

    def _left(self) -> float:
        """Seconds of the time that was asked for."""
        seconds, began = self._setting.seconds, self._began
        return math.inf if seconds is None or began is None else began + seconds - self._timer()

    def _wish(self, sentence: str, act: Callable[[World], object]) -> None:
        self._wishes.put((sentence, act))

    def _fulfil_wishes(self, entrants: Sequence[Entrant]) -> None:
        while True:
            try:
                sentence, act = self._wishes.get_nowait()
            except queue.Empty:
                return
            if entrants[0].world.ended:
                self._note("The world has ended: nothing can be done to it any more")
                continue
            try:
                for entrant in entrants:
                    act(entrant.world)
            except FeedmillError as error:
                sentence = f"{sentence}? {error}"
            self._note(sentence)

    def _note(self, sentence: str) -> None:
        self._notes.append((self._clock.now(), sentence))

    def _note_end(self) -> None:
        if not self._world_ended:
            self._world_ended = True
            self._note("The world has come to its last day; the phone goes on")

    def _note_tired(self) -> None:
        now = self._timer()
        if self._tired_at is not None and now - self._tired_at < _SAID_SECONDS:
            return
        self._tired_at = now
        self._log.warning(
            "the world is ahead of its people, who leave out some visits; fewer --users or longer --day-seconds help"
        )
        self._note("Too much for this machine: people leave out some visits")

    def _tell(self) -> None:
        try:
            self._tell_on()
        except BaseException as error:
            self._fail(error)

    def _tell_on(self) -> None:
        recent_at = -_RECENT_SECONDS
        while not self._stopping.wait(_TELL_SECONDS):
            entrants = self._entrants
            if entrants and self._timer() - recent_at >= _RECENT_SECONDS:
                self._recent, recent_at = _recent_items(entrants[0].world), self._timer()
            moment = self._moment(entrants) if entrants else None
            room = self._has_room()
            if not room:
                self._note(_NO_ROOM)
                self._log.warning(_NO_ROOM)
            self._told = self._look(self._chart.add(moment) if moment else (), entrants[0].world if entrants else None)
            if not room:
                self._end()
                return

    def _has_room(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return shutil.disk_usage(self._processes.parent).free >= LEAST_FREE_BYTES
        return True

    def _moment(self, entrants: Sequence[Entrant]) -> Moment:
        end = self._steps
        first = max(0, end - LATELY // entrants[0].world.config.step)
        return Moment(
            now=self._clock.now(),
            engagement={entrant.policy.name: _mean(entrant, first, end) for entrant in entrants},
            event_to_feed_ms=self._measures.event_to_feed(lately=True),
            event_to_model_ms=self._measures.event_to_model(lately=True),
            auc=self._measures.auc(),
            sources=self._measures.sources(),
            trainer_lag=self._watch.trainer_lag,
        )

    def _look(self, moments: tuple[Moment, ...], world: World | None) -> Told:
        now = self._clock.now()
        processes = read_processes(self._processes)
        return Told(
            seed=self._setting.seed,
            started=world is not None,
            now=now,
            day=(now - self._clock.origin) / DAY,
            users=0 if world is None else int(np.count_nonzero(world.users.joined_at <= world.now)),
            items=0 if world is None else len(world.live_items),
            events=self._policy.events,
            feeds=self._policy.feeds,
            moments=moments,
            processes=tuple(ProcessTold(one.name, one.pid, one.restarts) for one in processes),
            parameters_step=self._watch.parameters_step,
            learned=self._watch.parameters_step > 0,
            notes=tuple(self._notes),
            ages=self._watch.ages,
            held=self._watch.held,
            ended=self._world_ended,
        )


def _mean(entrant: Entrant, first: int, end: int) -> float | None:
    """The mean watched share of what was seen from a step to before another; None where that was nothing."""
    return _share(sum(entrant.tally.watched[first:end]), sum(entrant.tally.seen[first:end]))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _known(topic: str) -> str:
    names = [one.name for one in TOPICS]
    if topic not in names:
        raise NotFound(f"topic: there is no {topic!r} in this world; there are {', '.join(names)}")
    return topic


def _recent_items(world: World) -> dict[str, tuple[str, ...]]:
    """Of each topic the ids of the last few items, by topic; in the order of topics."""
    found: dict[str, list[str]] = {topic.name: [] for topic in TOPICS}
    missing = len(found)
    for item in reversed(world.live_items.tolist()):
        ids = found[world.items.bodies[item].categories[0]]
        if len(ids) < _RECENT_OF_TOPIC:
            ids.append(world.items.ids[item])
            missing -= len(ids) == _RECENT_OF_TOPIC
            if not missing:
                break
    return {topic: tuple(ids) for topic, ids in found.items()}
