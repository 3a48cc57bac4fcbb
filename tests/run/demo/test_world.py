"""What the world of a demonstration is, and how it is put into requests."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from feedmill.client import Client
from feedmill.domain.clock import DAY, MINUTE, ManualClock
from feedmill.domain.records import Item, Record, User
from feedmill.run.config import load_config
from feedmill.run.config_layers import dump_toml
from feedmill.run.demo.http_policy import HttpPolicy, Stopped, event_fields, item_fields, user_fields
from feedmill.run.demo.measures import Measures
from feedmill.run.demo.setting import START, Setting, live_config
from feedmill.run.demo.world import enter, world_of
from feedmill.run.local.supervisor import listen
from feedmill.run.world_config import world_config
from feedmill.simulation.policies import Popularity


@pytest.mark.parametrize("users", [1, 20, 600, 5_000])
def test_there_is_a_world_for_any_number_of_users(users: int) -> None:
    world_of(Setting(users=users)).check()


def test_four_policies_live_in_copies_of_one_world() -> None:
    entrants = enter(Setting(users=20), Popularity(name="feedmill"))
    assert [entrant.policy.name for entrant in entrants] == ["feedmill", "popularity", "random", "oracle"]
    assert len({id(entrant.world) for entrant in entrants}) == 4
    for entrant in entrants:
        entrant.live()
    assert len({entrant.world.now for entrant in entrants}) == 1


def test_a_day_takes_as_long_as_was_said() -> None:
    clock = Setting(day_seconds=30.0).clock()
    assert clock.seconds_until(clock.now() + DAY) == pytest.approx(30.0, abs=0.01)
    assert 0 <= clock.now() - START < DAY


def test_nobody_is_held_out_of_a_live_world_and_its_configuration_can_be_written_and_read(tmp_path: Path) -> None:
    config = live_config(world_config(5))
    assert config.holdout.share == 0
    assert config.training.seed == 5
    (tmp_path / "feedmill.toml").write_text(dump_toml(config))
    assert load_config(tmp_path / "feedmill.toml") == config
    assert {name for name, action in config.actions.items() if action.meaning == "negative"} == {"skip", "hide"}


def test_records_are_sent_as_the_api_takes_them() -> None:
    item = Record(
        "item", 5, object="i", body=Item(title="T", author_id="a", categories=("cats",), attributes={"mood": "calm"})
    )
    assert item_fields(item) == {
        "item_id": "i", "timestamp": 5, "title": "T", "author_id": "a", "categories": ("cats",),
        "attributes": {"mood": "calm"},
    }  # fmt: skip
    user = Record("user", 6, subject="u", body=User(created_at=6, interests=("cats",)))
    assert user_fields(user) == {"user_id": "u", "timestamp": 6, "created_at": 6, "interests": ("cats",)}
    seen = Record("seen", 7, "u", "i", event_id="e", request_id="r", context={"position": 0}, outcomes={"watched": 0.5})
    assert event_fields(seen, 9) == {
        "kind": "seen", "user_id": "u", "item_id": "i", "timestamp": 7, "event_id": "e", "request_id": "r",
        "context": {"position": 0}, "outcomes": {"watched": 0.5},
    }  # fmt: skip
    follow = Record("relation", 8, "u", "a", "follow", event_id="f", object_kind="author")
    assert event_fields(follow, 7) == {
        "kind": "relation", "user_id": "u", "target_id": "a", "target_kind": "author", "action": "follow",
        "timestamp": 7, "event_id": "f",
    }  # fmt: skip


def test_a_server_that_does_not_answer_is_asked_until_all_ends() -> None:
    with (
        listen("127.0.0.1", 0) as silent,
        Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05) as client,
    ):
        stopping = threading.Event()
        policy = HttpPolicy(client, ManualClock(MINUTE), Measures(), stopping)
        threading.Timer(0.3, stopping.set).start()
        with pytest.raises(Stopped):
            policy.observe([Record("user", 6, subject="u", body=User())])
        policy.close()
