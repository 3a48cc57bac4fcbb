"""Simulated people live with a real server: they are served, they are learned from, and they outlast its troubles."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from feedmill.domain.errors import NotFound
from feedmill.run.demo.life import Life
from feedmill.run.demo.setting import Setting
from feedmill.run.demo.telling import Told
from feedmill.testing.serving import wait_for
from feedmill.testing.world_server import WorldServer

POLICIES = {"feedmill", "popularity", "random", "oracle"}


@dataclass
class Living:
    life: Life
    served: WorldServer
    setting: Setting

    def told(self) -> Told:
        return self.life.told()

    def sentences(self) -> list[str]:
        return [sentence for _, sentence in self.told().notes]


@pytest.fixture(scope="module")
def living(served: WorldServer, setting: Setting) -> Iterator[Living]:
    ended = threading.Event()
    life = Life(setting, served.url, served.clock, served.home.processes, ended=ended.set)
    life.start()
    yield Living(life, served, setting)
    life.stop()
    assert life.failure is None
    assert not ended.is_set()


def test_people_are_served_and_what_they_do_is_learned(living: Living) -> None:
    wait_for(lambda: living.told().learned and living.told().feeds > 50, 60)
    told = living.told()
    assert told.started
    assert told.seed == living.setting.seed
    assert told.users >= 0.7 * living.setting.users
    assert told.items >= 100
    assert told.events > told.feeds
    moment = told.moments[-1]
    assert set(moment.engagement) == POLICIES
    assert all(share is None or 0 <= share <= 1 for share in moment.engagement.values())
    assert sum(moment.sources.values()) == pytest.approx(1.0)
    assert {process.name for process in told.processes} == {"server", "trainer"}


def test_it_is_measured_how_soon_an_event_is_in_the_feed_and_in_the_parameters(living: Living) -> None:
    def measured() -> bool:
        moment = living.told().moments[-1]
        return None not in (moment.event_to_feed_ms.p50, moment.event_to_model_ms.p50, moment.auc)

    wait_for(measured, 60)
    moment = living.told().moments[-1]
    for ages in (moment.event_to_feed_ms, moment.event_to_model_ms):
        assert ages.p50 is not None
        assert ages.p99 is not None
        assert 0 < ages.p50 <= ages.p99
    assert moment.auc is not None
    assert 0 < moment.auc < 1


def test_the_clock_of_the_server_is_that_of_the_world(living: Living) -> None:
    wait_for(lambda: living.told().feeds > 0, 60)
    for moment in living.told().moments:
        assert living.served.clock.origin <= moment.now <= living.served.clock.now()
    days = (living.served.clock.now() - living.served.clock.origin) / 86_400_000
    assert 0 < days - living.told().day < 0.2


def test_some_items_of_each_topic_are_at_hand(living: Living) -> None:
    wait_for(living.life.recent_items, 60)
    recent = living.life.recent_items()
    assert len(recent) == 16
    assert all(len(ids) <= 4 for ids in recent.values())
    assert any(recent.values())


def test_what_is_done_to_the_world_is_noted(living: Living) -> None:
    living.life.shock("cats")
    living.life.release_viral("space")
    living.life.open_studio("dance")
    said = [
        "Everyone now wants cats",
        "A viral item about space is out",
        "A gifted creator begins to publish about dance",
    ]
    wait_for(lambda: living.sentences()[-3:] == said)


def test_a_topic_that_there_is_not_is_refused_and_those_that_there_are_named(living: Living) -> None:
    for act in (living.life.shock, living.life.release_viral, living.life.open_studio):
        with pytest.raises(NotFound, match=r"'chess'.*cats, cooking"):
            act("chess")


def test_it_outlasts_the_trainer(living: Living) -> None:
    assert living.life.kill_trainer()
    living.served.end("trainer")
    assert not living.life.kill_trainer()
    assert living.sentences().count("The trainer was killed") <= 1
    wait_for(lambda: living.sentences()[-1] == "The trainer was killed")
    feeds, step = living.told().feeds, living.told().parameters_step
    wait_for(lambda: living.told().feeds > feeds + 10, 60)
    living.served.start("trainer")
    wait_for(lambda: living.told().parameters_step > step, 60)


def test_it_outlasts_a_server_that_is_killed_and_comes_back(living: Living) -> None:
    living.served.end("server")
    feeds = living.told().feeds
    living.served.start("server")
    wait_for(lambda: living.told().feeds > feeds + 10, 60)


def test_people_leave_out_visits_where_the_server_does_not_keep_up_and_it_is_said(living: Living) -> None:
    said = "Too much for this machine: people leave out some visits"
    living.served.send("server", signal.SIGSTOP)
    try:
        # Sixty steps pass: in a night there may be many before anybody asks for something.
        now = living.served.clock.now()
        wait_for(lambda: living.served.clock.now() > now + 600 * 60_000)
    finally:
        living.served.send("server", signal.SIGCONT)
    # Once a minute at most: on a slow machine it may have been said before.
    wait_for(lambda: said in living.sentences())
    feeds = living.told().feeds
    wait_for(lambda: living.told().feeds > feeds)


def test_the_report_is_of_all_that_was_lived(living: Living) -> None:
    report = living.life.report("http://127.0.0.1:1")
    assert set(report.engagement) == set(report.likes) == POLICIES
    assert report.feeds >= living.told().feeds > 0
    assert report.events > report.feeds
    assert 0 < report.days == pytest.approx(report.seconds / living.setting.day_seconds, rel=0.5)
    assert msgspec.json.decode(msgspec.json.encode(report))["event_to_feed_ms"].keys() == {"p50", "p99"}
